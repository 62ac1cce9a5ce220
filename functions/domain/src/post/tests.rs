//! Tests of single transitions. `histories` tests random sequences of them.

mod command;
mod create;
mod event;
mod histories;
mod same_video;

use std::time::Duration;

use super::*;
use crate::chunk::ChunkCeiling;
use crate::options::{Mode, PostOptions, PrivacyLevel};
use crate::reason::Reason;
use crate::report::{PublishStatus, StatusReport};
use crate::secret::Sealed;
use crate::settings::StackDefaults;
use crate::size::VideoSize;
use crate::source::{ObjectVersion, Source};
use crate::title::TitleLimit;
use crate::upload::{LastChunk, URL_LIFETIME, URL_MARGIN};
use crate::{chunk::ChunkPlan, failure::Failure};
use jiff::Timestamp;

const SECOND: Duration = Duration::from_secs(1);
/// The size in bytes: three chunks of 10 MB in [`granted_upload`].
const SIZE: u64 = 30_000_000;

fn start() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn submitted() -> Post {
    let source =
        Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version: ObjectVersion::Id("1".into()) };
    Post::submit(Alias::new("anna").unwrap(), source, Some(SIZE), start())
}

fn claimed() -> Post {
    submitted().claim("worker-1", start()).unwrap()
}

fn granted_upload(issued_at: Timestamp) -> Upload {
    let plan = ChunkPlan::new(VideoSize::new(SIZE).unwrap(), ChunkCeiling::new(10_000_000).unwrap());
    Upload {
        publish_id: PublishId::new("v_pub_file~v2-1.1").unwrap(),
        url: Sealed::new(vec![1]),
        issued_at,
        plan,
        offset: 0,
        last_chunk: LastChunk::NotSent,
        rate: None,
    }
}

fn uploading(offset: u64) -> Post {
    claimed().begin(granted_upload(start()), start()).unwrap().progress(offset, None, start()).unwrap()
}

/// An upload whose last chunk is about to be sent.
fn committed() -> Post {
    uploading(20_000_000).commit(start()).unwrap()
}

fn unconfirmed() -> Post {
    committed().sent(SentReceipt::Unconfirmed { why: "no answer".into() }, start()).unwrap()
}

fn processing() -> Post {
    committed().sent(SentReceipt::Confirmed, start()).unwrap()
}

fn report(status: PublishStatus) -> StatusReport {
    StatusReport { status, uploaded: None, video_ids: vec![], links: Links::default(), log_id: Some("log-1".into()) }
}

fn failed(reason: &str) -> StatusReport {
    report(PublishStatus::Failed { reason: reason.into() })
}

fn video_id(id: &str) -> VideoId {
    VideoId::new(id).unwrap()
}

#[test]
fn repeated_note_is_added_once_and_keeps_state() {
    let once = claimed().with_note("title cut", start());
    let again = once.clone().with_note("title cut", start()).with_note("another", start());
    let notes: Vec<_> = again.history.iter().map(|entry| (entry.state, entry.note.as_str())).collect();
    let expected = [(StateName::Uploading, "title cut"), (StateName::Uploading, "another")];
    assert_eq!(notes[claimed().history.len()..], expected);
    assert_eq!((&again.state, again.due_at), (&claimed().state, claimed().due_at));
}

#[test]
fn second_worker_claims_only_after_lease_expires() {
    let post = claimed();
    let refused = post.clone().claim("worker-2", start() + SECOND).unwrap_err();
    assert!(matches!(refused, NotClaimable::Leased { ref owner, .. } if owner == "worker-1"));
    let taken_over = post.claim("worker-2", start() + LEASE_TERM).unwrap();
    assert_eq!(taken_over.attempt, 2, "the attempt number grew");
}

#[test]
fn deferred_post_is_not_claimed_before_its_time() {
    let waiting =
        claimed().defer(Reason::parse("rate_limit_exceeded"), "too many calls", 60 * SECOND, start()).unwrap();
    let until = start() + 60 * SECOND;
    assert_eq!(waiting.clone().claim("w", start() + SECOND), Err(NotClaimable::NotDue { until }));
    assert_eq!(waiting.due_at, Some(until));
    assert!(waiting.claim("w", until).is_ok());
}

#[test]
fn next_worker_continues_upload_at_its_offset() {
    let post = uploading(10_000_000).claim("worker-2", start() + LEASE_TERM).unwrap();
    assert_eq!(post.upload().unwrap().next_chunk().unwrap().first, 10_000_000);
    let handed_over = uploading(10_000_000).hand_over(start()).unwrap();
    assert_eq!(handed_over.upload().unwrap().offset, 10_000_000);
    assert_eq!(handed_over.due_at, Some(start()));
}

#[test]
fn committed_upload_is_not_abandoned_or_failed() {
    assert!(!uploading(20_000_000).upload().unwrap().may_be_complete());
    let committed = committed();
    assert!(committed.upload().unwrap().may_be_complete());
    assert!(committed.clone().abandon(start(), "slow").is_err());
    assert!(committed.clone().fail(Failure::of(Reason::FileEmpty, "x"), start()).is_err());
    assert!(processing().claim("w", start() + 1000 * SECOND).is_err());
    let before = uploading(10_000_000);
    assert!(before.clone().abandon(start(), "slow").unwrap().upload().is_none());
    assert!(before.fail(Failure::of(Reason::FileEmpty, "x"), start()).is_ok());
}

#[test]
fn earlier_offset_keeps_commit_mark() {
    let behind = committed().progress(10_000_000, None, start()).unwrap();
    assert!(behind.upload().unwrap().may_be_complete());
    assert!(behind.abandon(start(), "404").is_err());
    let mut lagging = report(PublishStatus::Uploading);
    lagging.uploaded = Some(0);
    let resumed = unconfirmed().apply_report(&lagging, start() + 60 * SECOND).unwrap();
    assert_eq!(resumed.state_name(), StateName::Queued);
    assert!(resumed.upload().unwrap().may_be_complete(), "{resumed:?}");
}

#[test]
fn rejected_last_chunk_removes_commit_mark() {
    let refused = committed().uncommit(start()).unwrap();
    assert!(refused.clone().abandon(start(), "403").is_ok());
    assert!(refused.fail(Failure::of(Reason::FileEmpty, "x"), start()).is_ok());
}

#[test]
fn only_tiktoks_own_errors_are_retried_three_times() {
    let mut post = processing();
    for round in 0..3u32 {
        post = post.apply_report(&failed("internal"), start()).unwrap();
        assert_eq!(post.state_name(), StateName::Queued, "round {round}");
        let now = post.due_at.unwrap();
        post = post.claim("w", now).unwrap().begin(granted_upload(now), now).unwrap();
        post = post.commit(now).unwrap().sent(SentReceipt::Confirmed, now).unwrap();
    }
    let ended = post.apply_report(&failed("internal"), start()).unwrap();
    assert_eq!(ended.state_name(), StateName::Failed);

    let not_retried = processing().apply_report(&failed("file_format_check_failed"), start()).unwrap();
    let PostState::Failed { failure, .. } = &not_retried.state else { panic!("{not_retried:?}") };
    assert_eq!((failure.reason.code(), failure.log_id.as_deref()), ("file_format_check_failed", Some("log-1")));
    assert!(!failure.advice.is_empty());
}

#[test]
fn daily_limit_defers_post_for_a_day() {
    let post = processing().apply_report(&failed("spam_risk_too_many_posts"), start()).unwrap();
    assert_eq!(post.state_name(), StateName::Queued);
    assert_eq!(post.due_at, Some(start() + 86_400 * SECOND));
    assert_eq!((post.inits, post.publish_failures), (0, 0), "the limit is not the post's fault");
}

#[test]
fn undocumented_fail_reason_is_kept() {
    let post = processing().apply_report(&failed("new_reason"), start()).unwrap();
    assert!(matches!(&post.state, PostState::Failed { failure, .. } if failure.reason.code() == "new_reason"));
}

#[test]
fn published_post_is_polled_until_links_are_known() {
    let published = processing().apply_report(&report(PublishStatus::Published), start()).unwrap();
    assert_eq!(published.state_name(), StateName::Published);
    assert!(published.due_at.is_some(), "its link is not known yet");
    let mut with_id = report(PublishStatus::Published);
    with_id.video_ids = vec![video_id("7678907398077074696")];
    let known = published.apply_report(&with_id, start()).unwrap();
    let links = Links { share_url: Some("https://t/v".into()), cover_url: Some("https://t/c".into()) };
    let linked = known.linked(links.clone(), start()).unwrap();
    assert_eq!(linked.due_at, None);
    let again = linked.clone().apply_report(&with_id, start() + SECOND).unwrap();
    assert_eq!(again, linked, "a report that comes twice changes nothing");
}

#[test]
fn private_direct_post_is_not_polled_for_link() {
    let stack =
        StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let published = |mode| {
        let options = PostOptions { mode: Some(mode), ..PostOptions::default() };
        let mut facts = PostFacts::clone(&processing());
        facts.settings = Some(Settings::resolve(&options, "clip.mp4", &stack).unwrap());
        Post::restore(facts).apply_report(&report(PublishStatus::Published), start()).unwrap()
    };
    assert_eq!(published(Mode::Direct).due_at, None);
    assert!(published(Mode::Draft).due_at.is_some(), "the creator chooses a draft's privacy level in the app");
}

#[test]
fn delivered_draft_becomes_published_but_not_back() {
    let delivered = processing().apply_report(&report(PublishStatus::InInbox), start()).unwrap();
    assert_eq!(delivered.state_name(), StateName::Delivered);
    let published = delivered.apply_report(&report(PublishStatus::Published), start()).unwrap();
    let late = published.clone().apply_report(&report(PublishStatus::InInbox), start()).unwrap();
    assert_eq!(late, published);
    let refused = published.clone().apply_report(&failed("internal"), start()).unwrap();
    assert_eq!(refused.state_name(), StateName::Published);
}

#[test]
fn short_position_continues_upload_while_url_is_valid() {
    let unconfirmed = unconfirmed();
    let mut polled = report(PublishStatus::Uploading);
    polled.uploaded = Some(20_000_000);

    let early = unconfirmed.clone().apply_report(&polled, start() + 7 * SECOND).unwrap();
    assert_eq!(early.state_name(), StateName::Processing, "the position can lag behind");
    let resumed = unconfirmed.clone().apply_report(&polled, start() + 8 * SECOND).unwrap();
    assert_eq!(resumed.upload().map(|u| u.offset), Some(20_000_000), "the URL is valid: the upload continues");
    let mut facts = PostFacts::clone(&unconfirmed);
    facts.attempt = 7;
    let again = Post::restore(facts).apply_report(&polled, start() + 299 * SECOND).unwrap();
    assert_eq!(again.state_name(), StateName::Processing, "the pause grows, so that little is sent in vain");

    let waiting = unconfirmed.clone().apply_report(&polled, start() + URL_LIFETIME + SECOND).unwrap();
    assert_eq!(waiting.state_name(), StateName::Processing, "TikTok's clock may be behind");

    polled.uploaded = Some(SIZE);
    let whole = unconfirmed.apply_report(&polled, start() + SECOND).unwrap();
    assert!(matches!(whole.state, PostState::Processing { receipt: Receipt::Confirmed, .. }));
}

#[test]
fn short_position_of_dead_upload_asks_a_person() {
    let expired = start() + URL_LIFETIME + URL_MARGIN + SECOND;
    let mut polled = report(PublishStatus::Uploading);
    let silent = unconfirmed().apply_report(&polled, expired).unwrap();
    assert_eq!(silent.state_name(), StateName::Processing, "TikTok did not say that bytes are missing");
    for missing in [20_000_000, 12_345] {
        polled.uploaded = Some(missing);
        let ended = unconfirmed().apply_report(&polled, expired).unwrap();
        let PostState::Failed { failure, outcome, .. } = &ended.state else { panic!("{ended:?}") };
        assert_eq!(*outcome, Outcome::Unknown, "the position may have stopped changing: no second upload");
        assert!(failure.advice.contains("profile"), "{failure}");
        let sent_late = committed().sent(SentReceipt::Unconfirmed { why: "403".into() }, expired - SECOND).unwrap();
        let waits = sent_late.apply_report(&polled, expired).unwrap();
        assert_eq!(waits.state_name(), StateName::Processing, "the last byte was sent a second ago");
    }
}

#[test]
fn confirmed_receipt_never_leads_to_second_upload() {
    let mut polled = report(PublishStatus::Uploading);
    polled.uploaded = Some(20_000_000);
    for hours in [0, 1, 2, 24, 24 * 60] {
        let post = processing().apply_report(&polled, start() + Duration::from_hours(hours)).unwrap();
        assert!(matches!(post.state, PostState::Processing { receipt: Receipt::Confirmed, .. }), "after {hours} h");
    }
}

#[test]
fn denied_publish_fails_only_after_an_hour_of_denials() {
    let denial = || {
        Failure::new(Reason::parse("invalid_publish_id"), "TikTok does not know the publish", "Look at the profile.")
    };
    let at = |minutes| start() + Duration::from_mins(minutes);
    let once = processing().publish_denied(denial(), at(0));
    assert_eq!((once.state_name(), once.due_at), (StateName::Processing, Some(at(15))));
    let denied = once.clone().publish_denied(denial(), at(59));
    assert_eq!(denied.state_name(), StateName::Processing);
    let ended = denied.clone().publish_denied(denial(), at(60));
    assert!(matches!(ended.state, PostState::Failed { outcome: Outcome::Unknown, .. }), "{ended:?}");
    let known_again = denied.apply_report(&report(PublishStatus::Processing), at(60)).unwrap();
    let denied_again = known_again.publish_denied(denial(), at(61));
    assert_eq!(denied_again.state_name(), StateName::Processing, "a report ends the hour");
    let published = processing().apply_report(&report(PublishStatus::Published), start()).unwrap();
    let denied = published.publish_denied(denial(), at(1));
    assert!(denied.due_at.is_some(), "its link may still come");
    let kept = denied.publish_denied(denial(), at(61));
    assert_eq!((kept.state_name(), kept.due_at), (StateName::Published, None));
}

#[test]
fn only_uploading_status_can_mean_missing_bytes() {
    let expired = start() + URL_LIFETIME + URL_MARGIN + SECOND;
    for status in [PublishStatus::Processing, PublishStatus::Unknown { status: "IN_REVIEW".into() }] {
        let polled = StatusReport { uploaded: Some(0), ..report(status) };
        for now in [start() + SECOND, expired] {
            let post = unconfirmed().apply_report(&polled, now).unwrap();
            assert_eq!(post.state_name(), StateName::Processing, "{polled:?}");
        }
    }
}

#[test]
fn unconfirmed_upload_without_report_fails_as_unknown_after_day() {
    // A day has 86,400 seconds.
    let polled = report(PublishStatus::Uploading);
    let post = unconfirmed().apply_report(&polled, start() + 90_000 * SECOND).unwrap();
    let PostState::Failed { failure, publish_id, .. } = &post.state else { panic!("{post:?}") };
    assert!(failure.advice.contains("profile") && publish_id.is_some());
    let late = post.apply_report(&report(PublishStatus::Published), start() + 100_000 * SECOND).unwrap();
    assert_eq!(late.state_name(), StateName::Published, "a later result still applies");
}

#[test]
fn sidecar_queues_claimed_post_without_upload() {
    let taken = claimed().options_arrived(start()).unwrap();
    assert_eq!((taken.state_name(), taken.due_at), (StateName::Queued, Some(start())));
    assert!(uploading(0).options_arrived(start()).is_err(), "an upload that was begun continues with its options");
}

#[test]
fn held_post_is_released_only_by_its_hold_reason() {
    let for_review = claimed().hold(HoldReason::Review, start()).unwrap();
    assert_eq!(for_review.due_at, Some(start() + 86_400 * SECOND), "it is checked once a day");
    let checked = for_review.clone().hold_checked(start() + 86_400 * SECOND).unwrap();
    assert_eq!((checked.state_name(), checked.due_at), (StateName::Held, Some(start() + 172_800 * SECOND)));
    assert!(create::awaited().hold_checked(start()).is_err(), "its bytes have their own time limit");
    assert!(for_review.clone().options_arrived(start()).is_err());
    assert_eq!(for_review.approve(start()).unwrap().approval, Approval::Given);
    let for_sidecar = claimed().hold(HoldReason::Sidecar, start()).unwrap();
    assert!(for_sidecar.clone().approve(start()).is_err());
    assert_eq!(for_sidecar.options_arrived(start()).unwrap().state_name(), StateName::Queued);
}

#[test]
fn scheduled_post_is_claimable_at_its_time() {
    let at = start() + 3600 * SECOND;
    let post = claimed().schedule(at, start()).unwrap();
    assert_eq!(post.due_at, Some(at));
    assert_eq!(post.clone().claim("w", start()), Err(NotClaimable::NotDue { until: at }));
    assert!(post.is_claimable(at) && post.claim("w", at).is_ok());
}

#[test]
fn account_of_scheduled_post_is_checked_ninety_minutes_ahead() {
    let at = start() + Duration::from_hours(5);
    let post = claimed().schedule(at, start()).unwrap();
    let check_at = at - Duration::from_mins(90);
    assert_eq!(post.due_at, Some(check_at));
    assert!(!post.needs_account_check(check_at - SECOND) && post.needs_account_check(check_at));
    assert!(!post.is_claimable(check_at), "its time has not come");
    let sound = post.clone().account_checked(None, check_at).unwrap();
    assert_eq!((sound.due_at, sound.history.len()), (Some(at), post.history.len()));
    assert!(!sound.needs_account_check(check_at) && sound.claim("w", at).is_ok());
    let lost = post.clone().account_checked(Some("it must be connected again"), check_at).unwrap();
    assert!(lost.history.last().unwrap().note.contains("connected again"), "{:?}", lost.history);
    assert!(post.claim("w", at).is_ok(), "a missed check does not stop the post");
}

#[test]
fn post_with_upload_is_not_held_or_scheduled() {
    assert!(uploading(0).hold(HoldReason::Review, start()).is_err());
    assert!(uploading(0).schedule(start(), start()).is_err());
    assert!(uploading(0).begin(granted_upload(start()), start()).is_err());
}

#[test]
fn repeated_deferrals_are_counted_until_progress() {
    let now = start();
    let once =
        claimed().defer(Reason::parse("internal_error"), "x", SECOND, now).unwrap().claim("w", now + SECOND).unwrap();
    let twice = once.defer(Reason::parse("internal_error"), "x", SECOND, now).unwrap();
    assert!(matches!(&twice.state, PostState::Queued { deferral: Some(d), .. } if d.count == 2));
    let begun = twice.claim("w", now + SECOND).unwrap().begin(granted_upload(now), now).unwrap();
    let anew = begun.defer(Reason::parse("internal_error"), "x", SECOND, now).unwrap();
    assert!(matches!(&anew.state, PostState::Queued { deferral: Some(d), .. } if d.count == 1));
}

#[test]
fn reconcile_continues_at_reported_or_stored_offset() {
    let upload = uploading(10_000_000).upload().unwrap().clone();
    let mut polled = report(PublishStatus::Uploading);
    let decide = |polled: &StatusReport, now| reconcile(&upload, polled, TrustOffset::Further, now, 10 * SECOND);
    assert_eq!(decide(&polled, start()), Reconciled::SendFrom(10_000_000));
    polled.uploaded = Some(19_999_999);
    assert_eq!(decide(&polled, start()), Reconciled::SendFrom(20_000_000), "the number can be the last byte's index");
    polled.uploaded = Some(0);
    assert_eq!(decide(&polled, start()), Reconciled::SendFrom(10_000_000), "a report can lag behind");
    let after_416 = reconcile(&upload, &polled, TrustOffset::StatusReport, start(), SECOND);
    assert_eq!(after_416, Reconciled::SendFrom(0), "after a 416 the report counts");
    polled.uploaded = Some(SIZE);
    assert_eq!(decide(&polled, start()), Reconciled::AllThere);
    polled.uploaded = Some(10_000_000);
    assert_eq!(decide(&polled, start() + URL_LIFETIME), Reconciled::Abandon);
    let committed = Upload { last_chunk: LastChunk::MayBeSent, ..upload.clone() };
    let late = reconcile(&committed, &polled, TrustOffset::StatusReport, start() + URL_LIFETIME, SECOND);
    assert_eq!(late, Reconciled::Wait);
    assert_eq!(decide(&failed("internal"), start()), Reconciled::Ended);
}

#[test]
fn long_history_keeps_first_and_newest_entries() {
    let mut post = submitted();
    for _ in 0..100 {
        post = post.claim("w", start()).unwrap().hand_over(start()).unwrap();
    }
    assert!(post.history.len() <= 50);
    assert_eq!(post.history[0].note, "dropped");
    assert!(post.history.last().unwrap().note.contains("handed over"));
}

#[test]
fn reconnect_queues_post_deferred_for_it() {
    let later = start() + 10 * SECOND;
    let waiting = uploading(10_000_000).defer(Reason::NeedsReconnect, "connect", 900 * SECOND, start()).unwrap();
    let resumed = waiting.reconnected(later).unwrap();
    assert_eq!(resumed.due_at, Some(later));
    assert!(resumed.is_claimable(later));
    assert_eq!(resumed.upload().map(|upload| upload.offset), Some(10_000_000), "the upload is kept");
}

#[test]
fn reconnect_leaves_other_deferrals() {
    let limited = claimed().defer(Reason::parse("rate_limit_exceeded"), "a minute", 60 * SECOND, start()).unwrap();
    for post in [limited, submitted(), claimed()] {
        assert!(post.clone().reconnected(start()).is_err(), "{:?}", post.state);
    }
}

#[test]
fn reconnect_polls_processing_post_immediately() {
    let waiting = unconfirmed().postpone_poll(900 * SECOND, start());
    let later = start() + SECOND;
    let resumed = waiting.reconnected(later).unwrap();
    assert_eq!((resumed.due_at, resumed.state_name()), (Some(later), StateName::Processing));
}
