//! Posts that an API request creates: of an object in the bucket, or of a video that the caller will upload.
//!
//! The second kind exists before its bytes do, so that the caller knows its id. It is held for its bytes and is due
//! when its upload address has expired; then it fails with [`Reason::UploadExpired`]. The first object version that
//! arrives is the one that is posted. Later versions at the same address are ignored.

use std::time::Duration;

use jiff::Timestamp;

use super::{Approval, HoldReason, InvalidTransition, Outcome, Post, PostState, Repost};
use crate::failure::Failure;
use crate::identity::{Alias, PostId};
use crate::options::PostOptions;
use crate::reason::Reason;
use crate::request::RequestDigest;
use crate::size::VideoSize;
use crate::source::{ObjectVersion, Source};
use crate::trace::TraceId;

/// How long after its upload address expires a post is still held. S3 checks the expiry when a request begins, and a
/// request that began in time can take long.
const UPLOAD_GRACE: Duration = Duration::from_hours(1);
/// The minimum lifetime of an upload address.
const MIN_UPLOAD_TERM: Duration = Duration::from_hours(1);
/// The slowest upload rate that the lifetime allows for, in bytes per second.
const MIN_UPLOAD_RATE: u64 = 1_000_000;

/// An API request to create a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The post's id. It is derived from the idempotency key, if the request has one.
    pub id: PostId,
    /// The account to post for.
    pub account: Alias,
    /// The options. They override every other source of options.
    pub options: PostOptions,
    /// The digest of the request, to recognize a different request with the same idempotency key.
    pub digest: RequestDigest,
    /// The request's trace.
    pub trace: Option<TraceId>,
    /// Whether the request is explicit: it has an idempotency key of its own. A repeated request then makes no second
    /// post, so it may post a video that the account has posted before.
    pub repost: Repost,
}

/// How long the upload address of a video of this size is valid: one hour, plus the time of a slow upload.
pub fn upload_term(size: VideoSize) -> Duration {
    MIN_UPLOAD_TERM + Duration::from_secs(size.bytes() / MIN_UPLOAD_RATE)
}

impl Post {
    /// Creates the post of an object in the bucket, which is due immediately.
    pub fn create(request: Request, source: Source, bytes: u64, now: Timestamp) -> Self {
        Self::submit(request.account.clone(), source, Some(bytes), now).requested(request, "requested through the API")
    }

    /// Creates a post that is held until a video arrives at the given bucket and key.
    ///
    /// `multipart_upload_id` is S3's id, if the video is uploaded in parts.
    pub fn await_upload(
        request: Request,
        (bucket, key): (String, String),
        size: VideoSize,
        multipart_upload_id: Option<String>,
        now: Timestamp,
    ) -> Self {
        let source = Source { bucket, key, version: ObjectVersion::Awaited };
        let mut post = Self::submit(request.account.clone(), source, Some(size.bytes()), now);
        post.0.multipart_upload_id = multipart_upload_id;
        let mut post = post.requested(request, "requested through the API: waits for its bytes");
        post.0.state = PostState::Held { reason: HoldReason::Upload };
        post.0.due_at = Some(now + upload_term(size) + UPLOAD_GRACE);
        if let Some(entry) = post.0.history.first_mut() {
            entry.state = post.0.state.name();
        }
        post
    }

    /// Replaces what [`Post::submit`] took from the object, also the id, with the data of the request.
    fn requested(mut self, request: Request, note: &str) -> Self {
        let Request { id, account: _, options, digest, trace, repost } = request;
        (self.0.id, self.0.request, self.0.request_digest, self.0.trace) = (id, options, Some(digest), trace);
        self.0.repost = repost;
        if let Some(entry) = self.0.history.first_mut() {
            note.clone_into(&mut entry.note);
        }
        self
    }

    /// Releases a post that is held for the same video, because an explicit request names its object. The post keeps its
    /// id and gets the request's options. An approval applied to the old options, so it is withdrawn.
    ///
    /// # Errors
    /// The post is not held for the same video, or the request is for another account or not explicit.
    pub fn release_for_request(mut self, request: Request, now: Timestamp) -> Result<Self, InvalidTransition> {
        let held = matches!(self.state, PostState::Held { reason: HoldReason::SameVideo { .. } });
        if !held || request.account != self.account || request.repost == Repost::Guarded {
            return Err(self.invalid("released for a request"));
        }
        let Request { id: _, account: _, options, digest, trace, repost } = request;
        (self.0.request, self.0.request_digest, self.0.settings) = (options, Some(digest), None);
        (self.0.repost, self.0.approval) = (repost, Approval::NotGiven);
        self.0.trace = trace.or(self.0.trace);
        Ok(self.queue(now, None, None, now, "requested through the API: the video is posted again"))
    }

    /// Tells whether the post is held for its bytes.
    pub fn awaits_bytes(&self) -> bool {
        matches!(self.state, PostState::Held { reason: HoldReason::Upload })
    }

    /// When the upload address of a post that is held for its bytes expires, in whole seconds.
    pub fn upload_until(&self) -> Option<Timestamp> {
        let size = VideoSize::new(self.bytes?).ok().filter(|_| self.awaits_bytes())?;
        Timestamp::from_second((self.created_at + upload_term(size)).as_second()).ok()
    }

    /// Pins a post to the first object version that arrived for it. A post must never change its version: parts of two
    /// videos could be sent.
    ///
    /// A version that arrives after the post has failed for missing bytes is accepted too.
    ///
    /// # Errors
    /// The post has its bytes already, or was cancelled.
    pub fn attach_object(
        mut self,
        version: ObjectVersion,
        bytes: Option<u64>,
        now: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        let expired = matches!(self.state, PostState::Failed { .. }) && self.source.version == ObjectVersion::Awaited;
        if !self.awaits_bytes() && !expired {
            return Err(self.invalid("given its bytes"));
        }
        self.0.source.version = version;
        self.0.bytes = bytes.or(self.0.bytes);
        self.0.dropped_at = now;
        Ok(self.queue(now, None, None, now, "its bytes arrived"))
    }

    /// Fails a post whose bytes did not arrive in time.
    ///
    /// # Errors
    /// The post does not wait for bytes, or they may still arrive.
    pub fn expire_upload(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        if !self.awaits_bytes() || self.due_at.is_some_and(|due| due > now) {
            return Err(self.invalid("expired"));
        }
        let message = "the video was not uploaded in time";
        let failure = Failure::of(Reason::UploadExpired, message);
        Ok(self.end_in_failure(failure, Outcome::NotPosted, now))
    }
}
