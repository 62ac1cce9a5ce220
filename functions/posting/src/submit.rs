//! Processes S3 events about dropped videos, uploaded videos and sidecars, and such objects without an event. A dropped
//! version becomes one post, however often S3 sends its event: the post's id is derived from the version, and the post
//! is created by a conditional write.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::drop_ignored::IgnoredObject;
use domain::drop_key::{DropKey, Ignored, sidecar};
use domain::identity::PostId;
use domain::post::{Post, StateName};
use domain::source::{Arrival, ObjectVersion, Source};
use storage::{Created, ObjectError, Objects, Posts, StoreError, Versioned};

use crate::best_effort::tag_sidecar;
use crate::compare_and_swap::{Change, update};
use crate::config::Config;
use crate::invocation::{Instruments, Worker};
use crate::state_recorder::record_received;
use crate::upload::UploadWorker;

/// What an event led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The event's post is stored; a worker may claim it.
    Post(PostId),
    /// The object is a sidecar. These posts were held for it and are released; their workers read the options again.
    Options(Vec<PostId>),
    /// No post is made of the object, and [`IgnoredObjects`](crate::IgnoredObjects) must report it.
    Ignored(Box<IgnoredObject>),
    /// There is nothing to do; the log says why.
    Nothing,
}

/// The log's message for a new post that an event led to.
const EVENT_RECEIVED: &str = "event received: post stored";

/// What an event led to, before a new post is stored.
enum Received {
    /// The new post of a dropped video, not stored yet.
    Video(Box<Post>),
    /// Nothing is left to store.
    Done(Submitted),
}

/// Why an event was not processed. It must not be acknowledged.
#[expect(missing_docs, reason = "the message of each undocumented variant says what it means")]
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("the post could not be stored")]
    Store(#[from] StoreError),
    #[error("the object could not be found in the bucket")]
    Object(#[from] ObjectError),
    #[error("the post is being changed by others")]
    Busy,
}

from_dependencies! {
    /// Stores posts for S3 events.
    pub struct Submit { posts: Posts, objects: Objects, config: Arc<Config>, instruments: Instruments, }
}

impl Submit {
    /// Processes an event: stores a new post, pins a post to its uploaded video, or releases the posts of a sidecar.
    ///
    /// # Errors
    /// Nothing was stored; the caller must not acknowledge the event.
    pub async fn submit(&self, arrival: &Arrival) -> Result<Submitted, SubmitError> {
        self.submit_noting(arrival, EVENT_RECEIVED).await
    }

    /// Does the same for an object that was found in the bucket, because its event is late or lost.
    ///
    /// # Errors
    /// Nothing was stored.
    pub(crate) async fn submit_missed(&self, arrival: &Arrival) -> Result<Submitted, SubmitError> {
        self.submit_noting(arrival, "object found without event: post stored").await
    }

    async fn submit_noting(&self, arrival: &Arrival, note: &str) -> Result<Submitted, SubmitError> {
        match Box::pin(self.receive(arrival)).await? {
            Received::Video(post) => {
                Box::pin(self.store(&post, note)).await?;
                Ok(Submitted::Post(post.id.clone()))
            }
            Received::Done(submitted) => Ok(submitted),
        }
    }

    /// Processes an event, and works on its posts at once. A new post is claimed by the same write that creates it,
    /// which saves a read and a write. Returns an object that must be reported, as [`Submitted::Ignored`] does.
    ///
    /// # Errors
    /// The caller must not acknowledge the event. A post that was stored is due again.
    pub async fn submit_and_upload(
        &self,
        arrival: &Arrival,
        uploads: &UploadWorker,
        worker: &Worker,
    ) -> Result<Option<Box<IgnoredObject>>, SubmitError> {
        let posts = match Box::pin(self.receive(arrival)).await? {
            Received::Video(post) => {
                let id = post.id.clone();
                let claimed = post.clone().claim(&worker.name, post.created_at);
                match Box::pin(self.store(claimed.as_ref().unwrap_or(&post), EVENT_RECEIVED)).await? {
                    Created::New(post) if claimed.is_ok() => {
                        uploads.work_on_claimed(post, worker).await?;
                        return Ok(None);
                    }
                    Created::New(_) | Created::Already(_) => vec![id],
                }
            }
            Received::Done(Submitted::Post(id)) => vec![id],
            Received::Done(Submitted::Options(ids)) => ids,
            Received::Done(Submitted::Ignored(ignored)) => return Ok(Some(ignored)),
            Received::Done(Submitted::Nothing) => vec![],
        };
        for post in posts {
            uploads.upload(&post, worker).await?;
        }
        Ok(None)
    }

    async fn receive(&self, arrival: &Arrival) -> Result<Received, SubmitError> {
        match DropKey::parse(&arrival.key) {
            DropKey::Video { account } => {
                let account = account.unwrap_or_else(|| self.config.default_account.clone());
                let Some((source, bytes)) = self.source_of(arrival).await? else {
                    return Ok(Received::Done(Submitted::Nothing));
                };
                let now = self.instruments.now();
                // S3's clock may be ahead of ours.
                let dropped_at = arrival.at.map_or(now, |at| at.min(now));
                let post = Post::submit(account, source, bytes, now)
                    .with_dropped_at(dropped_at)
                    .with_trace(arrival.trace.clone());
                Ok(Received::Video(Box::new(post)))
            }
            DropKey::Upload { post } => Ok(Received::Done(self.pin(post, arrival).await?)),
            DropKey::Sidecar => {
                let released = self.release_for_sidecar(arrival).await?;
                tag_sidecar(&self.objects, arrival).await;
                Ok(Received::Done(Submitted::Options(released)))
            }
            DropKey::Ignored(why) => Ok(Received::Done(self.ignored(why, arrival).await?)),
        }
    }

    /// Describes an object of which no post is made, unless it is gone or the reason is silent.
    async fn ignored(&self, why: Ignored, arrival: &Arrival) -> Result<Submitted, SubmitError> {
        if why.is_silent() {
            tracing::info!(object.key = arrival.key, why = %why, "object ignored");
            return Ok(Submitted::Nothing);
        }
        let dropped_at = arrival.at.unwrap_or_else(|| self.instruments.now());
        let source = self.source_of(arrival).await?;
        Ok(source.map_or(Submitted::Nothing, |(source, _)| {
            Submitted::Ignored(Box::new(IgnoredObject { source, why, dropped_at }))
        }))
    }

    /// Pins a post that waits for its upload to the object version that has arrived. Objects with another key and later
    /// versions are ignored and reported, so that the post's video cannot change.
    async fn pin(&self, id: PostId, arrival: &Arrival) -> Result<Submitted, SubmitError> {
        let id = &id;
        let pinned = update(
            None,
            || async move {
                let Some(post) = self.posts.get(id).await?.filter(|post| post.source.key == arrival.key) else {
                    return Ok(Err(Some(Ignored::NoPost)));
                };
                Ok(self.source_of(arrival).await?.map(|(source, bytes)| (post, source, bytes)).ok_or(None))
            },
            |read: Result<(Versioned<Post>, Source, Option<u64>), Option<Ignored>>| {
                let (post, source, bytes) = match read {
                    Ok(read) => read,
                    Err(why) => return Ok(Change::Stop(Err(why))),
                };
                let state = post.state_name();
                if post.source == source {
                    tracing::info!(post.id = %id, post.state = %state, "event received again: post known");
                    return Ok(Change::Stop(Ok(id)));
                }
                let Ok(arrived) = post.value.clone().attach_object(source.version, bytes, self.instruments.now())
                else {
                    return Ok(Change::Stop(Err(Some(Ignored::PostClosed))));
                };
                Ok::<_, SubmitError>(Change::Save((post, arrived.with_trace(arrival.trace.clone()))))
            },
            |(post, arrived): (Versioned<Post>, Post)| async move {
                let bytes = arrived.bytes;
                self.posts.save(post, arrived, self.instruments.now()).await?;
                tracing::info!(post.id = %id, video.bytes = bytes, "object received: the post has its video");
                Ok(Ok(id))
            },
        );
        match pinned.await?.ok_or(SubmitError::Busy)? {
            Ok(id) => Ok(Submitted::Post(id.clone())),
            Err(Some(why)) => self.ignored(why, arrival).await,
            Err(None) => Ok(Submitted::Nothing),
        }
    }

    /// Creates a post. `note` is the log's message for a new one.
    async fn store(&self, post: &Post, note: &str) -> Result<Created, StoreError> {
        let created = self.posts.create(post).await?;
        match &created {
            Created::New(_) => record_received(post, &self.instruments, note),
            Created::Already(existing) => {
                tracing::info!(post.id = %post.id, post.state = %existing.state_name(), "event received again: post known");
            }
        }
        Ok(created)
    }

    /// Pins the object of an event to a version. Logs a warning and returns `None` if the object is gone and its
    /// version unknown.
    ///
    /// If the event states no version id, as a hand-written event may, S3 is asked for it. The post's id is derived
    /// from the version: an event with an ETag only, pinned by the ETag, would create a second post of the same object.
    async fn source_of(&self, arrival: &Arrival) -> Result<Option<(Source, Option<u64>)>, ObjectError> {
        let pinned = |version| Source { bucket: arrival.bucket.clone(), key: arrival.key.clone(), version };
        let named = ObjectVersion::from_parts(arrival.version_id.as_deref(), arrival.etag.as_deref());
        if let Some(version @ ObjectVersion::Id(_)) = named {
            return Ok(Some((pinned(version), arrival.bytes)));
        }
        let current = self.objects.current(&arrival.bucket, &arrival.key).await?;
        let current =
            current.filter(|current| named.is_none() || matches!(current.source.version, ObjectVersion::Id(_)));
        match (current, named) {
            (Some(current), _) => Ok(Some((current.source, Some(current.bytes)))),
            (None, Some(version)) => Ok(Some((pinned(version), arrival.bytes))),
            (None, None) => {
                tracing::warn!(object.key = arrival.key, "event ignored: the object is gone and its version unknown");
                Ok(None)
            }
        }
    }

    /// Releases the posts of all videos that a sidecar belongs to and that were held for it.
    async fn release_for_sidecar(&self, arrival: &Arrival) -> Result<Vec<PostId>, SubmitError> {
        let mut released = Vec::new();
        for post in self.posts_of_sidecar(&arrival.bucket, &arrival.key).await? {
            released.extend(self.release(&post).await?);
        }
        if released.is_empty() {
            tracing::info!(object.key = arrival.key, "sidecar received: no post waits for it");
        }
        Ok(released)
    }

    /// The ids of the posts that the current versions of a sidecar's videos have, if they have posts.
    pub(crate) async fn posts_of_sidecar(&self, bucket: &str, sidecar_key: &str) -> Result<Vec<PostId>, ObjectError> {
        let mut keys = BTreeSet::new();
        for prefix in sidecar::video_prefixes_of(sidecar_key) {
            keys.extend(self.objects.list(bucket, &prefix).await?);
        }
        keys.retain(|key| sidecar::belongs_to(sidecar_key, key));
        let mut posts = Vec::new();
        for key in keys {
            posts.extend(self.objects.current(bucket, &key).await?.map(|current| current.source.post_id()));
        }
        Ok(posts)
    }

    /// Releases a post that is held for its sidecar; `None` if there is no such post, or it is not held.
    async fn release(&self, id: &PostId) -> Result<Option<PostId>, SubmitError> {
        let released = update(
            None,
            || async move { Ok(self.posts.get(id).await?) },
            |post: Option<Versioned<Post>>| {
                let Some(post) = post else { return Ok(Change::Stop(None)) };
                let Ok(released) = post.value.clone().options_arrived(self.instruments.now()) else {
                    let state = post.state_name();
                    if state != StateName::Queued {
                        tracing::warn!(post.id = %id, post.state = %state, "sidecar arrived too late for its post");
                    }
                    return Ok(Change::Stop(None));
                };
                Ok::<_, SubmitError>(Change::Save((post, released)))
            },
            |(post, released): (Versioned<Post>, Post)| async move {
                self.posts.save(post, released, self.instruments.now()).await?;
                tracing::info!(post.id = %id, "sidecar received: post released");
                Ok(Some(id.clone()))
            },
        );
        released.await?.ok_or(SubmitError::Busy)
    }
}
