//! What a post's life promises, told as sentences.

mod command;
mod create;
mod event;
mod histories;

use std::time::Duration;

use super::*;
use crate::chunk::ChunkCeiling;
use crate::options::{Mode, PostOptions, PrivacyLevel};
use crate::report::{PublishStatus, StatusReport};
use crate::secret::Sealed;
use crate::settings::StackDefaults;
use crate::size::VideoSize;
use crate::source::ObjectVersion;
use crate::title::TitleLimit;
use crate::upload::{LastChunk, URL_LIFETIME, URL_MARGIN};
use crate::{chunk::ChunkPlan, failure::Failure};
use jiff::Timestamp;

const SECOND: Duration = Duration::from_secs(1);
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

fn ticket(issued_at: Timestamp) -> Upload {
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
    claimed().begin(ticket(start()), start()).unwrap().progress(offset, None, start()).unwrap()
}

/// An upload whose last chunk is about to leave.
fn committed() -> Post {
    uploading(20_000_000).commit(start()).unwrap()
}

fn unconfirmed() -> Post {
    committed().sent(SentReceipt::Unconfirmed { why: "no answer".into() }, start()).unwrap()
}

fn processing() -> Post {
    committed().sent(SentReceipt::Confirmed, start()).unwrap()
}

fn report(standing: PublishStatus) -> StatusReport {
    StatusReport { standing, uploaded: None, video_ids: vec![], links: Links::default(), log_id: Some("log-1".into()) }
}

fn failed(reason: &str) -> StatusReport {
    report(PublishStatus::Failed { reason: reason.into() })
}

fn video_id(id: &str) -> VideoId {
    VideoId::new(id).unwrap()
}

#[test]
fn one_worker_at_a_time() {
    let post = claimed();
    let refused = post.clone().claim("worker-2", start() + SECOND).unwrap_err();
    assert!(matches!(refused, NotClaimable::Leased { ref owner, .. } if owner == "worker-1"));
    let taken_over = post.claim("worker-2", start() + LEASE_TERM).unwrap();
    assert_eq!(taken_over.attempt, 2, "the fencing number grew");
}

#[test]
fn a_second_bell_does_not_wake_a_post_that_waits_for_a_limit() {
    let waiting = claimed().defer("rate_limit_exceeded", "too many calls", 60 * SECOND, start()).unwrap();
    let until = start() + 60 * SECOND;
    assert_eq!(waiting.clone().claim("w", start() + SECOND), Err(NotClaimable::NotDue { until }));
    assert_eq!(waiting.due_at, Some(until));
    assert!(waiting.claim("w", until).is_ok());
}

#[test]
fn a_late_worker_goes_on_where_the_upload_stands() {
    let post = uploading(10_000_000).claim("worker-2", start() + LEASE_TERM).unwrap();
    assert_eq!(post.upload().unwrap().next_chunk().unwrap().first, 10_000_000);
    let handed_over = uploading(10_000_000).hand_over(start()).unwrap();
    assert_eq!(handed_over.upload().unwrap().offset, 10_000_000);
    assert_eq!(handed_over.due_at, Some(start()));
}

#[test]
fn once_the_last_chunk_may_be_sent_nothing_but_tiktoks_word_leads_back() {
    assert!(!uploading(20_000_000).upload().unwrap().may_be_complete());
    let at_last = committed();
    assert!(at_last.upload().unwrap().may_be_complete());
    assert!(at_last.clone().abandon(start(), "slow").is_err());
    assert!(at_last.clone().fail(Failure::new("x", "x", "x"), start()).is_err());
    assert!(processing().claim("w", start() + 1000 * SECOND).is_err());
    let before = uploading(10_000_000);
    assert!(before.clone().abandon(start(), "slow").unwrap().upload().is_none());
    assert!(before.fail(Failure::new("x", "x", "x"), start()).is_ok());
}

#[test]
fn an_earlier_position_does_not_take_the_commit_back() {
    let behind = committed().progress(10_000_000, None, start()).unwrap();
    assert!(behind.upload().unwrap().may_be_complete());
    assert!(behind.abandon(start(), "404").is_err());
    let mut lagging = report(PublishStatus::Uploading);
    lagging.uploaded = Some(0);
    let resumed = unconfirmed().apply_report(&lagging, start()).unwrap();
    assert!(resumed.upload().unwrap().may_be_complete(), "{resumed:?}");
}

#[test]
fn a_last_chunk_that_tiktok_itself_refused_was_not_sent() {
    let refused = committed().uncommit(start()).unwrap();
    assert!(refused.clone().abandon(start(), "403").is_ok());
    assert!(refused.fail(Failure::new("x", "x", "x"), start()).is_ok());
}

#[test]
fn only_tiktoks_own_errors_lead_to_another_upload_and_not_for_ever() {
    let mut post = processing();
    for round in 0..3u32 {
        post = post.apply_report(&failed("internal"), start()).unwrap();
        assert_eq!(post.state_name(), StateName::Queued, "round {round}");
        let now = post.due_at.unwrap();
        post = post.claim("w", now).unwrap().begin(ticket(now), now).unwrap();
        post = post.commit(now).unwrap().sent(SentReceipt::Confirmed, now).unwrap();
    }
    let ended = post.apply_report(&failed("internal"), start()).unwrap();
    assert_eq!(ended.state_name(), StateName::Failed);

    let never = processing().apply_report(&failed("file_format_check_failed"), start()).unwrap();
    let PostState::Failed { failure, .. } = &never.state else { panic!("{never:?}") };
    assert_eq!((failure.code.as_str(), failure.log_id.as_deref()), ("file_format_check_failed", Some("log-1")));
    assert!(!failure.advice.is_empty());
}

#[test]
fn a_daily_cap_defers_and_never_fails() {
    let post = processing().apply_report(&failed("spam_risk_too_many_posts"), start()).unwrap();
    assert_eq!(post.state_name(), StateName::Queued);
    assert_eq!(post.due_at, Some(start() + 86_400 * SECOND));
    assert_eq!((post.inits, post.publish_failures), (0, 0), "a cap is not held against the post");
}

#[test]
fn a_reason_that_nobody_knows_is_shown_as_it_is() {
    let post = processing().apply_report(&failed("new_reason"), start()).unwrap();
    assert!(matches!(&post.state, PostState::Failed { failure, .. } if failure.code == "new_reason"));
}

#[test]
fn a_published_post_keeps_looking_for_its_link_and_then_rests() {
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
fn a_private_post_has_no_link_to_wait_for() {
    let stack =
        StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let published = |mode| {
        let options = PostOptions { mode: Some(mode), ..PostOptions::default() };
        let mut facts = PostFacts::clone(&processing());
        facts.settings = Some(Settings::resolve(&options, "clip.mp4", &stack).unwrap());
        Post::restore(facts).apply_report(&report(PublishStatus::Published), start()).unwrap()
    };
    assert_eq!(published(Mode::Direct).due_at, None);
    assert!(published(Mode::Draft).due_at.is_some(), "the creator chose who may see a draft, in the app");
}

#[test]
fn a_draft_is_delivered_and_may_be_published_later_but_not_the_other_way() {
    let delivered = processing().apply_report(&report(PublishStatus::InInbox), start()).unwrap();
    assert_eq!(delivered.state_name(), StateName::Delivered);
    let published = delivered.apply_report(&report(PublishStatus::Published), start()).unwrap();
    let late = published.clone().apply_report(&report(PublishStatus::InInbox), start()).unwrap();
    assert_eq!(late, published);
    let refused = published.clone().apply_report(&failed("internal"), start()).unwrap();
    assert_eq!(refused.state_name(), StateName::Published);
}

#[test]
fn an_unanswered_last_chunk_is_lost_only_when_bytes_are_missing_and_the_url_is_dead() {
    let unsure = unconfirmed();
    let dead = start() + URL_LIFETIME + URL_MARGIN + SECOND;
    let mut told = report(PublishStatus::Uploading);

    let silent = unsure.clone().apply_report(&told, dead).unwrap();
    assert_eq!(silent.state_name(), StateName::Processing, "nobody said that bytes are missing");

    told.uploaded = Some(20_000_000);
    let resumed = unsure.clone().apply_report(&told, start() + SECOND).unwrap();
    assert_eq!(resumed.upload().map(|u| u.offset), Some(20_000_000), "the URL lives: sending goes on");

    let waiting = unsure.clone().apply_report(&told, start() + URL_LIFETIME + SECOND).unwrap();
    assert_eq!(waiting.state_name(), StateName::Processing, "clocks differ: not yet");

    for missing in [20_000_000, 12_345] {
        told.uploaded = Some(missing);
        let lost = unsure.clone().apply_report(&told, dead).unwrap();
        assert_eq!((lost.state_name(), lost.upload()), (StateName::Queued, None), "{missing}");
    }

    told.uploaded = Some(SIZE);
    let whole = unsure.apply_report(&told, dead).unwrap();
    assert!(matches!(whole.state, PostState::Processing { receipt: Receipt::Confirmed, .. }));
}

#[test]
fn only_an_upload_that_tiktok_calls_one_can_miss_bytes() {
    let dead = start() + URL_LIFETIME + URL_MARGIN + SECOND;
    for standing in [PublishStatus::Processing, PublishStatus::Unknown { status: "IN_REVIEW".into() }] {
        let told = StatusReport { uploaded: Some(0), ..report(standing) };
        for now in [start() + SECOND, dead] {
            let post = unconfirmed().apply_report(&told, now).unwrap();
            assert_eq!(post.state_name(), StateName::Processing, "{told:?}");
        }
    }
}

#[test]
fn a_publish_that_tiktok_never_speaks_of_ends_with_a_person_and_not_with_a_second_upload() {
    let told = report(PublishStatus::Uploading);
    let post = unconfirmed().apply_report(&told, start() + 90_000 * SECOND).unwrap();
    let PostState::Failed { failure, publish_id, .. } = &post.state else { panic!("{post:?}") };
    assert!(failure.advice.contains("profile") && publish_id.is_some());
    let late = post.apply_report(&report(PublishStatus::Published), start() + 100_000 * SECOND).unwrap();
    assert_eq!(late.state_name(), StateName::Published, "the truth still comes through");
}

#[test]
fn a_sidecar_takes_its_post_away_from_a_worker_that_has_begun_nothing() {
    let taken = claimed().options_arrived(start()).unwrap();
    assert_eq!((taken.state_name(), taken.due_at), (StateName::Queued, Some(start())));
    assert!(uploading(0).options_arrived(start()).is_err(), "an upload under way goes on as it is");
}

#[test]
fn a_held_post_is_released_by_what_it_waits_for_only() {
    let for_review = claimed().hold(HoldReason::Review, start()).unwrap();
    assert_eq!(for_review.due_at, None);
    assert!(for_review.clone().options_arrived(start()).is_err());
    assert_eq!(for_review.approve(start()).unwrap().approval, Approval::Given);
    let for_sidecar = claimed().hold(HoldReason::Sidecar, start()).unwrap();
    assert!(for_sidecar.clone().approve(start()).is_err());
    assert_eq!(for_sidecar.options_arrived(start()).unwrap().state_name(), StateName::Queued);
}

#[test]
fn a_scheduled_post_is_due_at_its_time_and_not_before() {
    let at = start() + 3600 * SECOND;
    let post = claimed().schedule(at, start()).unwrap();
    assert_eq!(post.due_at, Some(at));
    assert_eq!(post.clone().claim("w", start()), Err(NotClaimable::NotDue { until: at }));
    assert!(post.wants_work(at) && post.claim("w", at).is_ok());
}

#[test]
fn a_post_with_an_upload_is_not_held_back_any_more() {
    assert!(uploading(0).hold(HoldReason::Review, start()).is_err());
    assert!(uploading(0).schedule(start(), start()).is_err());
    assert!(uploading(0).begin(ticket(start()), start()).is_err());
}

#[test]
fn waiting_for_the_same_thing_again_is_counted_and_progress_resets_it() {
    let now = start();
    let once = claimed().defer("internal_error", "x", SECOND, now).unwrap().claim("w", now + SECOND).unwrap();
    let twice = once.defer("internal_error", "x", SECOND, now).unwrap();
    assert!(matches!(&twice.state, PostState::Queued { deferral: Some(d), .. } if d.count == 2));
    let begun = twice.claim("w", now + SECOND).unwrap().begin(ticket(now), now).unwrap();
    let anew = begun.defer("internal_error", "x", SECOND, now).unwrap();
    assert!(matches!(&anew.state, PostState::Queued { deferral: Some(d), .. } if d.count == 1));
}

#[test]
fn an_interrupted_upload_goes_on_where_tiktok_says_it_is() {
    let upload = uploading(10_000_000).upload().unwrap().clone();
    let mut told = report(PublishStatus::Uploading);
    let decide = |told: &StatusReport, now| reconcile(&upload, told, TrustOffset::Further, now, 10 * SECOND);
    assert_eq!(decide(&told, start()), Reconciled::SendFrom(10_000_000));
    told.uploaded = Some(19_999_999);
    assert_eq!(decide(&told, start()), Reconciled::SendFrom(20_000_000), "the last byte's index, too");
    told.uploaded = Some(0);
    assert_eq!(decide(&told, start()), Reconciled::SendFrom(10_000_000), "a report may lag");
    let out_of_step = reconcile(&upload, &told, TrustOffset::StatusReport, start(), SECOND);
    assert_eq!(out_of_step, Reconciled::SendFrom(0), "after a 416 it is believed");
    told.uploaded = Some(SIZE);
    assert_eq!(decide(&told, start()), Reconciled::AllThere);
    told.uploaded = Some(10_000_000);
    assert_eq!(decide(&told, start() + URL_LIFETIME), Reconciled::Abandon);
    let committed = Upload { last_chunk: LastChunk::MayBeSent, ..upload.clone() };
    let late = reconcile(&committed, &told, TrustOffset::StatusReport, start() + URL_LIFETIME, SECOND);
    assert_eq!(late, Reconciled::Wait);
    assert_eq!(decide(&failed("internal"), start()), Reconciled::Ended);
}

#[test]
fn a_long_history_keeps_its_beginning_and_its_end() {
    let mut post = submitted();
    for _ in 0..100 {
        post = post.claim("w", start()).unwrap().hand_over(start()).unwrap();
    }
    assert!(post.history.len() <= 50);
    assert_eq!(post.history[0].note, "dropped");
    assert!(post.history.last().unwrap().note.contains("handed over"));
}

#[test]
fn a_post_that_waits_for_its_account_goes_on_at_once_when_it_is_connected_again() {
    let later = start() + 10 * SECOND;
    let awaiting_reconnect = uploading(10_000_000).defer("needs_reconnect", "connect", 900 * SECOND, start()).unwrap();
    let freed = awaiting_reconnect.reconnected("needs_reconnect", later).unwrap();
    assert_eq!(freed.due_at, Some(later));
    assert!(freed.wants_work(later));
    assert_eq!(freed.upload().map(|upload| upload.offset), Some(10_000_000), "what TikTok has stays sent");
}

#[test]
fn a_post_that_waits_for_something_else_goes_on_waiting() {
    let limited = claimed().defer("rate_limit_exceeded", "a minute", 60 * SECOND, start()).unwrap();
    for post in [limited, submitted(), claimed()] {
        assert!(post.clone().reconnected("needs_reconnect", start()).is_err(), "{:?}", post.state);
    }
}

#[test]
fn tiktok_is_asked_at_once_about_what_could_not_be_asked_about() {
    let awaiting_reconnect = unconfirmed().ask_later(900 * SECOND, start());
    let later = start() + SECOND;
    let asked = awaiting_reconnect.reconnected("needs_reconnect", later).unwrap();
    assert_eq!((asked.due_at, asked.state_name()), (Some(later), StateName::Processing));
}
