//! Posts that are asked for, and those whose bytes are on their way.

use super::*;
use crate::request::RequestDigest;
use crate::trace::TraceId;

const HOUR: Duration = Duration::from_hours(1);

fn request() -> Request {
    Request {
        id: PostId::new("a".repeat(32)).unwrap(),
        account: Alias::new("anna").unwrap(),
        options: PostOptions { title: Some("mine".into()), ..PostOptions::default() },
        digest: RequestDigest::of("uploads", "{}"),
        trace: Some(trace("6")),
    }
}

fn trace(digit: &str) -> TraceId {
    TraceId::try_from(format!("1-{}-{}", digit.repeat(8), digit.repeat(24))).unwrap()
}

pub(super) fn awaited() -> Post {
    let place = ("intake".to_owned(), "uploads/a/clip.mp4".to_owned());
    Post::await_upload(request(), place, VideoSize::new(SIZE).unwrap(), None, start())
}

pub(super) fn version(id: &str) -> ObjectVersion {
    ObjectVersion::Id(id.into())
}

#[test]
fn a_post_that_is_asked_for_has_the_id_of_its_request_and_is_due_at_once() {
    let source = submitted().source.clone();
    let post = Post::ask(request(), source, SIZE, start());
    assert_eq!((&post.id, post.state_name(), post.due_at), (&request().id, StateName::Queued, Some(start())));
    assert_eq!((&post.request, &post.request_digest), (&request().options, &Some(request().digest)));
    assert_eq!(post.trace, Some(trace("6")));
}

#[test]
fn a_post_is_known_before_its_bytes_are_and_pinned_to_the_first_that_come() {
    let post = awaited();
    assert!(post.state_name() == StateName::Held && post.clone().claim("w", start()).is_err());
    let arrived = post.arrived(version("v1"), Some(SIZE + 1), start()).unwrap();
    assert_eq!((&arrived.source.version, arrived.bytes), (&version("v1"), Some(SIZE + 1)));
    assert_eq!(arrived.clone().traced(Some(trace("7"))).trace, Some(trace("6")), "its request's trace is its own");
    assert!(arrived.clone().arrived(version("v2"), None, start()).is_err(), "a second upload is no second post");
    assert!(arrived.claim("w", start()).is_ok());
}

#[test]
fn a_post_whose_bytes_never_come_fails_and_cannot_be_tried_again() {
    let post = awaited();
    let until = post.upload_until().unwrap();
    assert!(post.clone().never_arrived(until).is_err(), "what left in time may be on its way");
    let failed = post.never_arrived(until + HOUR).unwrap();
    assert_eq!((failed.state_name(), failed.due_at), (StateName::Failed, None));
    assert_eq!(failed.clone().retry(until), Err(CommandRejected::NoBytes));
    let late = failed.arrived(version("v1"), None, until + HOUR).unwrap();
    assert_eq!(late.state_name(), StateName::Queued, "nothing that was sent is lost");
}

#[test]
fn a_post_that_waits_for_its_bytes_is_reworded_and_stopped_like_any_other() {
    let reworded = awaited().with_options(PostOptions::default(), start()).unwrap();
    assert!(reworded.awaits_bytes() && reworded.due_at == awaited().due_at);
    let stopped = awaited().cancel(start()).unwrap();
    assert!(stopped.arrived(version("v1"), None, start()).is_err());
    assert!(awaited().approve(start()).is_err() && awaited().options_arrived(start()).is_err());
}

#[test]
fn the_larger_a_video_the_longer_there_is_to_upload_it() {
    let term = |bytes| upload_term(VideoSize::new(bytes).unwrap());
    assert_eq!((term(1), term(3_600_000_000)), (HOUR, 2 * HOUR));
}
