//! Moments in time, as the catalogue and the API write them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// The beginning of 1970: where no better moment is known.
    pub const EPOCH: Self = Self(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0));

    /// The present moment by the system's clock.
    pub fn now() -> Self {
        let now = jiff::Timestamp::now().to_zoned(TimeZone::UTC).datetime();
        let microseconds = now.subsec_nanosecond() / 1000 * 1000;
        Self(
            now.with()
                .subsec_nanosecond(microseconds)
                .build()
                .unwrap_or(now),
        )
    }

    /// The second in which this is, as it begins.
    #[must_use]
    pub fn whole_second(self) -> Self {
        Self(self.0.with().subsec_nanosecond(0).build().unwrap_or(self.0))
    }

    /// Reads what a catalogue or an API holds: `2026-11-21 09:30:04.428845`,
    /// `2026-11-21T09:30:04Z`, `2026-11-21T09:30:04.000000+02:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(Self(moment.to_zoned(TimeZone::UTC).datetime()));
        }
        text.parse::<DateTime>().ok().map(Self)
    }

    /// The moment so many seconds after the beginning of 1970, to the microsecond; None where no calendar
    /// has it.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let duration = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
        let microseconds = (duration.as_nanos() + 500).div_euclid(1000);
        let microseconds = i64::try_from(microseconds).ok()?;
        let moment = jiff::Timestamp::from_microsecond(microseconds).ok()?;
        Some(Self(moment.to_zoned(TimeZone::UTC).datetime()))
    }

    /// The moment that the system tells of a file; None before 1970.
    pub fn from_system(time: SystemTime) -> Option<Self> {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        Self::from_seconds(since.as_secs_f64())
    }

    /// Seconds since the beginning of 1970.
    pub fn to_seconds(self) -> f64 {
        let since = self.0.duration_since(Self::EPOCH.0);
        since.as_secs_f64()
    }

    /// ISO 8601 without a zone: `2026-11-21T09:30:04.428845`, without a fraction where there is none.
    ///
    /// *Source:* `isoformat` of Python's `datetime`.
    pub fn to_iso(self) -> String {
        let whole = self.to_string();
        let whole = whole.trim_end_matches('Z');
        match self.0.subsec_nanosecond() / 1000 {
            0 => whole.to_string(),
            microseconds => format!("{whole}.{microseconds:06}"),
        }
    }

    /// The text a catalogue row holds: `2026-11-21 09:30:04.428845`.
    ///
    /// *Source:* SQLAlchemy's storage format of DATETIME on SQLite; MySQL takes the same.
    pub fn to_catalog(self) -> String {
        let t = self.0;
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.subsec_nanosecond() / 1000
        )
    }

    /// The moment by the clock of this host, in a format of `strftime`; None for a format that there is
    /// none of. `%Y-%m-%d %H:%M:%S`: `2026-11-21 10:30:04`.
    pub fn to_local(self, format: &str) -> Option<String> {
        let zoned = self.0.to_zoned(TimeZone::UTC).ok()?;
        let local = zoned.with_time_zone(TimeZone::system());
        jiff::fmt::strtime::format(format, &local).ok()
    }

    /// Milliseconds of its second.
    pub fn milliseconds(self) -> u16 {
        u16::try_from(self.0.subsec_nanosecond() / 1_000_000).unwrap_or_default()
    }

    /// How much later this moment is than another one.
    pub fn since(self, earlier: Self) -> jiff::SignedDuration {
        self.0.duration_since(earlier.0)
    }

    /// The moment so much later; None beyond the calendar's end.
    pub fn later(self, by: jiff::SignedDuration) -> Option<Self> {
        self.0.checked_add(by).ok().map(Self)
    }

    /// The moment so much earlier; [`Timestamp::EPOCH`] where that is before any calendar.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        self.0.checked_sub(by).map_or(Self::EPOCH, Self)
    }

    /// As Python writes it: `2026-11-21T09:30:04.428845`, without a fraction where there is none.
    ///
    /// *Source:* the rows of an image's tasks, which the reference implementation gives as they are.
    pub fn to_isoformat(self) -> String {
        let text = self.to_catalog().replace(' ', "T");
        let whole = text.strip_suffix(".000000").map(str::to_string);
        whole.unwrap_or(text)
    }
}

/// The API's form: ISO 8601 in UTC, to the second: `2026-11-21T09:30:04Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("a time '{text}' that is none")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_and_api_forms_round_trip() {
        let t = Timestamp::parse("2026-11-21 09:30:04.428845").unwrap();
        assert_eq!(t.to_catalog(), "2026-11-21 09:30:04.428845");
        assert_eq!(t.to_string(), "2026-11-21T09:30:04Z");
        assert_eq!(
            Timestamp::parse("2026-11-21 09:30:04")
                .unwrap()
                .to_catalog(),
            "2026-11-21 09:30:04.000000"
        );
        assert_eq!(
            Timestamp::parse("2026-11-21T11:30:04+02:00")
                .unwrap()
                .to_string(),
            "2026-11-21T09:30:04Z"
        );
        assert_eq!(Timestamp::parse("soon"), None);
    }

    #[test]
    fn seconds_are_moments_to_the_microsecond() {
        let t = Timestamp::from_seconds(1_763_717_404.428_845).unwrap();
        assert_eq!(t.to_iso(), "2025-11-21T09:30:04.428845");
        assert_eq!(Timestamp::from_seconds(t.to_seconds()), Some(t));
        assert_eq!(Timestamp::from_seconds(0.0), Some(Timestamp::EPOCH));
        assert_eq!(Timestamp::EPOCH.to_iso(), "1970-01-01T00:00:00");
        for none in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Timestamp::from_seconds(none), None);
        }
    }

    #[test]
    fn now_has_whole_microseconds() {
        let now = Timestamp::now();
        assert_eq!(Timestamp::parse(&now.to_catalog()), Some(now));
    }
}
