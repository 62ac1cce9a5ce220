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

/// Tags the version of an event's object as a sidecar. Only the latest version of a sidecar is read, so the bucket's
/// lifecycle rules (`template.yaml`) remove old versions with this tag. Without it, a version is kept.
pub(crate) async fn tag_sidecar(objects: &Objects, arrival: &Arrival) {
    let Some(version) = arrival.version_id.clone().map(ObjectVersion::Id) else { return };
    let source = Source { bucket: arrival.bucket.clone(), key: arrival.key.clone(), version };
    if let Err(error) = objects.tag(&source, &[("dropcast:state", "sidecar")]).await {
        tracing::warn!(object.key = arrival.key, error = error_chain(&error), "object not tagged as a sidecar");
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
