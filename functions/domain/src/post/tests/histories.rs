//! Random histories: whatever happens, in whatever order, the promises hold.

use proptest::prelude::*;

use super::*;
use crate::report::{EventKind, WebhookEvent};

/// What may happen to a post, as random histories are made of.
#[derive(Debug, Clone)]
enum Act {
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
    /// The last chunk leaves, and its worker vanishes.
    Vanish,
    Hold(HoldReason),
    Approve,
    Reword,
    Cancel,
    Retry,
    /// An upload to the post's address; which one.
    Arrive(u8),
    /// The look at what is due.
    GiveUp,
    Settle(StatusReport),
    Hear(WebhookEvent),
    Pass(u64),
}

/// What TikTok may say by itself: in any order, and of an earlier publish too.
fn words() -> impl Strategy<Value = WebhookEvent> {
    let publish = prop::sample::select(vec!["v_pub_file~v2-1.1", "v_pub_file~v2-1.0"]);
    let tidings = prop::sample::select(vec![
        EventKind::Status(PublishStatus::Published),
        EventKind::Status(PublishStatus::InInbox),
        EventKind::Status(PublishStatus::Failed { reason: "internal".into() }),
        EventKind::Status(PublishStatus::Failed { reason: "spam_risk".into() }),
        EventKind::Public(video_id("12")),
        EventKind::Withdrawn(video_id("12")),
    ]);
    (publish, tidings, 0..5i64).prop_map(|(publish, tidings, second)| WebhookEvent {
        publish_id: PublishId::new(publish).unwrap(),
        at: Timestamp::from_second(second).unwrap(),
        tidings,
    })
}

fn acts() -> impl Strategy<Value = Act> {
    let uploaded = prop::option::of(prop::sample::select(vec![0, 10_000_000, 19_999_999, 20_000_000, SIZE]));
    let standing = prop::sample::select(vec![
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
        3 => Just(Act::Claim),
        3 => Just(Act::Begin),
        4 => Just(Act::Advance),
        3 => Just(Act::Commit),
        3 => any::<bool>().prop_map(|answered| Act::SendLast { answered }),
        1 => Just(Act::Defer),
        1 => Just(Act::Reconnect),
        1 => Just(Act::HandOver),
        1 => Just(Act::Abandon),
        1 => Just(Act::Fail),
        1 => Just(Act::Vanish),
        1 => prop::sample::select(vec![HoldReason::Review, HoldReason::Sidecar]).prop_map(Act::Hold),
        1 => Just(Act::Approve),
        1 => Just(Act::Reword),
        1 => Just(Act::Cancel),
        2 => Just(Act::Retry),
        1 => (0..3u8).prop_map(Act::Arrive),
        1 => Just(Act::GiveUp),
        3 => (standing, uploaded).prop_map(|(standing, uploaded)| Act::Settle(StatusReport { uploaded, ..report(standing) })),
        2 => words().prop_map(Act::Hear),
        3 => prop::sample::select(vec![1, 130, 3000, 90_000]).prop_map(Act::Pass),
    ]
}

/// Whether TikTok may hold every byte of the newest upload, as the world knows it.
#[derive(Default)]
struct World {
    may_hold_all: bool,
}

fn act(post: Post, what: &Act, now: &mut Timestamp, world: &mut World) -> Post {
    let kept = post.clone();
    let step = match what {
        Act::Claim => post.claim("w", *now).map_err(|_| ()),
        Act::Begin => post.begin(ticket(*now), *now).map_err(|_| ()),
        Act::Advance => match post.upload().and_then(Upload::next_chunk) {
            Some(chunk) if chunk.end() < SIZE => post.progress(chunk.end(), None, *now).map_err(|_| ()),
            _ => Err(()),
        },
        Act::Commit => match post.upload().and_then(Upload::next_chunk) {
            Some(chunk) if chunk.end() == SIZE => post.commit(*now).map_err(|_| ()),
            _ => Err(()),
        },
        Act::SendLast { answered } => match post.upload() {
            Some(upload) if upload.may_be_complete() && post.state_name() == StateName::Uploading => {
                world.may_hold_all = true;
                let unsure = SentReceipt::Unconfirmed { why: "x".into() };
                post.sent(if *answered { SentReceipt::Confirmed } else { unsure }, *now).map_err(|_| ())
            }
            _ => Err(()),
        },
        Act::Defer => post.defer("x", "x", SECOND, *now).map_err(|_| ()),
        Act::Reconnect => post.reconnected("x", *now).map_err(|_| ()),
        Act::HandOver => post.hand_over(*now).map_err(|_| ()),
        Act::Abandon => post.abandon(*now, "x").map_err(|_| ()),
        Act::Fail => post.fail(Failure::new("x", "x", "x"), *now).map_err(|_| ()),
        Act::Vanish => {
            let working = post.state_name() == StateName::Uploading;
            world.may_hold_all |= working && post.upload().is_some_and(Upload::may_be_complete);
            Err(())
        }
        Act::Hold(reason) => post.hold(*reason, *now).map_err(|_| ()),
        Act::Approve => post.approve(*now).map_err(|_| ()),
        Act::Reword => post.with_options(PostOptions::default(), *now).map_err(|_| ()),
        Act::Cancel => post.cancel(*now).map_err(|_| ()),
        Act::Retry => post.retry(*now).map_err(|_| ()),
        Act::Arrive(which) => post.arrived(create::version(&which.to_string()), None, *now).map_err(|_| ()),
        Act::GiveUp => post.never_arrived(*now).map_err(|_| ()),
        Act::Settle(told) => {
            // TikTok's number may lag, but not beyond the upload URL's death.
            let missing = told.uploaded.is_some_and(|uploaded| uploaded < SIZE - 1);
            let dead = post.upload().is_some_and(|upload| upload.is_dead(*now));
            let lie = world.may_hold_all && missing && dead && told.standing == PublishStatus::Uploading;
            if lie { Err(()) } else { post.apply_report(told, *now).map_err(|_| ()) }
        }
        Act::Hear(said) => post.apply_event(said, *now).map_err(|_| ()),
        Act::Pass(seconds) => {
            *now += Duration::from_secs(*seconds);
            Err(())
        }
    };
    step.unwrap_or(kept)
}

proptest! {
    #[test]
    fn no_history_begins_anew_while_tiktok_may_hold_every_byte(history in prop::collection::vec(acts(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for what in &history {
            let before = post.clone();
            post = act(post, what, &mut now, &mut world);
            let failed_by_tiktok = matches!(
                what,
                Act::Settle(StatusReport { standing: PublishStatus::Failed { .. }, .. })
                    | Act::Hear(WebhookEvent { tidings: EventKind::Status(PublishStatus::Failed { .. }), .. })
            );
            if failed_by_tiktok && post != before {
                world.may_hold_all = false;
            }
            if post.inits > before.inits {
                prop_assert!(!world.may_hold_all, "a second upload after {before:?}");
            }
        }
    }

    #[test]
    fn a_post_is_at_an_end_or_held_or_due(history in prop::collection::vec(acts(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for what in &history {
            post = act(post, what, &mut now, &mut world);
            let at_rest = matches!(
                post.state_name(),
                StateName::Held | StateName::Published | StateName::Delivered | StateName::Failed | StateName::Cancelled
            );
            prop_assert!(at_rest || post.due_at.is_some(), "nobody would look at {post:?}");
        }
    }

    #[test]
    fn no_wish_of_a_persons_is_granted_while_tiktok_may_hold_every_byte(history in prop::collection::vec(acts(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for what in &history {
            let before = post.clone();
            post = act(post, what, &mut now, &mut world);
            let verdict = matches!(what, Act::Settle(StatusReport { standing: PublishStatus::Failed { .. }, .. }));
            if verdict && post != before {
                world.may_hold_all = false;
            }
            let wish = matches!(what, Act::Approve | Act::Reword | Act::Cancel | Act::Retry);
            if wish && post != before {
                prop_assert!(!world.may_hold_all, "{what:?} of {before:?}");
                prop_assert_eq!(&post.id, &before.id);
                prop_assert!(post.history.len() > before.history.len() || before.history.len() >= 50);
            }
        }
    }

    #[test]
    fn a_post_is_pinned_to_the_first_bytes_that_come_and_never_begun_before(history in prop::collection::vec(acts(), 1..60)) {
        let (mut post, mut now, mut world) = (create::awaited(), start(), World::default());
        for what in &history {
            let before = post.clone();
            post = act(post, what, &mut now, &mut world);
            prop_assert!(!before.source.version.is_known() || post.source == before.source, "{what:?} of {before:?}");
            prop_assert!(post.source.version.is_known() || post.attempt == 0, "{what:?} of {before:?}");
            let waits = post.awaits_bytes();
            prop_assert!(!waits || post.due_at.is_some(), "nobody would give {post:?} up");
        }
    }

    #[test]
    fn a_verdict_is_final_in_any_order(history in prop::collection::vec(acts(), 1..60)) {
        let (mut post, mut now, mut world) = (submitted(), start(), World::default());
        for what in &history {
            let was_published = post.state_name() == StateName::Published;
            post = act(post, what, &mut now, &mut world);
            prop_assert!(!was_published || post.state_name() == StateName::Published);
        }
    }

    #[test]
    fn the_same_words_in_another_order_end_in_the_same_place(
        (said, heard) in prop::collection::vec(words(), 1..12).prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
    ) {
        // Of one publish TikTok says one end; and what it fails itself leads to another one.
        let one_end = |word: &&WebhookEvent| !matches!(word.tidings, EventKind::Status(PublishStatus::Failed { .. }));
        let told = |words: &[WebhookEvent]| {
            let hear = |post: Post, word: &WebhookEvent| post.clone().apply_event(word, start()).unwrap_or(post);
            let mut facts = (*words.iter().filter(one_end).fold(processing(), hear)).clone();
            facts.history.clear();
            if let PostState::Published { visibility, .. } = &mut facts.state {
                visibility.sort_by(|a, b| a.video.cmp(&b.video));
            }
            (facts.state, facts.due_at)
        };
        prop_assert_eq!(told(&said), told(&heard));
    }
}
