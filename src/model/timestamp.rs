//! Timestamps in the formats of the catalogue and the API.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A timestamp in UTC with microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// The beginning of 1970, for unknown times.
    pub const EPOCH: Self = Self(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0));

    /// Returns the current time of the system's clock.
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

    /// Returns the timestamp rounded down to the second.
    #[must_use]
    pub fn whole_second(self) -> Self {
        Self(self.0.with().subsec_nanosecond(0).build().unwrap_or(self.0))
    }

    /// Parses a timestamp of a catalogue or an API: `2026-11-21 09:30:04.428845`, `2026-11-21T09:30:04Z`,
    /// `2026-11-21T09:30:04.000000+02:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(Self(moment.to_zoned(TimeZone::UTC).datetime()));
        }
        text.parse::<DateTime>().ok().map(Self)
    }

    /// Parses the value of the HTTP header `Date`, such as `Sat, 28 Nov 2026 09:30:04 GMT`.
    pub fn parse_http(text: &str) -> Option<Self> {
        let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim());
        Some(Self(moment.ok()?.to_zoned(TimeZone::UTC).datetime()))
    }

    /// Returns the time this number of seconds after the beginning of 1970, to the microsecond; None if it
    /// is out of range.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let duration = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
        let microseconds = (duration.as_nanos() + 500).div_euclid(1000);
        let microseconds = i64::try_from(microseconds).ok()?;
        let moment = jiff::Timestamp::from_microsecond(microseconds).ok()?;
        Some(Self(moment.to_zoned(TimeZone::UTC).datetime()))
    }

    /// Returns the time of a file as the system reports it; None before 1970.
    pub fn from_system(time: SystemTime) -> Option<Self> {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        Self::from_seconds(since.as_secs_f64())
    }

    /// Returns the seconds since the beginning of 1970.
    pub fn to_seconds(self) -> f64 {
        let since = self.0.duration_since(Self::EPOCH.0);
        since.as_secs_f64()
    }

    /// Formats the timestamp in ISO 8601 without a zone: `2026-11-21T09:30:04.428845`, without a fraction
    /// if it is zero.
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

    /// Formats the timestamp for a row of the catalogue: `2026-11-21 09:30:04.428845`.
    ///
    /// *Source:* SQLAlchemy's storage format of DATETIME on SQLite; MySQL accepts the same.
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

    /// Formats the timestamp in the time zone of this host, in a format of `strftime`; None for an invalid
    /// format. `%Y-%m-%d %H:%M:%S`: `2026-11-21 10:30:04`.
    pub fn to_local(self, format: &str) -> Option<String> {
        let zoned = self.0.to_zoned(TimeZone::UTC).ok()?;
        let local = zoned.with_time_zone(TimeZone::system());
        jiff::fmt::strtime::format(format, &local).ok()
    }

    /// Returns the milliseconds of its second.
    pub fn milliseconds(self) -> u16 {
        u16::try_from(self.0.subsec_nanosecond() / 1_000_000).unwrap_or_default()
    }

    /// Returns the time between an earlier timestamp and this one.
    pub fn since(self, earlier: Self) -> jiff::SignedDuration {
        self.0.duration_since(earlier.0)
    }

    /// Returns the timestamp plus a duration; None if it is out of range.
    pub fn later(self, by: jiff::SignedDuration) -> Option<Self> {
        self.0.checked_add(by).ok().map(Self)
    }

    /// Returns the timestamp minus a duration; [`Timestamp::EPOCH`] if it is out of range.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        self.0.checked_sub(by).map_or(Self::EPOCH, Self)
    }

    /// Formats the timestamp as Python does: `2026-11-21T09:30:04.428845`, without a fraction if it is
    /// zero.
    ///
    /// *Source:* the rows of an image's tasks, which the reference implementation returns unchanged.
    pub fn to_isoformat(self) -> String {
        let text = self.to_catalog().replace(' ', "T");
        let whole = text.strip_suffix(".000000").map(str::to_string);
        whole.unwrap_or(text)
    }
}

/// Formats the timestamp in the API's form: ISO 8601 in UTC, to the second: `2026-11-21T09:30:04Z`.
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
            .ok_or_else(|| serde::de::Error::custom(format!("invalid timestamp '{text}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_parsed() {
        let parsed = Timestamp::parse_http("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parsed, Timestamp::parse("1994-11-06T08:49:37Z"));
        assert_eq!(Timestamp::parse_http("yesterday"), None);
    }

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
