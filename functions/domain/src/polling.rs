//! When the poller asks TikTok about a publish again.

use std::time::Duration;

use jiff::Timestamp;

/// The minimum interval between two polls of a publish.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// The maximum interval while TikTok processes a publish.
const MAX_INTERVAL: Duration = Duration::from_hours(2);
/// The maximum interval while only a link is missing.
const MAX_LINK_INTERVAL: Duration = Duration::from_hours(6);
/// How long the poller waits for a link, or for the creator to post a draft.
const LINK_TIMEOUT: Duration = Duration::from_hours(7 * 24);

/// When to poll a publish that TikTok processes. `since` is when the worker ended the upload.
///
/// The interval is a quarter of the publish's age, from 5 seconds to 2 hours: 15 seconds after a minute, half an hour
/// after two hours. There is no timeout: after one, a video that TikTok publishes late would not be noticed.
pub fn next_poll(since: Timestamp, now: Timestamp) -> Timestamp {
    now + (elapsed(since, now) / 4).clamp(MIN_INTERVAL, MAX_INTERVAL)
}

/// When to poll for the link of a published video, or for the end of a delivered draft; `None` after a week.
pub fn next_link_poll(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = elapsed(since, now);
    (age < LINK_TIMEOUT).then(|| now + (age / 4).clamp(MIN_INTERVAL, MAX_LINK_INTERVAL))
}

/// Returns the time from `since` to `now`, or zero if `now` is earlier.
pub(crate) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval_at_age(seconds: i64) -> i64 {
        let since = Timestamp::UNIX_EPOCH;
        let now = since + Duration::from_secs(seconds.unsigned_abs());
        next_poll(since, now).duration_since(now).as_secs()
    }

    #[test]
    fn interval_grows_with_age_up_to_two_hours() {
        assert_eq!([0, 20, 60, 3600, 86_400, 8_640_000].map(interval_at_age), [5, 5, 15, 900, 7200, 7200]);
    }

    #[test]
    fn clock_that_went_back_gives_minimum_interval() {
        let since = Timestamp::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(next_poll(since, Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH + MIN_INTERVAL);
    }

    #[test]
    fn link_is_polled_for_a_week() {
        let since = Timestamp::UNIX_EPOCH;
        assert!(next_link_poll(since, since + Duration::from_hours(6 * 24)).is_some());
        assert_eq!(next_link_poll(since, since + Duration::from_hours(7 * 24)), None);
    }

    #[test]
    fn day_of_polling_stays_far_below_tiktoks_limit() {
        // TikTok accepts 30 status requests per minute and account.
        let (since, mut now, mut polls) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, 0);
        while now < since + Duration::from_hours(24) {
            now = next_poll(since, now);
            polls += 1;
        }
        assert!(polls < 60, "{polls}");
    }
}
