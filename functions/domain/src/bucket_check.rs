//! The bucket check: a regular search for object versions whose S3 events are late or lost.
//!
//! S3 reports each new object to the intake queue. Such an event can be late or lost, and another tool can overwrite
//! the bucket's notification configuration. So every version under `drop/` and `uploads/` is also looked at by this
//! check, and is submitted as its event would have been, unless it has a post. An event that arrives later finds that
//! post, because the post's id is derived from the version.
//!
//! **Which versions.** A version is checked at an age of more than [`MIN_AGE`], because most events arrive within a
//! minute, and of less than [`MAX_AGE`]. With a check every [`MAX_INTERVAL`] or more often, each version is checked at
//! least twice. S3 reports the start of a multipart upload as the version's time, and the bucket aborts an upload that
//! is open for about two days (`abort-incomplete-uploads` in `template.yaml`). The third day is for such versions.
//!
//! **In steps.** S3 lists versions only in the order of their keys. A large bucket takes many invocations, so the
//! progress is stored after each page of the list. An invocation first claims the check for [`LEASE`]. If it is killed,
//! another one continues at the stored position after that time, not earlier: a page that kills each invocation then
//! leaves invocations in between that process the due posts.

use std::time::Duration;

use jiff::Timestamp;

use crate::drop_key::{DROP_PREFIX, UPLOAD_PREFIX};

/// The age that a version must exceed to be checked.
pub const MIN_AGE: Duration = Duration::from_hours(1);
/// The age from which a version is not checked any more.
pub const MAX_AGE: Duration = Duration::from_hours(72);
/// The longest time from the start of a check to the start of the next one.
pub const MAX_INTERVAL: Duration = Duration::from_hours(24);
/// How long an invocation has a check for itself after each write. It must exceed the timeout of `status` (150 s), so
/// that two invocations never list the same page. It must be shorter than the period of `StatusErrorsAlarm` (300 s), so
/// that a check that fails each time raises that alarm.
pub const LEASE: Duration = Duration::from_mins(3);

/// A part of the bucket that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Dropped videos and sidecars.
    Drops,
    /// Videos that callers of the API upload.
    Uploads,
}

impl Area {
    /// All areas, in the order in which they are checked.
    pub const ALL: [Self; 2] = [Self::Drops, Self::Uploads];

    /// The prefix of the area's keys.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Drops => DROP_PREFIX,
            Self::Uploads => UPLOAD_PREFIX,
        }
    }

    fn next(self) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|area| *area != self).nth(1)
    }
}

/// The last version of a page of S3's list. The next page begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The key of the version, without URL encoding.
    pub key: String,
    /// The version id. Without one, the page contains all versions of the key.
    pub version_id: Option<String>,
}

/// Where a check continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The area.
    pub area: Area,
    /// The last version that was checked; `None` at the start of the area.
    pub after: Option<Marker>,
}

/// How far a check is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Some versions are still to be checked.
    UnderWay {
        /// Where the check continues.
        position: Position,
        /// When an invocation may claim it.
        not_before: Timestamp,
    },
    /// All versions were checked.
    Complete,
}

/// The newest check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketCheck {
    /// When the check began.
    pub begun_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

impl BucketCheck {
    /// Claims the check that is under way, or begins the next one. Returns `None` if there is nothing to do now: the
    /// newest check is complete and the next one is not due, or another invocation has claimed it.
    ///
    /// `newest` is the newest check, if there was one before.
    pub fn claim(newest: Option<Self>, interval: Duration, now: Timestamp) -> Option<Self> {
        match newest {
            Some(Self { begun_at, progress: Progress::UnderWay { position, not_before } }) => {
                let claimed = Self { begun_at, progress: Progress::UnderWay { position, not_before: now + LEASE } };
                Some(claimed).filter(|_| not_before <= now)
            }
            Some(Self { begun_at, progress: Progress::Complete }) if now < begun_at + interval => None,
            Some(_) | None => {
                let position = Position { area: Area::Drops, after: None };
                Some(Self { begun_at: now, progress: Progress::UnderWay { position, not_before: now + LEASE } })
            }
        }
    }

    /// Where the check continues; `None` if it is complete.
    pub fn position(&self) -> Option<&Position> {
        match &self.progress {
            Progress::UnderWay { position, .. } => Some(position),
            Progress::Complete => None,
        }
    }

    /// Moves the position behind the page that begins at it, and renews the lease. `last` is the page's last version if
    /// the area has more pages.
    #[must_use]
    pub fn advance(self, last: Option<Marker>, now: Timestamp) -> Self {
        let Progress::UnderWay { position, .. } = self.progress else { return self };
        let position = match last {
            Some(last) => Some(Position { area: position.area, after: Some(last) }),
            None => position.area.next().map(|area| Position { area, after: None }),
        };
        let under_way = |position| Progress::UnderWay { position, not_before: now + LEASE };
        Self { progress: position.map_or(Progress::Complete, under_way), ..self }
    }

    /// Ends the lease, so that the next invocation continues at once.
    #[must_use]
    pub fn release(self, now: Timestamp) -> Self {
        match self.progress {
            Progress::UnderWay { position, .. } => {
                Self { progress: Progress::UnderWay { position, not_before: now }, ..self }
            }
            Progress::Complete => self,
        }
    }
}

/// Tells whether a version that was created at this time is checked now.
pub fn is_checked(created_at: Timestamp, now: Timestamp) -> bool {
    created_at + MIN_AGE < now && now < created_at + MAX_AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn after_minutes(minutes: u64) -> Timestamp {
        start() + Duration::from_mins(minutes)
    }

    fn first() -> BucketCheck {
        BucketCheck::claim(None, MAX_INTERVAL, start()).unwrap()
    }

    fn complete() -> BucketCheck {
        first().advance(None, start()).advance(None, start())
    }

    fn marker(key: &str) -> Marker {
        Marker { key: key.to_owned(), version_id: Some("1".to_owned()) }
    }

    #[test]
    fn check_goes_through_both_areas_page_by_page() {
        let check = first();
        assert_eq!(check.position(), Some(&Position { area: Area::Drops, after: None }));
        let check = check.advance(Some(marker("drop/a.mp4")), start());
        assert_eq!(check.position(), Some(&Position { area: Area::Drops, after: Some(marker("drop/a.mp4")) }));
        let check = check.advance(None, start());
        assert_eq!(check.position(), Some(&Position { area: Area::Uploads, after: None }));
        assert_eq!(check.advance(None, start()).progress, Progress::Complete);
    }

    #[test]
    fn claimed_check_is_claimed_again_after_its_lease() {
        let claimed = first().advance(Some(marker("drop/a.mp4")), start());
        let position = claimed.position().cloned();
        assert_eq!(BucketCheck::claim(Some(claimed.clone()), MAX_INTERVAL, after_minutes(2)), None);
        let again = BucketCheck::claim(Some(claimed), MAX_INTERVAL, after_minutes(3)).unwrap();
        assert_eq!((again.position().cloned(), again.begun_at), (position, start()));
        assert_eq!(BucketCheck::claim(Some(again), MAX_INTERVAL, after_minutes(5)), None, "it has a new lease");
    }

    #[test]
    fn released_check_is_claimed_at_once() {
        let released = first().advance(Some(marker("drop/a.mp4")), start()).release(start());
        let position = released.position().cloned();
        let claimed = BucketCheck::claim(Some(released), MAX_INTERVAL, start()).unwrap();
        assert_eq!(claimed.position().cloned(), position);
    }

    #[test]
    fn next_check_begins_after_interval_from_the_start() {
        let hour = Duration::from_hours(1);
        assert_eq!(BucketCheck::claim(Some(complete()), hour, after_minutes(59)), None);
        let next = BucketCheck::claim(Some(complete()), hour, after_minutes(60)).unwrap();
        assert_eq!((next.begun_at, next.position().cloned()), (after_minutes(60), first().position().cloned()));
        assert_eq!(complete().release(start()), complete());
    }

    #[test]
    fn every_version_is_checked_at_least_twice() {
        for created in 0..MAX_INTERVAL.as_secs() / 60 {
            let checks = (1..10).map(|number| start() + MAX_INTERVAL * number);
            let checked = checks.filter(|now| is_checked(after_minutes(created), *now)).count();
            assert!((2..=3).contains(&checked), "created after {created} minutes: {checked} checks");
        }
    }

    #[test]
    fn version_is_checked_between_one_hour_and_three_days() {
        let hours = |hours| start() + Duration::from_hours(hours);
        let checked: Vec<_> = [0, 1, 2, 71, 72, 100].map(|age| is_checked(start(), hours(age))).into();
        assert_eq!(checked, [false, false, true, true, false, false]);
    }
}
