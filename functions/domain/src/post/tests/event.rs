//! What TikTok says by itself, told as sentences.

use super::*;
use crate::report::{EventKind, Visibility, WebhookEvent};
use crate::settings::Settings as PostSettings;

const ID: &str = "7678907398077074696";

fn word(second: u64, tidings: EventKind) -> WebhookEvent {
    let publish_id = PublishId::new("v_pub_file~v2-1.1").unwrap();
    WebhookEvent { publish_id, at: start() + Duration::from_secs(second), tidings }
}

fn stands(standing: PublishStatus) -> WebhookEvent {
    word(0, EventKind::Status(standing))
}

fn public(second: u64) -> WebhookEvent {
    word(second, EventKind::Public(video_id(ID)))
}

fn withdrawn(second: u64) -> WebhookEvent {
    word(second, EventKind::Withdrawn(video_id(ID)))
}

fn failure(reason: &str) -> WebhookEvent {
    stands(PublishStatus::Failed { reason: reason.into() })
}

fn heard(post: Post, words: &[WebhookEvent]) -> Post {
    words.iter().fold(post, |post, word| post.clone().apply_event(word, start()).unwrap_or(post))
}

fn ids(post: &Post) -> Vec<&str> {
    match &post.state {
        PostState::Published { video_ids, .. } => video_ids.iter().map(VideoId::as_str).collect(),
        other => panic!("it should be published: {other:?}"),
    }
}

#[test]
fn a_word_settles_a_post_wherever_its_publish_is_under_way() {
    let unsent = uploading(10_000_000).hand_over(start()).unwrap();
    for post in [unsent, uploading(20_000_000), committed(), unconfirmed(), processing()] {
        let published = post.clone().apply_event(&stands(PublishStatus::Published), start()).unwrap();
        assert_eq!(published.state_name(), StateName::Published, "{:?}", post.state);
        let delivered = post.clone().apply_event(&stands(PublishStatus::InInbox), start()).unwrap();
        assert_eq!(delivered.state_name(), StateName::Delivered);
        assert_eq!(post.apply_event(&failure("spam_risk"), start()).unwrap().state_name(), StateName::Failed);
    }
}

#[test]
fn a_word_about_another_publish_than_the_newest_changes_nothing() {
    let anew = heard(processing(), &[failure("internal")]);
    assert_eq!((anew.state_name(), anew.publish_id()), (StateName::Queued, None));
    for late in [failure("internal"), stands(PublishStatus::Published), public(1), withdrawn(1)] {
        assert_eq!(anew.clone().apply_event(&late, start()), Err(EventIgnored::OtherPublish), "{late:?}");
    }
    let other = WebhookEvent { publish_id: PublishId::new("another").unwrap(), ..public(1) };
    assert_eq!(processing().apply_event(&other, start()), Err(EventIgnored::OtherPublish));
    assert_eq!(
        submitted().apply_event(&public(1), start()),
        Err(EventIgnored::OtherPublish),
        "it has no publish at all"
    );
}

#[test]
fn a_word_that_comes_again_changes_nothing() {
    for word in [
        stands(PublishStatus::Published),
        stands(PublishStatus::InInbox),
        failure("spam_risk"),
        public(1),
        withdrawn(1),
    ] {
        let once = heard(processing(), std::slice::from_ref(&word));
        assert_ne!(once, processing(), "{word:?}");
        assert_eq!(once.apply_event(&word, start() + SECOND), Err(EventIgnored::KnownAlready), "{word:?}");
    }
}

#[test]
fn what_is_public_was_published_whatever_was_heard_before() {
    for first in [
        stands(PublishStatus::InInbox),
        failure("spam_risk"),
        failure("publish_cancelled"),
        stands(PublishStatus::Published),
    ] {
        assert_eq!(ids(&heard(processing(), &[first, public(1)])), [ID]);
    }
    let late = heard(
        processing(),
        &[public(1), stands(PublishStatus::Published), stands(PublishStatus::InInbox), failure("internal")],
    );
    assert_eq!(ids(&late), [ID]);
}

#[test]
fn a_failure_that_comes_after_the_end_leaves_the_look_for_the_link_as_it_is() {
    for end in [stands(PublishStatus::Published), stands(PublishStatus::InInbox)] {
        let ended = heard(processing(), &[end]);
        assert!(ended.due_at.is_some());
        assert_eq!(ended.apply_event(&failure("internal"), start()), Err(EventIgnored::KnownAlready));
    }
}

#[test]
fn a_video_that_is_public_no_longer_has_no_link() {
    let linked = heard(processing(), &[public(1)]);
    let linked = linked.linked(Links::of_video("anna", &video_id(ID)), start()).unwrap();
    let gone = linked.apply_event(&withdrawn(2), start()).unwrap();
    let PostState::Published { video_ids, links, .. } = &gone.state else { panic!("{gone:?}") };
    assert_eq!((video_ids.len(), links, gone.due_at), (0, &Links::default(), None), "there is nothing to look for");
    assert!(gone.history.last().unwrap().note.contains("not public any more"));
    let mut polled = report(PublishStatus::Published);
    polled.video_ids = vec![video_id(ID)];
    polled.links = Links::of_video("anna", &video_id(ID));
    assert_eq!(
        gone.clone().apply_report(&polled, start()).unwrap(),
        gone,
        "an answer that was on its way brings nothing back"
    );
    assert_eq!(ids(&heard(gone, &[public(3)])), [ID], "it can be made public again");
}

#[test]
fn of_a_draft_that_was_posted_twice_one_video_stays() {
    let other = word(1, EventKind::Public(video_id("12")));
    let post = heard(processing(), &[public(1), other]);
    let post = post.linked(Links::of_video("anna", &video_id("12")), start()).unwrap();
    let post = heard(post, &[withdrawn(2)]);
    assert_eq!(ids(&post), ["12"]);
    assert!(matches!(&post.state, PostState::Published { links, .. } if links.lead_to(&video_id("12"))));
}

#[test]
fn who_can_see_a_video_goes_by_when_it_was_said_and_not_by_when_it_was_heard() {
    let words = [public(1), withdrawn(2), public(3), withdrawn(3)];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let post = heard(processing(), &order.map(|n| words[n].clone()));
        assert_eq!(ids(&post), [""; 0], "{order:?}: of one moment, the less is believed");
        let PostState::Published { visibility, .. } = &post.state else { panic!("{post:?}") };
        assert_eq!(visibility[0].visibility, Visibility::Withdrawn);
        assert_eq!(visibility.len(), 1);
    }
    assert_eq!(ids(&heard(processing(), &[public(3), withdrawn(2)])), [ID]);
}

#[test]
fn nobody_looks_again_once_all_is_known() {
    let unknown = heard(processing(), &[stands(PublishStatus::Published)]);
    assert_eq!(unknown.clone().finalize(), unknown, "its link may come");
    let linked = heard(unknown, &[public(1)]).linked(Links::of_video("anna", &video_id(ID)), start()).unwrap();
    assert!(linked.due_at.is_some(), "its cover may come");
    assert_eq!(linked.finalize().due_at, None);
    assert_eq!(processing().finalize(), processing());
}

#[test]
fn a_private_post_that_is_made_public_later_gets_its_link() {
    let own = crate::options::PostOptions { privacy_level: Some(PrivacyLevel::SelfOnly), ..Default::default() };
    let stack =
        StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let settings = PostSettings::resolve(&own, "clip.mp4", &stack).unwrap();
    let mut facts = (*processing()).clone();
    facts.settings = Some(settings);
    let own = heard(Post::restore(facts), &[stands(PublishStatus::Published)]);
    assert_eq!((own.state_name(), own.due_at), (StateName::Published, None));
    assert_eq!(ids(&heard(own, &[public(9)])), [ID]);
}

#[test]
fn a_post_that_waits_waits_for_its_account_once_the_consent_has_ended() {
    let wait = 900 * SECOND;
    let limited = claimed().defer("spam_risk_too_many_posts", "a cap", 80_000 * SECOND, start()).unwrap();
    for post in [submitted(), limited, uploading(10_000_000).hand_over(start()).unwrap()] {
        let upload = post.upload().cloned();
        let awaiting_reconnect = post.awaiting_reconnect("needs_reconnect", "connect it", wait, start()).unwrap();
        assert_eq!((awaiting_reconnect.due_at, awaiting_reconnect.upload().cloned()), (Some(start() + wait), upload));
        assert!(
            awaiting_reconnect.clone().awaiting_reconnect("needs_reconnect", "connect it", wait, start()).is_err(),
            "it does already"
        );
        assert!(awaiting_reconnect.reconnected("needs_reconnect", start()).is_ok());
    }
    for post in [claimed(), processing(), heard(processing(), &[public(1)])] {
        assert!(post.awaiting_reconnect("needs_reconnect", "connect it", wait, start()).is_err());
    }
}
