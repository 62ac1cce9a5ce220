//! Properties of the counters, over random histories.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::identity::{Alias, PostId};
use crate::options::Mode;
use crate::source::ObjectVersion;

const MINUTE: Duration = Duration::from_mins(1);
const A_DAY: Duration = Duration::from_hours(24);

fn at(ms: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_millis(ms)
}

fn post(n: usize) -> PostId {
    PostId::of_object("intake", "drop/anna/clip.mp4", &ObjectVersion::Id(n.to_string()))
}

fn alias(name: &str) -> Alias {
    Alias::new(name).unwrap()
}

fn behind(posts: usize) -> QueuePosition {
    QueuePosition { posts, head_not_before: None }
}

/// The maximum number of times within any window that begins at one of them.
fn most_within(window: Duration, times: &[Timestamp]) -> usize {
    let within = |begin: Timestamp| times.iter().filter(|&&time| time >= begin && time < begin + window).count();
    times.iter().map(|&begin| within(begin)).max().unwrap_or(0)
}

fn limits(posts_per_day: u32) -> QuotaLimits {
    QuotaLimits::of(Mode::Direct, posts_per_day)
}

/// Runs a queue of posts, each of which tries at the time that it was deferred to, until all have begun. Returns when
/// each began, and the number of tries.
fn drive(queue: usize, posts_per_day: u32, mut quota: UploadQuota) -> (Vec<(usize, Timestamp)>, usize) {
    let mut deferred: Vec<(Timestamp, usize)> = (0..queue).map(|n| (at(0), n)).collect();
    let (mut begun, mut tries) = (Vec::new(), 0);
    while let Some(next) = deferred.iter().min().copied() {
        deferred.retain(|it| *it != next);
        let (now, n) = next;
        let ahead = deferred.iter().filter(|(_, other)| *other < n).count();
        let head_not_before = deferred.iter().filter(|(_, other)| *other < n).min_by_key(|it| it.1).map(|it| it.0);
        tries += 1;
        assert!(tries < 1000 + queue * 20, "the posts try without end");
        match quota.check(limits(posts_per_day), QueuePosition { posts: ahead, head_not_before }, now) {
            Ok(()) => {
                quota = quota.reserve(post(n), now);
                begun.push((n, now));
            }
            Err(wait) => {
                assert!(wait.until > now, "{wait:?} at {now}");
                deferred.push((wait.until, n));
            }
        }
    }
    (begun, tries)
}

proptest! {
    #[test]
    fn no_sliding_minute_has_more_calls_than_limit(
        gaps in prop::collection::vec(0u64..30_000, 1..400), limit in 1usize..31
    ) {
        let (mut minute, mut now, mut made) = (SlidingWindow::default(), 0, Vec::new());
        for gap in gaps {
            now += gap;
            minute = match minute.try_record(limit, at(now)) {
                Ok(recorded) => { made.push(at(now)); recorded }
                Err((counted, _)) => counted,
            };
            prop_assert!(minute.calls.len() <= limit);
        }
        prop_assert!(most_within(MINUTE, &made) <= limit);
    }

    #[test]
    fn call_is_refused_only_while_window_is_full(gaps in prop::collection::vec(0u64..30_000, 1..200)) {
        let (mut minute, mut now, mut made) = (SlidingWindow::default(), 0, Vec::new());
        for gap in gaps {
            now += gap;
            minute = match minute.try_record(6, at(now)) {
                Ok(recorded) => { made.push(now); recorded }
                Err((counted, retry_at)) => {
                    // A call is in the window for 65 s.
                    let recent = made.iter().filter(|&&call| call + 65_000 > now).count();
                    prop_assert!(recent == 6 && retry_at > at(now), "{recent} calls, retry at {}", retry_at);
                    counted
                }
            };
        }
    }

    #[test]
    fn queue_begins_in_order_within_limits_in_few_tries(
        queue in 1usize..80, posts_per_day in 1u32..20, before in prop::collection::vec(0u64..80_000_000, 0..20)
    ) {
        let mut past: Vec<u64> = before;
        past.sort_unstable();
        let earlier = |ms: u64| Timestamp::UNIX_EPOCH - Duration::from_millis(80_000_000 - ms);
        let mut quota = UploadQuota::default();
        let mut times = Vec::new();
        for (n, &ms) in past.iter().enumerate() {
            if quota.check(limits(posts_per_day), QueuePosition::default(), earlier(ms)).is_ok() {
                quota = quota.reserve(post(1000 + n), earlier(ms));
                times.push(earlier(ms));
            }
        }
        let (begun, tries) = drive(queue, posts_per_day, quota);
        prop_assert!(begun.iter().map(|(n, _)| *n).eq(0..queue), "in the order of the drops");
        times.extend(begun.iter().map(|(_, time)| *time));
        prop_assert!(most_within(MINUTE, &times) <= 6);
        prop_assert!(most_within(A_DAY, &times) <= usize::try_from(posts_per_day).unwrap());
        prop_assert!(tries <= 3 * queue, "{tries} tries for {queue} posts");
        let days = (queue + times.len()).div_ceil(usize::try_from(posts_per_day).unwrap()) as u64 + 1;
        let last = begun.last().unwrap().1;
        prop_assert!(last < at(0) + (A_DAY + Duration::from_mins(10)) * u32::try_from(days).unwrap(), "the last at {}", last);
    }
}

#[test]
fn unused_quota_lets_upload_begin() {
    assert_eq!(UploadQuota::default().check(limits(15), QueuePosition::default(), at(0)), Ok(()));
}

#[test]
fn seventh_upload_of_minute_waits_for_minute() {
    let quota = (0..6).fold(UploadQuota::default(), |quota, n| quota.reserve(post(n), at(0)));
    let wait = quota.check(limits(15), QueuePosition::default(), at(1000)).unwrap_err();
    assert_eq!((wait.reason, wait.until), (Reason::UploadsPerMinute, at(65_000)));
    assert!(wait.message.contains("6 uploads"), "{}", wait.message);
    assert_eq!(quota.check(limits(15), QueuePosition::default(), at(65_000)), Ok(()));
}

#[test]
fn sixteenth_post_of_day_waits_for_first_to_lapse() {
    let quota = (0..15).fold(UploadQuota::default(), |quota, n| quota.reserve(post(n), at(n as u64 * 100_000)));
    let wait = quota.check(limits(15), behind(1), at(2_000_000)).unwrap_err();
    assert_eq!(wait.reason, Reason::PostsPerDay);
    assert_eq!(wait.until, at(100_000) + A_DAY + MINUTE, "one post is before it, so the second reservation must lapse");
    let deferred = QueuePosition { posts: 1, head_not_before: Some(at(100_000) + A_DAY) };
    assert_eq!(
        quota.check(limits(15), deferred, at(2_000_000)).unwrap_err().reason,
        Reason::PostsPerDay,
        "also if the post before it is deferred"
    );
    assert!(wait.message.contains("15 times") && wait.message.contains("1 video"), "{}", wait.message);
}

#[test]
fn post_far_behind_waits_for_posts_per_day() {
    // With the reservation it is the 200th post, and 13 days have room for 195.
    let quota = UploadQuota::default().reserve(post(1), at(0));
    for head_not_before in [None, Some(at(5000))] {
        let wait = quota.check(limits(15), QueuePosition { posts: 198, head_not_before }, at(1000)).unwrap_err();
        assert_eq!(wait.reason, Reason::PostsPerDay, "{wait:?}");
        assert!((at(0) + A_DAY * 13..at(0) + A_DAY * 14).contains(&wait.until), "{wait:?}");
    }
}

#[test]
fn post_behind_another_waits_although_quota_has_room() {
    let wait = UploadQuota::default().check(limits(15), behind(2), at(0)).unwrap_err();
    assert_eq!((wait.reason, wait.until), (Reason::QueuedBehind, at(20_000)), "10 s for each post before it");
    let head = QueuePosition { posts: 1, head_not_before: Some(at(90_000)) };
    assert_eq!(UploadQuota::default().check(limits(15), head, at(0)).unwrap_err().until, at(100_000));
}

#[test]
fn released_reservation_frees_place_but_not_call() {
    let quota = (0..5).fold(UploadQuota::default(), |quota, n| quota.reserve(post(n), at(0)));
    let drafts = QuotaLimits::of(Mode::Draft, 15);
    assert_eq!(quota.check(drafts, QueuePosition::default(), at(1)).unwrap_err().reason, Reason::DraftsPending);
    let quota = quota.release(&post(3)).unwrap();
    assert_eq!(quota.check(drafts, QueuePosition::default(), at(1)), Ok(()));
    let quota = quota.reserve(post(9), at(1)).release(&post(9)).unwrap();
    assert_eq!(quota.check(drafts, QueuePosition::default(), at(2)).unwrap_err().reason, Reason::UploadsPerMinute);
    assert_eq!(quota.release(&post(9)), None);
}

#[test]
fn repeated_init_of_a_post_keeps_one_reservation() {
    let drafts = QuotaLimits::of(Mode::Draft, 15);
    // Five posts whose inits had no answer, and that try again a minute apart, for half an hour.
    let mut quota = UploadQuota::default();
    for minute in 0..30 {
        let (n, now) = (minute % 5, at(minute as u64 * 60_000));
        assert_eq!(quota.clone().without(&post(n)).check(drafts, QueuePosition::default(), now), Ok(()), "{minute}");
        quota = quota.reserve(post(n), now);
        assert!(quota.reservations.len() <= 5, "{quota:?}");
    }
    let other = quota.clone().without(&post(9)).check(drafts, QueuePosition::default(), at(30 * 60_000));
    assert_eq!(other.unwrap_err().reason, Reason::DraftsPending, "a sixth draft could exceed TikTok's limit");
}

#[test]
fn longer_cooldown_applies() {
    let pause =
        |until, code: &str| Cooldown { until: at(until), reason: Reason::parse(code), message: "full".to_owned() };
    let quota = UploadQuota::default().pause(pause(9000, "spam_risk_too_many_posts")).pause(pause(5000, "other"));
    let wait = quota.check(limits(15), QueuePosition::default(), at(0)).unwrap_err();
    assert_eq!((wait.reason.code(), wait.until), ("spam_risk_too_many_posts", at(9000)));
    assert_eq!(quota.check(limits(15), QueuePosition::default(), at(9000)), Ok(()));
}

#[test]
fn refused_call_blocks_for_more_than_a_minute() {
    let minute = SlidingWindow::default().block(at(0), MINUTE);
    let (_, retry_at) = minute.clone().try_record(30, at(59_000)).unwrap_err();
    assert!(retry_at > at(60_000));
    assert!(minute.try_record(30, retry_at).is_ok());
}

#[test]
fn callers_of_full_window_get_different_retry_times() {
    let mut minute = (0..30).fold(SlidingWindow::default(), |minute, _| minute.try_record(30, at(0)).unwrap());
    let mut retries = Vec::new();
    for _ in 0..60 {
        let (counted, retry_at) = minute.try_record(30, at(1000)).unwrap_err();
        retries.push(retry_at);
        minute = counted;
    }
    assert!(retries.is_sorted());
    assert!(most_within(MINUTE, &retries) <= 30, "{retries:?}");
}

#[test]
fn post_with_recent_reservation_is_recognized() {
    let quota = UploadQuota::default().reserve(post(1), at(0));
    assert!(quota.has_reserved(&post(1), at(1000)) && !quota.has_reserved(&post(2), at(1000)));
    assert!(!quota.has_reserved(&post(1), at(1_000_000)), "it may be queued again");
}

#[test]
fn sixth_user_of_five_waits_for_first_to_lapse() {
    let limit = NonZeroU32::new(5);
    let mut users = PostingUsers::default();
    for (n, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        match users.admit(&alias(name), Posted::NotToday, limit, at(n as u64)).unwrap() {
            Admitted::Changed(changed) => users = changed,
            Admitted::Unchanged => unreachable!("{name} is new"),
        }
    }
    assert_eq!(users.admit(&alias("c"), Posted::Today, limit, at(10)), Ok(Admitted::Unchanged));
    let wait = users.admit(&alias("f"), Posted::NotToday, limit, at(10)).unwrap_err();
    assert_eq!(wait.reason, Reason::PostingUsersPerDay);
    assert!(wait.until >= at(0) + A_DAY && users.admit(&alias("f"), Posted::NotToday, limit, wait.until).is_ok());
}

#[test]
fn user_whose_upload_created_nothing_frees_place() {
    let one = NonZeroU32::new(1);
    let Ok(Admitted::Changed(users)) = PostingUsers::default().admit(&alias("a"), Posted::NotToday, one, at(0)) else {
        panic!("a is new");
    };
    assert!(users.admit(&alias("b"), Posted::NotToday, one, at(1)).is_err());
    let users = users.remove(&alias("a")).unwrap();
    assert!(users.admit(&alias("b"), Posted::NotToday, one, at(1)).is_ok());
    assert_eq!(users.remove(&alias("a")), None);
}

#[test]
fn active_user_is_stored_once_per_hour_and_never_lapses() {
    let (limit, anna) = (NonZeroU32::new(5), alias("anna"));
    let (mut users, mut writes) = (PostingUsers::default(), 0);
    for minute in 0..600 {
        let now = at(minute * 60_000);
        if let Admitted::Changed(changed) = users.admit(&anna, Posted::Today, limit, now).unwrap() {
            users = changed;
            writes += 1;
        }
        assert!(users.until[&anna] > now + A_DAY);
    }
    assert!(writes <= 11, "{writes} writes in ten hours");
}

#[test]
fn block_of_users_stops_only_new_users() {
    let users = PostingUsers::default().block_until(at(9000));
    assert_eq!(users.admit(&alias("a"), Posted::Today, None, at(0)), Ok(Admitted::Unchanged));
    assert_eq!(users.admit(&alias("b"), Posted::NotToday, None, at(0)).unwrap_err().until, at(9000));
    assert_eq!(users.admit(&alias("b"), Posted::NotToday, None, at(9000)), Ok(Admitted::Unchanged));
}
