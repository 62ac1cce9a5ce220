//! Tests of the commands of people.

use super::*;

fn titled(title: &str) -> PostOptions {
    PostOptions { title: Some(title.into()), ..PostOptions::default() }
}

#[test]
fn cancel_works_while_tiktok_cannot_have_every_byte() {
    let now = start();
    let held = claimed().hold(HoldReason::Review, now).unwrap();
    let scheduled = claimed().schedule(now + SECOND, now).unwrap();
    for post in [submitted(), claimed(), held, scheduled, uploading(20_000_000), uploading(0).hand_over(now).unwrap()] {
        let cancelled = post.clone().cancel(now).unwrap();
        assert_eq!((cancelled.state_name(), cancelled.due_at), (StateName::Cancelled, None), "{:?}", post.state);
        assert!(cancelled.claim("worker-2", now + LEASE_TERM).is_err());
    }
    let cancelled = uploading(10_000_000).cancel(now).unwrap();
    assert_eq!(cancelled.publish_id(), uploading(0).publish_id(), "the publish id is kept");
}

#[test]
fn cancel_is_rejected_once_last_chunk_may_be_sent() {
    for post in [committed(), committed().hand_over(start()).unwrap(), unconfirmed(), processing()] {
        assert_eq!(post.cancel(start()), Err(CommandRejected::MayBePosted));
    }
    let refused = committed().uncommit(start()).unwrap();
    assert!(refused.cancel(start()).is_ok(), "TikTok rejected the last chunk, so it does not have every byte");
    let published = processing().apply_report(&report(PublishStatus::Published), start()).unwrap();
    assert_eq!(published.cancel(start()), Err(CommandRejected::AtAnEnd(StateName::Published)));
}

#[test]
fn published_report_overrides_cancelled_state() {
    let cancelled = uploading(20_000_000).cancel(start()).unwrap();
    let late = cancelled.apply_report(&report(PublishStatus::Published), start()).unwrap();
    assert_eq!(late.state_name(), StateName::Published);
}

#[test]
fn retry_keeps_id_and_history() {
    let failed = processing().apply_report(&failed("file_format_check_failed"), start()).unwrap();
    let again = failed.clone().retry(start() + SECOND).unwrap();
    assert_eq!((&again.id, again.inits, again.dropped_at), (&failed.id, 0, failed.dropped_at));
    assert!(again.upload().is_none() && again.history.starts_with(&failed.history));
    assert!(again.claim("worker-2", start() + SECOND).unwrap().begin(granted_upload(start()), start()).is_ok());
}

#[test]
fn retry_is_rejected_if_outcome_is_unknown() {
    let silent = report(PublishStatus::Processing);
    let unknown = unconfirmed().apply_report(&silent, start() + 90_000 * SECOND).unwrap();
    let denial = || Failure::new(Reason::parse("invalid_publish_id"), "x", "x");
    let denied = processing().publish_denied(denial(), start()).publish_denied(denial(), start() + 3600 * SECOND);
    for post in [unknown, denied] {
        assert_eq!(post.state_name(), StateName::Failed);
        assert_eq!(post.clone().retry(start()), Err(CommandRejected::OutcomeUnknown), "{:?}", post.state);
        assert!(post.with_options(titled("b"), start()).is_err());
    }
    assert_eq!(submitted().retry(start()), Err(CommandRejected::NotFailed(StateName::Queued)));
}

#[test]
fn new_options_withdraw_approval() {
    let approved = claimed().hold(HoldReason::Review, start()).unwrap().approve(start()).unwrap();
    let changed = approved.with_options(titled("b"), start()).unwrap();
    assert_eq!((changed.approval, changed.request.title.as_deref()), (Approval::NotGiven, Some("b")));
}

#[test]
fn options_can_change_until_upload_begins() {
    let held = claimed().hold(HoldReason::Review, start()).unwrap().with_options(titled("b"), start()).unwrap();
    assert_eq!(held.state_name(), StateName::Held, "the approval applies to the new options");
    for post in [
        claimed(),
        claimed().hold(HoldReason::Sidecar, start()).unwrap(),
        claimed().schedule(start() + SECOND, start()).unwrap(),
        claimed().defer(Reason::PostsPerDay, "x", 900 * SECOND, start()).unwrap(),
    ] {
        let changed = post.with_options(titled("b"), start()).unwrap();
        assert_eq!((changed.state_name(), changed.due_at), (StateName::Queued, Some(start())));
    }
    assert_eq!(uploading(0).with_options(titled("b"), start()), Err(CommandRejected::UnderWay));
    assert_eq!(processing().with_options(titled("b"), start()), Err(CommandRejected::UnderWay));
}

#[test]
fn options_of_failed_post_can_change_before_retry() {
    let failed = claimed().fail(Failure::new(Reason::OptionsInvalid, "x", "x"), start()).unwrap();
    let changed = failed.with_options(titled("b"), start()).unwrap();
    assert_eq!(changed.state_name(), StateName::Failed);
    assert_eq!(changed.retry(start()).unwrap().request, titled("b"));
}

#[test]
fn release_hold_releases_only_the_matching_hold() {
    let held = claimed().hold(HoldReason::Sidecar, start()).unwrap();
    assert!(held.clone().release_hold(&HoldReason::Review, start()).is_err());
    assert_eq!(held.release_hold(&HoldReason::Sidecar, start()).unwrap().state_name(), StateName::Queued);
}
