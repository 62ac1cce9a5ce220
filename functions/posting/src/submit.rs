//! Submitting: an event becomes a stored post, however often it arrives.

use domain::drop_key::{DropKey, is_sidecar_of, videos_prefix_of};
use domain::identity::PostId;
use domain::post::{Post, StateName};
use domain::source::{Arrival, ObjectVersion, Source};
use storage::{Created, ObjectError, SaveError, StoreError};

use crate::measure::Measurement;
use crate::posting::{Posting, Worker};

/// How often a sidecar's post is read again when somebody else changed it.
const RELEASE_TRIES: u32 = 5;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is a post's, which is stored and may be worked on.
    Post(PostId),
    /// It was a sidecar; these posts read their options again.
    Options(Vec<PostId>),
    /// There is nothing to do; the log says why.
    Nothing,
}

/// What an arrival is, before anything was stored of it.
enum Received {
    /// A video, and the post that it makes.
    Video(Box<Post>),
    /// The bytes that this post waited for; it is pinned to them.
    Bytes(PostId),
    /// Options; these posts read theirs again.
    Options(Vec<PostId>),
    /// Nothing to do; the log says why.
    Nothing,
}

/// Why an event could not be taken. It must be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The post could not be stored.
    #[error("the post could not be stored")]
    Store(#[from] StoreError),
    /// The bucket could not be asked about the object.
    #[error("the bucket could not be asked about the object")]
    Object(#[from] ObjectError),
    /// The post changed each time that it was to be changed.
    #[error("the post is being worked on by others")]
    Busy,
}

impl Posting {
    /// Takes an arrival: stores a post for a video, or hands options to one.
    ///
    /// # Errors
    /// Nothing was stored; the event must not be acknowledged.
    pub async fn submit(&self, arrival: &Arrival) -> Result<Submitted, SubmitError> {
        Ok(match self.receive(arrival).await? {
            Received::Video(post) => {
                self.store(&post).await?;
                Submitted::Post(post.id.clone())
            }
            Received::Bytes(post) => Submitted::Post(post),
            Received::Options(posts) => Submitted::Options(posts),
            Received::Nothing => Submitted::Nothing,
        })
    }

    /// Takes an arrival, and works on what came of it. A new post is claimed by
    /// the write that creates it, so that nobody has to read it first.
    ///
    /// # Errors
    /// The event must not be acknowledged; what was stored of it is due again.
    pub async fn take_up(&self, arrival: &Arrival, worker: &Worker) -> Result<(), SubmitError> {
        match self.receive(arrival).await? {
            Received::Video(post) => {
                let id = post.id.clone();
                let claimed = post.clone().claim(&worker.name, post.created_at);
                match self.store(claimed.as_ref().unwrap_or(&post)).await? {
                    Created::New(kept) if claimed.is_ok() => Box::pin(self.work_claimed(kept, worker)).await?,
                    Created::New(_) | Created::Already(_) => self.upload(&id, worker).await?,
                };
            }
            Received::Bytes(post) => {
                self.upload(&post, worker).await?;
            }
            Received::Options(posts) => {
                for post in posts {
                    self.upload(&post, worker).await?;
                }
            }
            Received::Nothing => {}
        }
        Ok(())
    }

    async fn receive(&self, arrival: &Arrival) -> Result<Received, SubmitError> {
        match DropKey::parse(&arrival.key) {
            DropKey::Video { account } => {
                let account = account.unwrap_or_else(|| self.default_account.clone());
                let Some((source, bytes)) = self.source_of(arrival).await? else {
                    tracing::warn!(
                        object.key = arrival.key,
                        "event ignored: the object is gone and its version unknown"
                    );
                    return Ok(Received::Nothing);
                };
                let now = self.now();
                // A bucket's clock is not ours: nothing was dropped in the future.
                let dropped_at = arrival.at.map_or(now, |at| at.min(now));
                let post = Post::submit(account, source, bytes, now)
                    .with_dropped_at(dropped_at)
                    .with_trace(arrival.trace.clone());
                Ok(Received::Video(Box::new(post)))
            }
            DropKey::Upload { post } => self.pin(post, arrival).await,
            DropKey::Sidecar => Ok(Received::Options(self.hand_options(arrival).await?)),
            DropKey::Ignored(why) => {
                tracing::info!(object.key = arrival.key, why = %why, "object ignored");
                Ok(Received::Nothing)
            }
        }
    }

    /// Pins a post that waits for its bytes to those that have arrived. Whatever
    /// else arrives where they were to is nobody's.
    async fn pin(&self, id: PostId, arrival: &Arrival) -> Result<Received, SubmitError> {
        for _ in 0..RELEASE_TRIES {
            let Some(kept) = self.posts.get(&id).await?.filter(|kept| kept.source.key == arrival.key) else {
                tracing::warn!(object.key = arrival.key, "object ignored: no post waits for it");
                return Ok(Received::Nothing);
            };
            let Some((source, bytes)) = self.source_of(arrival).await? else {
                tracing::warn!(object.key = arrival.key, "event ignored: the object is gone and its version unknown");
                return Ok(Received::Nothing);
            };
            if kept.source == source {
                tracing::info!(post.id = %id, post.state = %kept.state_name(), "event received again: post known");
                return Ok(Received::Bytes(id));
            }
            let Ok(arrived) = kept.value.clone().attach_object(source.version, bytes, self.now()) else {
                let state = kept.state_name();
                tracing::warn!(post.id = %id, post.state = %state, "object ignored: its post has its bytes, or is cancelled");
                return Ok(Received::Nothing);
            };
            let arrived = arrived.with_trace(arrival.trace.clone());
            match self.posts.save(kept, arrived, self.now()).await {
                Ok(_) => {
                    tracing::info!(post.id = %id, video.bytes = bytes, "event received: the post has its bytes");
                    return Ok(Received::Bytes(id));
                }
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(SubmitError::Busy)
    }

    async fn store(&self, post: &Post) -> Result<Created, StoreError> {
        let id = &post.id;
        let created = self.posts.create(post).await?;
        match &created {
            Created::New(_) => {
                tracing::info!(
                    post.id = %id, account = %post.account, object.key = post.source.key, video.bytes = post.bytes,
                    trace.id = post.trace.as_ref().map(tracing::field::display), "event received: post stored"
                );
                self.measure(&Measurement::received(post));
            }
            Created::Already(known) => {
                tracing::info!(post.id = %id, post.state = %known.state_name(), "event received again: post known");
            }
        }
        Ok(created)
    }

    /// The pinned source of an arrival. Where the event names no version, as one
    /// that was written by hand may, the bucket is asked: with another pin, the
    /// same object would be another post.
    async fn source_of(&self, arrival: &Arrival) -> Result<Option<(Source, Option<u64>)>, ObjectError> {
        let pinned = |version| Source { bucket: arrival.bucket.clone(), key: arrival.key.clone(), version };
        let named = ObjectVersion::from_parts(arrival.version_id.as_deref(), arrival.etag.as_deref());
        if let Some(version @ ObjectVersion::Id(_)) = named {
            return Ok(Some((pinned(version), arrival.bytes)));
        }
        match (self.objects.current(&arrival.bucket, &arrival.key).await?, named) {
            (Some(current), None) => Ok(Some((current.source, Some(current.bytes)))),
            (Some(current), _) if matches!(current.source.version, ObjectVersion::Id(_)) => {
                Ok(Some((current.source, Some(current.bytes))))
            }
            (_, version) => Ok(version.map(|version| (pinned(version), arrival.bytes))),
        }
    }

    /// Lets the posts of a sidecar's videos read their options again.
    async fn hand_options(&self, arrival: &Arrival) -> Result<Vec<PostId>, SubmitError> {
        let mut released = Vec::new();
        for key in self.objects.list(&arrival.bucket, videos_prefix_of(&arrival.key)).await? {
            if !is_sidecar_of(&arrival.key, &key) {
                continue;
            }
            let Some(current) = self.objects.current(&arrival.bucket, &key).await? else {
                continue;
            };
            released.extend(self.release(&current.source.post_id()).await?);
        }
        if released.is_empty() {
            tracing::info!(object.key = arrival.key, "sidecar received: it is read when its video is taken up");
        }
        Ok(released)
    }

    async fn release(&self, id: &PostId) -> Result<Option<PostId>, SubmitError> {
        for _ in 0..RELEASE_TRIES {
            let Some(kept) = self.posts.get(id).await? else {
                return Ok(None);
            };
            let Ok(post) = kept.value.clone().options_arrived(self.now()) else {
                if kept.state_name() != StateName::Queued {
                    tracing::warn!(post.id = %id, post.state = %kept.state_name(), "sidecar came too late for its post");
                }
                return Ok(None);
            };
            match self.posts.save(kept, post, self.now()).await {
                Ok(_) => {
                    tracing::info!(post.id = %id, "sidecar received: post released");
                    return Ok(Some(id.clone()));
                }
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(SubmitError::Busy)
    }
}
