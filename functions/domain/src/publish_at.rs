//! The option `publish_at`: the earliest time at which a post may be published.
//!
//! It is an instant, or a local time in the account's [`Zone`]. The rules of all time zones are compiled into the
//! program, so that every environment uses the same version of the [IANA time zone
//! database](https://www.iana.org/time-zones).

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::macros::string_conversions;

/// The most characters of an invalid text that an error message quotes.
const MAX_QUOTED_CHARS: usize = 80;

/// A time zone with an IANA name, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// A text that is not the IANA name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time zone; use an IANA name, such as Europe/Berlin or UTC")]
pub struct UnknownZone(String);

impl Zone {
    /// Returns the zone with this IANA name, in any case.
    pub fn new(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(name.chars().take(MAX_QUOTED_CHARS).collect());
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        if zone.iana_name().is_some() { Ok(Self(zone)) } else { Err(unknown()) }
    }

    /// Returns the name in IANA's spelling.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;
    fn try_from(name: String) -> Result<Self, UnknownZone> {
        Self::new(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

/// The earliest time at which a post may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PublishAt {
    /// An instant, written in RFC 3339 with an offset.
    Instant(Timestamp),
    /// A local time in the account's zone, written in RFC 3339 without an offset.
    Local(DateTime),
}

/// A text that is not a valid `publish_at`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a valid time; write 2026-12-24T17:00:00+01:00, or 2026-12-24T17:00:00 for the account's time zone"
)]
pub struct InvalidPublishAt(String);

/// A local time that cannot be converted to an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnresolvedPublishAt {
    /// The account has no time zone.
    #[error(
        "publish_at {0} has no offset, and the account has no time zone: add an offset ({0}+01:00, {0}Z) or set the \
         account's time_zone"
    )]
    MissingZone(DateTime),
    /// The instant is outside the range of timestamps.
    #[error("publish_at {0} is out of range")]
    OutOfRange(DateTime),
}

impl PublishAt {
    /// Returns the instant. A local time is in `zone`, the account's time zone.
    ///
    /// When daylight saving time starts, the clocks skip some local times. A skipped time moves forward by the length
    /// of the gap: 02:30 becomes 03:30. When daylight saving time ends, some local times occur twice. A repeated time
    /// is the first of the two. Both are the [rules of RFC
    /// 5545](https://www.rfc-editor.org/rfc/rfc5545#section-3.3.5).
    ///
    /// # Errors
    /// [`UnresolvedPublishAt`] if a local time has no zone or is out of range. There is no default zone.
    pub fn instant(self, zone: Option<&Zone>) -> Result<Timestamp, UnresolvedPublishAt> {
        match (self, zone) {
            (Self::Instant(at), _) => Ok(at),
            (Self::Local(at), None) => Err(UnresolvedPublishAt::MissingZone(at)),
            (Self::Local(at), Some(Zone(zone))) => {
                zone.to_ambiguous_timestamp(at).compatible().map_err(|_| UnresolvedPublishAt::OutOfRange(at))
            }
        }
    }
}

impl FromStr for PublishAt {
    type Err = InvalidPublishAt;
    fn from_str(text: &str) -> Result<Self, InvalidPublishAt> {
        let text = text.trim();
        // A zone in brackets is rejected: it could contradict the offset.
        if !text.contains('[')
            && let Ok(at) = text.parse()
        {
            return Ok(Self::Instant(at));
        }
        let invalid = || InvalidPublishAt(text.chars().take(MAX_QUOTED_CHARS).collect());
        // Only a date and a time remain valid. The parser for local times would ignore a zone in brackets or an
        // invalid offset, so check the characters first.
        let (date, time) = text.split_once(['T', 't', ' ']).ok_or_else(invalid)?;
        let has_only_digits_and = |separator, part: &str| part.chars().all(|c| c.is_ascii_digit() || c == separator);
        let without_fraction = time.split_once('.').map_or(time, |(before, _)| before);
        if !has_only_digits_and('-', date)
            || !has_only_digits_and(':', without_fraction)
            || !without_fraction.contains(':')
        {
            return Err(invalid());
        }
        text.parse().map(Self::Local).map_err(|_| invalid())
    }
}

impl fmt::Display for PublishAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(at) => at.fmt(f),
            Self::Local(at) => at.fmt(f),
        }
    }
}

string_conversions!(PublishAt);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the instant of a text in a zone.
    fn instant_of(text: &str, zone: &str) -> String {
        let zone = Zone::new(zone).unwrap();
        text.parse::<PublishAt>().unwrap().instant(Some(&zone)).unwrap().to_string()
    }

    #[test]
    fn zone_applies_only_to_times_without_offset() {
        let table = [
            ("2026-12-24T17:00:00", "Europe/Berlin", "2026-12-24T16:00:00Z"),
            ("2026-07-24 17:00", "Europe/Berlin", "2026-07-24T15:00:00Z"),
            ("2026-12-24T17:00:00.5", "Asia/Kathmandu", "2026-12-24T11:15:00.5Z"),
            ("2026-12-24T17:00:00-03:00", "Europe/Berlin", "2026-12-24T20:00:00Z"),
            ("2026-12-24T17:00:00Z", "America/New_York", "2026-12-24T17:00:00Z"),
        ];
        for (text, zone, instant) in table {
            assert_eq!(instant_of(text, zone), instant, "{text} in {zone}");
        }
    }

    #[test]
    fn skipped_time_moves_forward_and_repeated_is_first() {
        assert_eq!(
            instant_of("2026-03-29T02:30:00", "Europe/Berlin"),
            "2026-03-29T01:30:00Z",
            "skipped: 03:30 in summer time"
        );
        assert_eq!(
            instant_of("2026-10-25T02:30:00", "Europe/Berlin"),
            "2026-10-25T00:30:00Z",
            "repeated: still in summer time"
        );
    }

    #[test]
    fn local_time_without_zone_is_error() {
        let at: PublishAt = "2026-12-24T17:00:00".parse().unwrap();
        let error = at.instant(None).unwrap_err().to_string();
        assert!(error.contains("2026-12-24T17:00:00Z") && error.contains("time_zone"), "{error}");
    }

    #[test]
    fn invalid_or_ambiguous_text_is_rejected() {
        let table = [
            "tomorrow",
            "",
            "2026-12-24",
            "17:00",
            "2026-12-24T17",
            "2026-12-24T25:00",
            "2026-02-30T10:00",
            "2026-12-24T17:00[Europe/Berlin]",
            "2026-12-24T17:00:00+05:00[Europe/Berlin]",
            "2026-12-24T17:00:00Z[u-ca=hebrew]",
            "2026-12-24T17:00+1",
            "2026-12-24T17:00 CET",
            "2026-12-24T17:00:00.",
        ];
        for text in table {
            assert_eq!(text.parse::<PublishAt>(), Err(InvalidPublishAt(text.to_owned())));
        }
    }

    #[test]
    fn publish_at_round_trips_as_text() {
        for text in ["2026-12-24T17:00:00", "2026-12-24T16:00:00Z"] {
            let at: PublishAt = text.parse().unwrap();
            assert_eq!(String::from(at), text);
        }
    }

    #[test]
    fn only_iana_names_are_zones() {
        assert_eq!(Zone::new("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::new("UTC").unwrap().name(), "UTC");
        for name in ["", "Berlin", "Mars/Olympus", "+01:00", "Europe/Berlin "] {
            let error = Zone::new(name).unwrap_err();
            assert!(error.to_string().contains("Europe/Berlin"), "{error}");
        }
    }
}
