//! Tests of posts that an API request creates.

use super::*;
use crate::request::RequestDigest;
use crate::trace::TraceId;

const HOUR: Duration = Duration::from_hours(1);

pub(super) fn request() -> Request {
    Request {
        id: PostId::new("a".repeat(32)).unwrap(),
        account: Alias::new("anna").unwrap(),
        options: PostOptions { title: Some("mine".into()), ..PostOptions::default() },
        digest: RequestDigest::of("uploads", "{}"),
        trace: Some(trace("6")),
        repost: Repost::Requested,
    }
}

fn trace(digit: &str) -> TraceId {
    TraceId::try_from(format!("1-{}-{}", digit.repeat(8), digit.repeat(24))).unwrap()
}

pub(super) fn awaited() -> Post {
    let location = ("intake".to_owned(), "uploads/a/clip.mp4".to_owned());
    Post::await_upload(request(), location, VideoSize::new(SIZE).unwrap(), None, start())
}

pub(super) fn version(id: &str) -> ObjectVersion {
    ObjectVersion::Id(id.into())
}

#[test]
fn requested_post_has_request_id_and_is_due() {
    let source = submitted().source.clone();
    let post = Post::create(request(), source, SIZE, start());
    assert_eq!((&post.id, post.state_name(), post.due_at), (&request().id, StateName::Queued, Some(start())));
    assert_eq!((&post.request, &post.request_digest), (&request().options, &Some(request().digest)));
    assert_eq!(post.trace, Some(trace("6")));
}

#[test]
fn held_post_is_pinned_to_first_version_that_arrives() {
    let post = awaited();
    assert!(post.state_name() == StateName::Held && post.clone().claim("w", start()).is_err());
    let arrived = post.attach_object(version("v1"), Some(SIZE + 1), start()).unwrap();
    assert_eq!((&arrived.source.version, arrived.bytes), (&version("v1"), Some(SIZE + 1)));
    assert_eq!(arrived.clone().with_trace(Some(trace("7"))).trace, Some(trace("6")), "the request's trace is kept");
    assert!(arrived.clone().attach_object(version("v2"), None, start()).is_err(), "a second upload is ignored");
    assert!(arrived.claim("w", start()).is_ok());
}

#[test]
fn post_without_bytes_fails_and_rejects_retry() {
    let post = awaited();
    let until = post.upload_until().unwrap();
    assert!(post.clone().expire_upload(until).is_err(), "an upload that began in time may still arrive");
    let failed = post.expire_upload(until + HOUR).unwrap();
    assert_eq!((failed.state_name(), failed.due_at), (StateName::Failed, None));
    assert_eq!(failed.clone().retry(until), Err(CommandRejected::NoBytes));
    let late = failed.attach_object(version("v1"), None, until + HOUR).unwrap();
    assert_eq!(late.state_name(), StateName::Queued, "a late upload is posted");
}

#[test]
fn post_held_for_bytes_can_change_and_cancel() {
    let changed = awaited().with_options(PostOptions::default(), start()).unwrap();
    assert!(changed.awaits_bytes() && changed.due_at == awaited().due_at);
    let cancelled = awaited().cancel(start()).unwrap();
    assert!(cancelled.attach_object(version("v1"), None, start()).is_err());
    assert!(awaited().approve(start()).is_err() && awaited().options_arrived(start()).is_err());
}

#[test]
fn upload_term_grows_with_size() {
    let term = |bytes| upload_term(VideoSize::new(bytes).unwrap());
    assert_eq!((term(1), term(3_600_000_000)), (HOUR, 2 * HOUR));
}
