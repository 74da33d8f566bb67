//! Moments in time, as the catalogue and the API write them.

use std::fmt;

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

    /// Reads what a catalogue or an API holds: `2026-11-21 09:30:04.428845`,
    /// `2026-11-21T09:30:04Z`, `2026-11-21T09:30:04.000000+02:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(Self(moment.to_zoned(TimeZone::UTC).datetime()));
        }
        text.parse::<DateTime>().ok().map(Self)
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

    /// How much later this moment is than another one.
    pub fn since(self, earlier: Self) -> jiff::SignedDuration {
        self.0.duration_since(earlier.0)
    }

    /// The moment so much later; None beyond the calendar's end.
    pub fn later(self, by: jiff::SignedDuration) -> Option<Self> {
        self.0.checked_add(by).ok().map(Self)
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
    fn now_has_whole_microseconds() {
        let now = Timestamp::now();
        assert_eq!(Timestamp::parse(&now.to_catalog()), Some(now));
    }
}
