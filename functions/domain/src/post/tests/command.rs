//! What people ask of a post, and when it is granted.

use super::*;

fn titled(title: &str) -> PostOptions {
    PostOptions { title: Some(title.into()), ..PostOptions::default() }
}

#[test]
fn a_post_is_stopped_while_tiktok_cannot_have_every_byte() {
    let now = start();
    let held = claimed().hold(HoldReason::Review, now).unwrap();
    let scheduled = claimed().schedule(now + SECOND, now).unwrap();
    for post in [submitted(), claimed(), held, scheduled, uploading(20_000_000), uploading(0).hand_over(now).unwrap()] {
        let stopped = post.clone().cancel(now).unwrap();
        assert_eq!((stopped.state_name(), stopped.due_at), (StateName::Cancelled, None), "{:?}", post.state);
        assert!(stopped.claim("worker-2", now + LEASE_TERM).is_err());
    }
    let stopped = uploading(10_000_000).cancel(now).unwrap();
    assert_eq!(stopped.publish_id(), uploading(0).publish_id(), "what was begun is still known");
}

#[test]
fn nothing_is_stopped_once_the_last_chunk_may_have_left() {
    for post in [committed(), committed().hand_over(start()).unwrap(), unconfirmed(), processing()] {
        assert_eq!(post.cancel(start()), Err(CommandRejected::MayBePosted));
    }
    let refused = committed().uncommit(start()).unwrap();
    assert!(refused.cancel(start()).is_ok(), "TikTok itself refused it: it was not sent after all");
    let published = processing().apply_report(&report(PublishStatus::Published), start()).unwrap();
    assert_eq!(published.cancel(start()), Err(CommandRejected::AtAnEnd(StateName::Published)));
}

#[test]
fn the_truth_comes_through_although_a_post_was_stopped() {
    let stopped = uploading(20_000_000).cancel(start()).unwrap();
    let late = stopped.apply_report(&report(PublishStatus::Published), start()).unwrap();
    assert_eq!(late.state_name(), StateName::Published);
}

#[test]
fn a_post_that_tiktok_refused_is_tried_again_as_the_same_post() {
    let failed = processing().apply_report(&failed("file_format_check_failed"), start()).unwrap();
    let again = failed.clone().retry(start() + SECOND).unwrap();
    assert_eq!((&again.id, again.inits, again.dropped_at), (&failed.id, 0, failed.dropped_at));
    assert!(again.upload().is_none() && again.history.starts_with(&failed.history));
    assert!(again.claim("worker-2", start() + SECOND).unwrap().begin(ticket(start()), start()).is_ok());
}

#[test]
fn what_may_be_posted_is_not_tried_again() {
    let silent = report(PublishStatus::Processing);
    let unknown = unconfirmed().apply_report(&silent, start() + 90_000 * SECOND).unwrap();
    let forgotten = processing().forgotten(Failure::new("invalid_publish_id", "x", "x"), start());
    for post in [unknown, forgotten] {
        assert_eq!(post.state_name(), StateName::Failed);
        assert_eq!(post.clone().retry(start()), Err(CommandRejected::OutcomeUnknown), "{:?}", post.state);
        assert!(post.with_options(titled("b"), start()).is_err());
    }
    assert_eq!(submitted().retry(start()), Err(CommandRejected::NotFailed(StateName::Queued)));
}

#[test]
fn other_options_take_an_approval_back() {
    let approved = claimed().hold(HoldReason::Review, start()).unwrap().approve(start()).unwrap();
    let reworded = approved.with_options(titled("b"), start()).unwrap();
    assert_eq!((reworded.approval, reworded.request.title.as_deref()), (Approval::NotGiven, Some("b")));
}

#[test]
fn options_are_changed_until_tiktok_hears_of_them() {
    let held = claimed().hold(HoldReason::Review, start()).unwrap().with_options(titled("b"), start()).unwrap();
    assert_eq!(held.state_name(), StateName::Held, "it is approved as it is then");
    for post in [
        claimed(),
        claimed().hold(HoldReason::Sidecar, start()).unwrap(),
        claimed().schedule(start() + SECOND, start()).unwrap(),
        claimed().defer("posts_per_day", "x", 900 * SECOND, start()).unwrap(),
    ] {
        let reworded = post.with_options(titled("b"), start()).unwrap();
        assert_eq!((reworded.state_name(), reworded.due_at), (StateName::Queued, Some(start())));
    }
    assert_eq!(uploading(0).with_options(titled("b"), start()), Err(CommandRejected::UnderWay));
    assert_eq!(processing().with_options(titled("b"), start()), Err(CommandRejected::UnderWay));
}

#[test]
fn options_that_failed_a_post_are_mended_before_it_is_tried_again() {
    let failed = claimed().fail(Failure::new("options_invalid", "x", "x"), start()).unwrap();
    let mended = failed.with_options(titled("b"), start()).unwrap();
    assert_eq!(mended.state_name(), StateName::Failed);
    assert_eq!(mended.retry(start()).unwrap().request, titled("b"));
}

#[test]
fn a_post_is_released_by_what_its_account_does_not_ask_for_any_more_only() {
    let held = claimed().hold(HoldReason::Sidecar, start()).unwrap();
    assert!(held.clone().no_longer_held(HoldReason::Review, start()).is_err());
    assert_eq!(held.no_longer_held(HoldReason::Sidecar, start()).unwrap().state_name(), StateName::Queued);
}
