//! Calls whose failure is only logged: the poller or S3 does the same later.

use domain::failure::error_chain;
use domain::identity::PostId;
use domain::source::{Arrival, ObjectVersion, Source};
use storage::{Objects, WakeQueue};

/// Wakes a `publish` worker for a post at once. After a failure the poller wakes one. The post must be due for that.
pub(crate) async fn wake_worker(queue: &WakeQueue, id: &PostId) {
    if let Err(error) = queue.wake(id).await {
        let error = error_chain(&error);
        tracing::warn!(post.id = %id, error, "post not sent to the wake queue: the poller will find it, since it is due");
    }
}

/// What an object is of which no post is made. The bucket's lifecycle rules (`template.yaml`) remove old versions of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ObjectWithoutPost {
    /// A sidecar. Only its latest version is read.
    Sidecar,
    /// An upload for which no post waits.
    Ignored,
}

/// Tags the version of an event's object with what it is. Without the tag, the version is kept.
pub(crate) async fn tag_without_post(objects: &Objects, arrival: &Arrival, what: ObjectWithoutPost) {
    let Some(version) = arrival.version_id.clone().map(ObjectVersion::Id) else { return };
    let source = Source { bucket: arrival.bucket.clone(), key: arrival.key.clone(), version };
    let state = match what {
        ObjectWithoutPost::Sidecar => "sidecar",
        ObjectWithoutPost::Ignored => "ignored",
    };
    if let Err(error) = objects.tag(&source, &[("dropcast:state", state)]).await {
        tracing::warn!(object.key = arrival.key, error = error_chain(&error), "object not tagged as {state}");
    }
}

/// Abandons a multipart upload to the intake bucket. After a failure the bucket's lifecycle rule
/// (`template.yaml`) does so within a day.
pub(crate) async fn abandon_multipart_upload(objects: &Objects, bucket: &str, key: &str, upload: &str) {
    if let Err(error) = objects.abort_multipart_upload(bucket, key, upload).await {
        let error = error_chain(&error);
        tracing::warn!(object.key = key, error, "multipart upload not abandoned: the bucket removes it within a day");
    }
}
