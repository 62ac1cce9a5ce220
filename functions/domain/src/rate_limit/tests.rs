//! What the books promise, over random histories.

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
    QueuePosition { posts, head_sleeps_until: None }
}

/// The most that happened within any window that begins with one of them.
fn most_within(window: Duration, times: &[Timestamp]) -> usize {
    let within = |begin: Timestamp| times.iter().filter(|&&time| time >= begin && time < begin + window).count();
    times.iter().map(|&begin| within(begin)).max().unwrap_or(0)
}

fn limits(posts_per_day: u32) -> QuotaLimits {
    QuotaLimits::of(Mode::Direct, posts_per_day)
}

/// Posts of a line, each trying when it was told to, until all have gone: when
/// each went, and how often they tried in all.
fn drive(line: usize, posts_per_day: u32, mut turns: UploadQuota) -> (Vec<(usize, Timestamp)>, usize) {
    let mut sleeping: Vec<(Timestamp, usize)> = (0..line).map(|n| (at(0), n)).collect();
    let (mut gone, mut tries) = (Vec::new(), 0);
    while let Some(next) = sleeping.iter().min().copied() {
        sleeping.retain(|it| *it != next);
        let (now, n) = next;
        let ahead = sleeping.iter().filter(|(_, other)| *other < n).count();
        let head_sleeps_until = sleeping.iter().filter(|(_, other)| *other < n).min_by_key(|it| it.1).map(|it| it.0);
        tries += 1;
        assert!(tries < 1000 + line * 20, "they knock for ever");
        match turns.place(limits(posts_per_day), QueuePosition { posts: ahead, head_sleeps_until }, now) {
            Ok(()) => {
                turns = turns.take(post(n), now);
                gone.push((n, now));
            }
            Err(wait) => {
                assert!(wait.until > now, "{wait:?} at {now}");
                sleeping.push((wait.until, n));
            }
        }
    }
    (gone, tries)
}

proptest! {
    #[test]
    fn no_sliding_minute_ever_has_more_calls_than_tiktok_takes(
        gaps in prop::collection::vec(0u64..30_000, 1..400), most in 1usize..31
    ) {
        let (mut minute, mut now, mut made) = (SlidingWindow::default(), 0, Vec::new());
        for gap in gaps {
            now += gap;
            minute = match minute.take(most, at(now)) {
                Ok(taken) => { made.push(at(now)); taken }
                Err((booked, _)) => booked,
            };
            prop_assert!(minute.calls.len() <= most);
        }
        prop_assert!(most_within(MINUTE, &made) <= most);
    }

    #[test]
    fn a_call_is_refused_only_while_the_window_is_full(gaps in prop::collection::vec(0u64..30_000, 1..200)) {
        let (mut minute, mut now, mut made) = (SlidingWindow::default(), 0, Vec::new());
        for gap in gaps {
            now += gap;
            minute = match minute.take(6, at(now)) {
                Ok(taken) => { made.push(now); taken }
                Err((booked, again)) => {
                    let recent = made.iter().filter(|&&call| call + 65_000 > now).count();
                    prop_assert!(recent == 6 && again > at(now), "{recent} calls, again at {}", again);
                    booked
                }
            };
        }
    }

    #[test]
    fn a_line_goes_in_order_within_every_limit_and_nobody_knocks_for_ever(
        line in 1usize..80, posts_per_day in 1u32..20, before in prop::collection::vec(0u64..80_000_000, 0..20)
    ) {
        let mut past: Vec<u64> = before;
        past.sort_unstable();
        let earlier = |ms: u64| Timestamp::UNIX_EPOCH - Duration::from_millis(80_000_000 - ms);
        let mut turns = UploadQuota::default();
        let mut times = Vec::new();
        for (n, &ms) in past.iter().enumerate() {
            if turns.place(limits(posts_per_day), QueuePosition::default(), earlier(ms)).is_ok() {
                turns = turns.take(post(1000 + n), earlier(ms));
                times.push(earlier(ms));
            }
        }
        let (gone, tries) = drive(line, posts_per_day, turns);
        prop_assert!(gone.iter().map(|(n, _)| *n).eq(0..line), "in the order dropped");
        times.extend(gone.iter().map(|(_, time)| *time));
        prop_assert!(most_within(MINUTE, &times) <= 6);
        prop_assert!(most_within(A_DAY, &times) <= usize::try_from(posts_per_day).unwrap());
        prop_assert!(tries <= 3 * line, "{tries} tries for {line} posts");
        let days = (line + times.len()).div_ceil(usize::try_from(posts_per_day).unwrap()) as u64 + 1;
        let last = gone.last().unwrap().1;
        prop_assert!(last < at(0) + (A_DAY + Duration::from_mins(10)) * u32::try_from(days).unwrap(), "the last at {}", last);
    }
}

#[test]
fn an_account_at_rest_goes_at_once() {
    assert_eq!(UploadQuota::default().place(limits(15), QueuePosition::default(), at(0)), Ok(()));
}

#[test]
fn the_seventh_of_a_minute_waits_and_says_for_what() {
    let turns = (0..6).fold(UploadQuota::default(), |turns, n| turns.take(post(n), at(0)));
    let wait = turns.place(limits(15), QueuePosition::default(), at(1000)).unwrap_err();
    assert_eq!((wait.code.as_str(), wait.until), (UPLOADS, at(65_000)));
    assert!(wait.message.contains("6 uploads"), "{}", wait.message);
    assert_eq!(turns.place(limits(15), QueuePosition::default(), at(65_000)), Ok(()));
}

#[test]
fn the_sixteenth_of_a_day_waits_for_the_day_of_the_first() {
    let turns = (0..15).fold(UploadQuota::default(), |turns, n| turns.take(post(n), at(n as u64 * 100_000)));
    let wait = turns.place(limits(15), behind(1), at(2_000_000)).unwrap_err();
    assert_eq!(wait.code, POSTS);
    assert_eq!(wait.until, at(100_000) + A_DAY + MINUTE, "behind one other, it is the second that must lapse");
    let asleep = QueuePosition { posts: 1, head_sleeps_until: Some(at(100_000) + A_DAY) };
    assert_eq!(turns.place(limits(15), asleep, at(2_000_000)).unwrap_err().code, POSTS, "whoever sleeps before it");
    assert!(wait.message.contains("15 times") && wait.message.contains("1 video"), "{}", wait.message);
}

#[test]
fn who_stands_far_behind_is_told_the_day_and_that_it_is_the_days_that_are_full() {
    let turns = UploadQuota::default().take(post(1), at(0));
    for head_sleeps_until in [None, Some(at(5000))] {
        let wait = turns.place(limits(15), QueuePosition { posts: 198, head_sleeps_until }, at(1000)).unwrap_err();
        assert_eq!(wait.code, POSTS, "{wait:?}");
        assert!((at(0) + A_DAY * 13..at(0) + A_DAY * 14).contains(&wait.until), "{wait:?}");
    }
}

#[test]
fn who_stands_behind_another_waits_for_it_even_where_there_is_room() {
    let wait = UploadQuota::default().place(limits(15), behind(2), at(0)).unwrap_err();
    assert_eq!((wait.code.as_str(), wait.until), (TURN, at(20_000)), "no two are woken at once");
    let head = QueuePosition { posts: 1, head_sleeps_until: Some(at(90_000)) };
    assert_eq!(UploadQuota::default().place(limits(15), head, at(0)).unwrap_err().until, at(100_000));
}

#[test]
fn a_turn_given_back_is_room_for_another_though_the_call_is_spent() {
    let turns = (0..5).fold(UploadQuota::default(), |turns, n| turns.take(post(n), at(0)));
    let drafts = QuotaLimits::of(Mode::Draft, 15);
    assert_eq!(turns.place(drafts, QueuePosition::default(), at(1)).unwrap_err().code, INBOX);
    let turns = turns.release(&post(3)).unwrap();
    assert_eq!(turns.place(drafts, QueuePosition::default(), at(1)), Ok(()));
    let turns = turns.take(post(9), at(1)).release(&post(9)).unwrap();
    assert_eq!(turns.place(drafts, QueuePosition::default(), at(2)).unwrap_err().code, UPLOADS);
    assert_eq!(turns.release(&post(9)), None);
}

#[test]
fn tiktoks_own_word_closes_the_books_and_a_shorter_one_does_not_open_them() {
    let closed = |until, code: &str| Cooldown { until: at(until), code: code.to_owned(), message: "full".to_owned() };
    let turns = UploadQuota::default().close(closed(9000, "spam_risk_too_many_posts")).close(closed(5000, "other"));
    let wait = turns.place(limits(15), QueuePosition::default(), at(0)).unwrap_err();
    assert_eq!((wait.code.as_str(), wait.until), ("spam_risk_too_many_posts", at(9000)));
    assert_eq!(turns.place(limits(15), QueuePosition::default(), at(9000)), Ok(()));
}

#[test]
fn a_refused_call_closes_the_minute_for_more_than_a_minute() {
    let minute = SlidingWindow::default().refused(at(0));
    let (_, again) = minute.clone().take(30, at(59_000)).unwrap_err();
    assert!(again > at(60_000));
    assert!(minute.take(30, again).is_ok());
}

#[test]
fn those_who_find_the_minute_full_are_told_different_times() {
    let mut minute = (0..30).fold(SlidingWindow::default(), |minute, _| minute.take(30, at(0)).unwrap());
    let mut told = Vec::new();
    for _ in 0..60 {
        let (booked, again) = minute.take(30, at(1000)).unwrap_err();
        told.push(again);
        minute = booked;
    }
    assert!(told.is_sorted());
    assert!(most_within(MINUTE, &told) <= 30, "{told:?}");
}

#[test]
fn a_post_that_has_just_taken_its_turn_is_known_by_it() {
    let turns = UploadQuota::default().take(post(1), at(0));
    assert!(turns.has_taken(&post(1), at(1000)) && !turns.has_taken(&post(2), at(1000)));
    assert!(!turns.has_taken(&post(1), at(1_000_000)), "it may stand in the line anew");
}

#[test]
fn the_sixth_user_of_an_app_for_five_waits_for_the_first_to_lapse() {
    let most = NonZeroU32::new(5);
    let mut users = PostingUsers::default();
    for (n, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        match users.admit(&alias(name), Posted::NotToday, most, at(n as u64)).unwrap() {
            Admitted::Written(written) => users = written,
            Admitted::AsKnown => unreachable!("{name} is new"),
        }
    }
    assert_eq!(users.admit(&alias("c"), Posted::Today, most, at(10)), Ok(Admitted::AsKnown));
    let wait = users.admit(&alias("f"), Posted::NotToday, most, at(10)).unwrap_err();
    assert_eq!(wait.code, USERS);
    assert!(wait.until >= at(0) + A_DAY && users.admit(&alias("f"), Posted::NotToday, most, wait.until).is_ok());
}

#[test]
fn a_user_who_goes_on_is_written_down_once_an_hour_and_never_lapses_within_a_day_of_a_post() {
    let (most, anna) = (NonZeroU32::new(5), alias("anna"));
    let (mut users, mut writes) = (PostingUsers::default(), 0);
    for minute in 0..600 {
        let now = at(minute * 60_000);
        if let Admitted::Written(written) = users.admit(&anna, Posted::Today, most, now).unwrap() {
            users = written;
            writes += 1;
        }
        assert!(users.until[&anna] > now + A_DAY);
    }
    assert!(writes <= 11, "{writes} writes in ten hours");
}

#[test]
fn tiktoks_word_on_users_stops_only_those_who_have_not_posted() {
    let users = PostingUsers::default().close(at(9000));
    assert_eq!(users.admit(&alias("a"), Posted::Today, None, at(0)), Ok(Admitted::AsKnown));
    assert_eq!(users.admit(&alias("b"), Posted::NotToday, None, at(0)).unwrap_err().until, at(9000));
    assert_eq!(users.admit(&alias("b"), Posted::NotToday, None, at(9000)), Ok(Admitted::AsKnown));
}
