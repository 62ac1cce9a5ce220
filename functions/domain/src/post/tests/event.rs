//! Tests of webhooks.

use super::*;
use crate::report::{EventKind, Visibility, WebhookEvent};
use crate::settings::Settings as PostSettings;

const ID: &str = "7678907398077074696";

fn event(second: u64, kind: EventKind) -> WebhookEvent {
    let publish_id = PublishId::new("v_pub_file~v2-1.1").unwrap();
    WebhookEvent { publish_id, at: start() + Duration::from_secs(second), kind }
}

fn status(status: PublishStatus) -> WebhookEvent {
    event(0, EventKind::Status(status))
}

fn public(second: u64) -> WebhookEvent {
    event(second, EventKind::Public(video_id(ID)))
}

fn withdrawn(second: u64) -> WebhookEvent {
    event(second, EventKind::Withdrawn(video_id(ID)))
}

fn failure(reason: &str) -> WebhookEvent {
    status(PublishStatus::Failed { reason: reason.into() })
}

fn applied(post: Post, events: &[WebhookEvent]) -> Post {
    events.iter().fold(post, |post, event| post.clone().apply_event(event, start()).unwrap_or(post))
}

fn ids(post: &Post) -> Vec<&str> {
    match &post.state {
        PostState::Published { video_ids, .. } => video_ids.iter().map(VideoId::as_str).collect(),
        other => panic!("it should be published: {other:?}"),
    }
}

#[test]
fn status_webhook_ends_post_in_any_publishing_state() {
    let unsent = uploading(10_000_000).hand_over(start()).unwrap();
    for post in [unsent, uploading(20_000_000), committed(), unconfirmed(), processing()] {
        let published = post.clone().apply_event(&status(PublishStatus::Published), start()).unwrap();
        assert_eq!(published.state_name(), StateName::Published, "{:?}", post.state);
        let delivered = post.clone().apply_event(&status(PublishStatus::InInbox), start()).unwrap();
        assert_eq!(delivered.state_name(), StateName::Delivered);
        assert_eq!(post.apply_event(&failure("spam_risk"), start()).unwrap().state_name(), StateName::Failed);
    }
}

#[test]
fn webhook_of_other_publish_is_ignored() {
    let queued = applied(processing(), &[failure("internal")]);
    assert_eq!((queued.state_name(), queued.publish_id()), (StateName::Queued, None));
    for late in [failure("internal"), status(PublishStatus::Published), public(1), withdrawn(1)] {
        assert_eq!(queued.clone().apply_event(&late, start()), Err(EventIgnored::OtherPublish), "{late:?}");
    }
    let other = WebhookEvent { publish_id: PublishId::new("another").unwrap(), ..public(1) };
    assert_eq!(processing().apply_event(&other, start()), Err(EventIgnored::OtherPublish));
    assert_eq!(submitted().apply_event(&public(1), start()), Err(EventIgnored::OtherPublish), "it has no publish");
}

#[test]
fn repeated_webhook_is_ignored() {
    for event in [
        status(PublishStatus::Published),
        status(PublishStatus::InInbox),
        failure("spam_risk"),
        public(1),
        withdrawn(1),
    ] {
        let once = applied(processing(), std::slice::from_ref(&event));
        assert_ne!(once, processing(), "{event:?}");
        assert_eq!(once.apply_event(&event, start() + SECOND), Err(EventIgnored::KnownAlready), "{event:?}");
    }
}

#[test]
fn public_webhook_publishes_post_from_any_end() {
    for first in [
        status(PublishStatus::InInbox),
        failure("spam_risk"),
        failure("publish_cancelled"),
        status(PublishStatus::Published),
    ] {
        assert_eq!(ids(&applied(processing(), &[first, public(1)])), [ID]);
    }
    let late = applied(
        processing(),
        &[public(1), status(PublishStatus::Published), status(PublishStatus::InInbox), failure("internal")],
    );
    assert_eq!(ids(&late), [ID]);
}

#[test]
fn late_failure_keeps_published_post_polling() {
    for end in [status(PublishStatus::Published), status(PublishStatus::InInbox)] {
        let ended = applied(processing(), &[end]);
        assert!(ended.due_at.is_some());
        assert_eq!(ended.apply_event(&failure("internal"), start()), Err(EventIgnored::KnownAlready));
    }
}

#[test]
fn withdrawn_video_loses_id_and_link() {
    let linked = applied(processing(), &[public(1)]);
    let linked = linked.linked(Links::of_video("anna", &video_id(ID)), start()).unwrap();
    let withdrawn_post = linked.apply_event(&withdrawn(2), start()).unwrap();
    let PostState::Published { video_ids, links, .. } = &withdrawn_post.state else { panic!("{withdrawn_post:?}") };
    assert_eq!(
        (video_ids.len(), links, withdrawn_post.due_at),
        (0, &Links::default(), None),
        "there is no link to poll for"
    );
    assert!(withdrawn_post.history.last().unwrap().note.contains("no longer public"));
    let mut polled = report(PublishStatus::Published);
    polled.video_ids = vec![video_id(ID)];
    polled.links = Links::of_video("anna", &video_id(ID));
    assert_eq!(
        withdrawn_post.clone().apply_report(&polled, start()).unwrap(),
        withdrawn_post,
        "an older report does not restore the video"
    );
    assert_eq!(ids(&applied(withdrawn_post, &[public(3)])), [ID], "it can be made public again");
}

#[test]
fn draft_posted_twice_keeps_the_public_video() {
    let other = event(1, EventKind::Public(video_id("12")));
    let post = applied(processing(), &[public(1), other]);
    let post = post.linked(Links::of_video("anna", &video_id("12")), start()).unwrap();
    let post = applied(post, &[withdrawn(2)]);
    assert_eq!(ids(&post), ["12"]);
    assert!(matches!(&post.state, PostState::Published { links, .. } if links.belong_to(&video_id("12"))));
}

#[test]
fn visibility_follows_tiktoks_timestamps() {
    let events = [public(1), withdrawn(2), public(3), withdrawn(3)];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let post = applied(processing(), &order.map(|n| events[n].clone()));
        assert_eq!(ids(&post), [""; 0], "{order:?}: of the same second, withdrawn counts");
        let PostState::Published { visibility, .. } = &post.state else { panic!("{post:?}") };
        assert_eq!(visibility[0].visibility, Visibility::Withdrawn);
        assert_eq!(visibility.len(), 1);
    }
    assert_eq!(ids(&applied(processing(), &[public(3), withdrawn(2)])), [ID]);
}

#[test]
fn finalize_stops_polling_once_link_is_known() {
    let unknown = applied(processing(), &[status(PublishStatus::Published)]);
    assert_eq!(unknown.clone().finalize(), unknown, "its link may be revealed");
    let linked = applied(unknown, &[public(1)]).linked(Links::of_video("anna", &video_id(ID)), start()).unwrap();
    assert!(linked.due_at.is_some(), "its cover may be revealed");
    assert_eq!(linked.finalize().due_at, None);
    assert_eq!(processing().finalize(), processing());
}

#[test]
fn private_post_made_public_later_gets_video_id() {
    let own = crate::options::PostOptions { privacy_level: Some(PrivacyLevel::SelfOnly), ..Default::default() };
    let stack =
        StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let settings = PostSettings::resolve(&own, "clip.mp4", &stack).unwrap();
    let mut facts = (*processing()).clone();
    facts.settings = Some(settings);
    let own = applied(Post::restore(facts), &[status(PublishStatus::Published)]);
    assert_eq!((own.state_name(), own.due_at), (StateName::Published, None));
    assert_eq!(ids(&applied(own, &[public(9)])), [ID]);
}

#[test]
fn queued_post_is_deferred_when_authorization_is_lost() {
    let wait = 900 * SECOND;
    let limited = claimed()
        .defer(Reason::parse("spam_risk_too_many_posts"), "the daily limit", 80_000 * SECOND, start())
        .unwrap();
    for post in [submitted(), limited, uploading(10_000_000).hand_over(start()).unwrap()] {
        let upload = post.upload().cloned();
        let waiting = post.awaiting_reconnect("connect it", wait, start()).unwrap();
        assert_eq!((waiting.due_at, waiting.upload().cloned()), (Some(start() + wait), upload));
        assert!(waiting.clone().awaiting_reconnect("connect it", wait, start()).is_err(), "it waits already");
        assert!(waiting.reconnected(start()).is_ok());
    }
    for post in [claimed(), processing(), applied(processing(), &[public(1)])] {
        assert!(post.awaiting_reconnect("connect it", wait, start()).is_err());
    }
}
