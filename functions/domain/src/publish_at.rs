//! When a post is to go out: at an instant, or when the clocks of the account's
//! time zone show a time.
//!
//! A time without an offset means nothing by itself; which instant it is, its
//! account's [`Zone`] says. The rules of all zones are part of the program, so
//! that they are the same wherever it runs, and are those of its version of the
//! IANA database: <https://www.iana.org/time-zones>

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// A time zone by its IANA name (`Europe/Berlin`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone; name one as IANA does, such as Europe/Berlin or UTC")]
pub struct UnknownZone(String);

impl Zone {
    /// Takes a zone by its name, in any case.
    pub fn new(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(name.chars().take(80).collect());
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        if zone.iana_name().is_some() { Ok(Self(zone)) } else { Err(unknown()) }
    }

    /// The zone's name, as IANA writes it.
    #[must_use]
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

/// Not before this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PublishAt {
    /// An instant: RFC 3339, with an offset.
    Instant(Timestamp),
    /// What the clocks of the account's zone show: RFC 3339 without an offset.
    Local(DateTime),
}

/// A text that is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no time; write 2026-12-24T17:00:00+01:00, or 2026-12-24T17:00:00 for the clocks of the account's time zone"
)]
pub struct NotATime(String);

/// A time that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoInstant {
    /// It has no offset, and its account no time zone.
    #[error(
        "publish_at {0} has no offset, and the account has no time zone: write it with one ({0}+01:00, {0}Z), or set \
         the account's time_zone"
    )]
    WithoutZone(DateTime),
    /// It is too far from now to be counted.
    #[error("publish_at {0} is out of range")]
    OutOfRange(DateTime),
}

impl PublishAt {
    /// The instant that is meant.
    ///
    /// Where clocks are set forward, a time that is skipped is as much later as
    /// they jump: 02:30 is 03:30. Where they are set back, a time that comes twice
    /// is the first of the two. It is the rule of calendars:
    /// <https://www.rfc-editor.org/rfc/rfc5545#section-3.3.5>
    ///
    /// # Errors
    /// There is no zone to read it in; none is guessed.
    pub fn instant(self, zone: Option<&Zone>) -> Result<Timestamp, NoInstant> {
        match (self, zone) {
            (Self::Instant(at), _) => Ok(at),
            (Self::Local(at), None) => Err(NoInstant::WithoutZone(at)),
            (Self::Local(at), Some(Zone(zone))) => {
                zone.to_ambiguous_timestamp(at).compatible().map_err(|_| NoInstant::OutOfRange(at))
            }
        }
    }
}

impl FromStr for PublishAt {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        // An offset and a zone in brackets may contradict each other.
        if !text.contains('[')
            && let Ok(at) = text.parse()
        {
            return Ok(Self::Instant(at));
        }
        let not_a_time = || NotATime(text.chars().take(80).collect());
        // What is left is a date and a time and nothing else: no offset that is
        // not understood, and no zone in brackets, is passed over.
        let (date, time) = text.split_once(['T', 't', ' ']).ok_or_else(not_a_time)?;
        let plain = |part: &str, mark| part.chars().all(|c| c.is_ascii_digit() || c == mark);
        let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
        if !plain(date, '-') || !plain(whole, ':') || !whole.contains(':') {
            return Err(not_a_time());
        }
        text.parse().map(Self::Local).map_err(|_| not_a_time())
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

impl TryFrom<String> for PublishAt {
    type Error = NotATime;
    fn try_from(text: String) -> Result<Self, NotATime> {
        text.parse()
    }
}

impl From<PublishAt> for String {
    fn from(at: PublishAt) -> Self {
        at.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: &str) -> String {
        let zone = Zone::new(zone).unwrap();
        text.parse::<PublishAt>().unwrap().instant(Some(&zone)).unwrap().to_string()
    }

    #[test]
    fn a_time_without_an_offset_is_read_in_the_zone_and_one_with_an_offset_is_not() {
        let table = [
            ("2026-12-24T17:00:00", "Europe/Berlin", "2026-12-24T16:00:00Z"),
            ("2026-07-24 17:00", "Europe/Berlin", "2026-07-24T15:00:00Z"),
            ("2026-12-24T17:00:00.5", "Asia/Kathmandu", "2026-12-24T11:15:00.5Z"),
            ("2026-12-24T17:00:00-03:00", "Europe/Berlin", "2026-12-24T20:00:00Z"),
            ("2026-12-24T17:00:00Z", "America/New_York", "2026-12-24T17:00:00Z"),
        ];
        for (text, zone, instant) in table {
            assert_eq!(read(text, zone), instant, "{text} in {zone}");
        }
    }

    #[test]
    fn a_skipped_time_is_later_by_the_jump_and_of_a_repeated_one_the_first_counts() {
        assert_eq!(read("2026-03-29T02:30:00", "Europe/Berlin"), "2026-03-29T01:30:00Z", "03:30 in summer time");
        assert_eq!(read("2026-10-25T02:30:00", "Europe/Berlin"), "2026-10-25T00:30:00Z", "still in summer time");
    }

    #[test]
    fn no_zone_is_guessed() {
        let at: PublishAt = "2026-12-24T17:00:00".parse().unwrap();
        let error = at.instant(None).unwrap_err().to_string();
        assert!(error.contains("2026-12-24T17:00:00Z") && error.contains("time_zone"), "{error}");
    }

    #[test]
    fn what_is_no_time_is_refused_and_nothing_of_it_passed_over() {
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
            assert_eq!(text.parse::<PublishAt>(), Err(NotATime(text.to_owned())));
        }
    }

    #[test]
    fn a_time_comes_back_as_it_was_written() {
        for text in ["2026-12-24T17:00:00", "2026-12-24T16:00:00Z"] {
            let at: PublishAt = text.parse().unwrap();
            assert_eq!(String::from(at), text);
        }
    }

    #[test]
    fn a_zone_is_known_by_its_name_alone() {
        assert_eq!(Zone::new("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::new("UTC").unwrap().name(), "UTC");
        for name in ["", "Berlin", "Mars/Olympus", "+01:00", "Europe/Berlin "] {
            let error = Zone::new(name).unwrap_err();
            assert!(error.to_string().contains("Europe/Berlin"), "{error}");
        }
    }
}
