//! When TikTok is asked next about a publish.

use std::time::Duration;

use jiff::Timestamp;

/// The shortest wait between two questions.
const SOONEST: Duration = Duration::from_secs(5);
/// The longest wait while TikTok works on a publish.
const LATEST: Duration = Duration::from_hours(2);
/// The longest wait while only a link is missing.
const LATEST_LINK: Duration = Duration::from_hours(6);
/// How long a link, or a draft's end, is looked out for.
const LINK_PATIENCE: Duration = Duration::from_hours(7 * 24);

/// When to ask again about a publish that TikTok works on.
///
/// The wait grows with the age, a quarter of it, so that a minute-old upload
/// is asked about every quarter of a minute, one of two hours twice an hour,
/// and one of a day every two hours. It never ends by itself: while TikTok may
/// still publish, somebody looks.
#[must_use]
pub fn next_poll(since: Timestamp, now: Timestamp) -> Timestamp {
    now + (age(since, now) / 4).clamp(SOONEST, LATEST)
}

/// When to look again for the link of a published video, or the end of a
/// delivered draft; never, once it has had a week.
#[must_use]
pub fn next_look(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = age(since, now);
    (age < LINK_PATIENCE).then(|| now + (age / 4).clamp(SOONEST, LATEST_LINK))
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_at_age(seconds: i64) -> i64 {
        let since = Timestamp::UNIX_EPOCH;
        let now = since + Duration::from_secs(seconds.unsigned_abs());
        next_poll(since, now).duration_since(now).as_secs()
    }

    #[test]
    fn the_wait_grows_with_the_age_and_is_bounded() {
        assert_eq!([0, 20, 60, 3600, 86_400, 8_640_000].map(wait_at_age), [5, 5, 15, 900, 7200, 7200]);
    }

    #[test]
    fn a_clock_that_went_back_does_no_harm() {
        let since = Timestamp::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(next_poll(since, Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH + SOONEST);
    }

    #[test]
    fn a_link_is_not_looked_for_for_ever() {
        let since = Timestamp::UNIX_EPOCH;
        assert!(next_look(since, since + Duration::from_hours(6 * 24)).is_some());
        assert_eq!(next_look(since, since + Duration::from_hours(7 * 24)), None);
    }

    #[test]
    fn a_day_of_polling_stays_far_below_tiktoks_limit() {
        let (since, mut now, mut polls) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, 0);
        while now < since + Duration::from_hours(24) {
            now = next_poll(since, now);
            polls += 1;
        }
        assert!(polls < 60, "{polls}");
    }
}
