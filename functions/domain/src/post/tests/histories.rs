//! Invariants of a post over random sequences of operations.

use proptest::prelude::*;

use super::*;
use crate::reason::Reason;
use crate::report::{EventKind, WebhookEvent};

/// An operation on a post.
#[derive(Debug, Clone)]
enum Operation {
    Claim,
    Begin,
    Advance,
    Commit,
    SendLast {
        answered: bool,
    },
    Defer,
    Reconnect,
    HandOver,
    Abandon,
    Fail,
    /// The worker sends the last chunk and stops before it stores the result.
    Vanish,
    Hold(HoldReason),
    Approve,
    ChangeOptions,
    Cancel,
    Retry,
    /// An object version arrives; its number.
    AttachObject(u8),
    /// The poller expires an upload that did not arrive.
    ExpireUpload,
    ApplyReport(StatusReport),
    /// TikTok denies that it knows the publish.
    Deny,
    ApplyEvent(WebhookEvent),
    Wait(u64),
}

fn same_video() -> HoldReason {
    HoldReason::SameVideo { earlier: PostId::random(&[1; 32]) }
}

/// Webhooks in any order, also of an earlier publish.
fn events() -> impl Strategy<Value = WebhookEvent> {
    let publish = prop::sample::select(vec!["v_pub_file~v2-1.1", "v_pub_file~v2-1.0"]);
    let kind = prop::sample::select(vec![
        EventKind::Status(PublishStatus::Published),
        EventKind::Status(PublishStatus::InInbox),
        EventKind::Status(PublishStatus::Failed { reason: "internal".into() }),
        EventKind::Status(PublishStatus::Failed { reason: "spam_risk".into() }),
        EventKind::Public(video_id("12")),
        EventKind::Withdrawn(video_id("12")),
    ]);
    (publish, kind, 0..5i64).prop_map(|(publish, kind, second)| WebhookEvent {
        publish_id: PublishId::new(publish).unwrap(),
        at: Timestamp::from_second(second).unwrap(),
        kind,
    })
}

fn operations() -> impl Strategy<Value = Operation> {
    let uploaded = prop::option::of(prop::sample::select(vec![0, 10_000_000, 19_999_999, 20_000_000, SIZE]));
    let status = prop::sample::select(vec![
        PublishStatus::Uploading,
        PublishStatus::Uploading,
        PublishStatus::Processing,
        PublishStatus::Unknown { status: "IN_REVIEW".into() },
        PublishStatus::InInbox,
        PublishStatus::Published,
        PublishStatus::Failed { reason: "internal".into() },
        PublishStatus::Failed { reason: "spam_risk".into() },
    ]);
    prop_oneof![
        3 => Just(Operation::Claim),
        3 => Just(Operation::Begin),
        4 => Just(Operation::Advance),
        3 => Just(Operation::Commit),
        3 => any::<bool>().prop_map(|answered| Operation::SendLast { answered }),
        1 => Just(Operation::Defer),
        1 => Just(Operation::Reconnect),
        1 => Just(Operation::HandOver),
        1 => Just(Operation::Abandon),
        1 => Just(Operation::Fail),
        1 => Just(Operation::Vanish),
        1 => prop::sample::select(vec![HoldReason::Review, HoldReason::Sidecar, same_video()]).prop_map(Operation::Hold),
        1 => Just(Operation::Approve),
        1 => Just(Operation::ChangeOptions),
        1 => Just(Operation::Cancel),
        2 => Just(Operation::Retry),
        1 => (0..3u8).prop_map(Operation::AttachObject),
        1 => Just(Operation::ExpireUpload),
        3 => (status, uploaded).prop_map(|(status, uploaded)| Operation::ApplyReport(StatusReport { uploaded, ..report(status) })),
        1 => Just(Operation::Deny),
        2 => events().prop_map(Operation::ApplyEvent),
        3 => prop::sample::select(vec![1, 130, 3000, 90_000]).prop_map(Operation::Wait),
    ]
}

/// What is true outside Dropcast: whether TikTok may have every byte of the newest upload.
#[derive(Default)]
struct World {
    may_have_every_byte: bool,
}

fn apply(post: Post, operation: &Operation, now: &mut Timestamp, world: &mut World) -> Post {
    let before = post.clone();
    let result = match operation {
        Operation::Claim => post.claim("w", *now).map_err(|_| ()),
        Operation::Begin => post.begin(granted_upload(*now), *now).map_err(|_| ()),
        Operation::Advance => match post.upload().and_then(Upload::next_chunk) {
            Some(chunk) if chunk.end() < SIZE => post.progress(chunk.end(), None, *now).map_err(|_| ()),
            _ => Err(()),
        },
        Operation::Commit => match post.upload().and_then(Upload::next_chunk) {
            Some(chunk) if chunk.end() == SIZE => post.commit(*now).map_err(|_| ()),
            _ => Err(()),
        },
        Operation::SendLast { answered } => match post.upload() {
            Some(upload) if upload.may_be_complete() && post.state_name() == StateName::Uploading => {
                world.may_have_every_byte = true;
                let unconfirmed = SentReceipt::Unconfirmed { why: "x".into() };
                post.sent(if *answered { SentReceipt::Confirmed } else { unconfirmed }, *now).map_err(|_| ())
            }
            _ => Err(()),
        },
        Operation::Defer => post.defer(Reason::NeedsReconnect, "x", SECOND, *now).map_err(|_| ()),
        Operation::Reconnect => post.reconnected(*now).map_err(|_| ()),
        Operation::HandOver => post.hand_over(*now).map_err(|_| ()),
        Operation::Abandon => post.abandon(*now, "x").map_err(|_| ()),
        Operation::Fail => post.fail(Failure::of(Reason::FileEmpty, "x"), *now).map_err(|_| ()),
        Operation::Vanish => {
            let working = post.state_name() == StateName::Uploading;
            world.may_have_every_byte |= working && post.upload().is_some_and(Upload::may_be_complete);
            Err(())
        }
        Operation::Hold(reason) => post.hold(reason.clone(), *now).map_err(|_| ()),
        Operation::Approve => post.approve(*now).map_err(|_| ()),
        Operation::ChangeOptions => post.with_options(PostOptions::default(), *now).map_err(|_| ()),
        Operation::Cancel => post.cancel(*now).map_err(|_| ()),
        Operation::Retry => post.retry(*now).map_err(|_| ()),
        Operation::AttachObject(which) => {
            post.attach_object(create::version(&which.to_string()), None, *now).map_err(|_| ())
        }
        Operation::ExpireUpload => post.expire_upload(*now).map_err(|_| ()),
        // TikTok's position can lag behind or stop changing, also after the upload URL has expired.
        Operation::ApplyReport(report) => post.apply_report(report, *now).map_err(|_| ()),
        Operation::Deny => Ok(post.publish_denied(Failure::new(Reason::parse("invalid_publish_id"), "x", "x"), *now)),
        Operation::ApplyEvent(event) => post.apply_event(event, *now).map_err(|_| ()),
        Operation::Wait(seconds) => {
            *now += Duration::from_secs(*seconds);
            Err(())
        }
    };
    result.unwrap_or(before)
}

/// Whether TikTok reports, in a poll or a webhook, that the publish failed. It then no longer has the bytes.
fn reports_failure(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::ApplyReport(StatusReport { status: PublishStatus::Failed { .. }, .. })
            | Operation::ApplyEvent(WebhookEvent { kind: EventKind::Status(PublishStatus::Failed { .. }), .. })
    )
}

proptest! {
    #[test]
    fn no_second_upload_while_tiktok_may_have_every_byte(history in prop::collection::vec(operations(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for operation in &history {
            let before = post.clone();
            post = apply(post, operation, &mut now, &mut world);
            if reports_failure(operation) && post != before {
                world.may_have_every_byte = false;
            }
            if post.inits > before.inits {
                prop_assert!(!world.may_have_every_byte, "a second upload after {before:?}");
            }
        }
    }

    #[test]
    fn every_post_has_ended_or_is_held_or_due(history in prop::collection::vec(operations(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for operation in &history {
            post = apply(post, operation, &mut now, &mut world);
            let at_rest = matches!(
                post.state_name(),
                StateName::Held | StateName::Published | StateName::Delivered | StateName::Failed | StateName::Cancelled
            );
            prop_assert!(at_rest || post.due_at.is_some(), "no run of the poller finds {post:?}");
        }
    }

    #[test]
    fn no_command_succeeds_while_tiktok_may_have_every_byte(history in prop::collection::vec(operations(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for operation in &history {
            let before = post.clone();
            post = apply(post, operation, &mut now, &mut world);
            if reports_failure(operation) && post != before {
                world.may_have_every_byte = false;
            }
            let command = matches!(operation, Operation::Approve | Operation::ChangeOptions | Operation::Cancel | Operation::Retry);
            if command && post != before {
                prop_assert!(!world.may_have_every_byte, "{operation:?} of {before:?}");
                prop_assert_eq!(&post.id, &before.id);
                prop_assert!(post.history.len() > before.history.len() || before.history.len() >= 50);
            }
        }
    }

    #[test]
    fn post_is_pinned_to_first_version_and_never_claimed_before(history in prop::collection::vec(operations(), 1..60)) {
        let (mut post, mut now, mut world) = (create::awaited(), start(), World::default());
        for operation in &history {
            let before = post.clone();
            post = apply(post, operation, &mut now, &mut world);
            prop_assert!(!before.source.version.is_known() || post.source == before.source, "{operation:?} of {before:?}");
            prop_assert!(post.source.version.is_known() || post.attempt == 0, "{operation:?} of {before:?}");
            let waits = post.awaits_bytes();
            prop_assert!(!waits || post.due_at.is_some(), "no run of the poller expires {post:?}");
        }
    }

    #[test]
    fn published_state_is_final(history in prop::collection::vec(operations(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for operation in &history {
            let was_published = post.state_name() == StateName::Published;
            post = apply(post, operation, &mut now, &mut world);
            prop_assert!(!was_published || post.state_name() == StateName::Published);
        }
    }

    #[test]
    fn webhooks_in_any_order_lead_to_same_state(
        (sent, received) in prop::collection::vec(events(), 1..12).prop_flat_map(|sent| (Just(sent.clone()), Just(sent).prop_shuffle())),
    ) {
        // TikTok reports one result of a publish, and a failure of its own leads to another publish. So failures are
        // excluded.
        let no_failure = |event: &&WebhookEvent| !matches!(event.kind, EventKind::Status(PublishStatus::Failed { .. }));
        let final_state = |events: &[WebhookEvent]| {
            let apply = |post: Post, event: &WebhookEvent| post.clone().apply_event(event, start()).unwrap_or(post);
            let mut facts = (*events.iter().filter(no_failure).fold(processing(), apply)).clone();
            facts.history.clear();
            if let PostState::Published { visibility, .. } = &mut facts.state {
                visibility.sort_by(|a, b| a.video.cmp(&b.video));
            }
            (facts.state, facts.due_at)
        };
        prop_assert_eq!(final_state(&sent), final_state(&received));
    }
}
