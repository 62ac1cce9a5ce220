//! Posts that are asked for over HTTP: of an object that is there already, or of
//! one whose bytes are on their way.
//!
//! The second kind exists before its bytes do, so that whoever asked knows its id.
//! It is held for them and due when the address that they go to has ended: then it
//! fails, visibly. The first version that arrives is the one that it is pinned to;
//! whatever arrives at the same address after it is nobody's.

use std::time::Duration;

use jiff::Timestamp;

use super::{HoldReason, InvalidTransition, Outcome, Post, PostState};
use crate::failure::Failure;
use crate::identity::{Alias, PostId};
use crate::options::PostOptions;
use crate::request::RequestDigest;
use crate::size::VideoSize;
use crate::source::{ObjectVersion, Source};
use crate::trace::TraceId;

/// How long a post is held for bytes that left in time: the address ends when a
/// request begins, and not when it is through.
const ON_THEIR_WAY: Duration = Duration::from_hours(1);
/// The least time that there is to upload.
const LEAST_TERM: Duration = Duration::from_hours(1);
/// The slowest line that is thought of, in bytes a second.
const SLOWEST: u64 = 1_000_000;

/// What a request says of the post that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The post's id, which follows from the request's name where it has one.
    pub id: PostId,
    /// Whose it is to be.
    pub account: Alias,
    /// How it is to go out; the most specific source there is.
    pub options: PostOptions,
    /// What the request asked for.
    pub digest: RequestDigest,
    /// The trace that it came in.
    pub trace: Option<TraceId>,
}

/// How long the address lives to which a video of this size is uploaded: an hour,
/// and as long as a slow line takes.
#[must_use]
pub fn upload_term(size: VideoSize) -> Duration {
    LEAST_TERM + Duration::from_secs(size.bytes() / SLOWEST)
}

impl Post {
    /// Takes a request to post an object: a new post, due at once.
    #[must_use]
    pub fn ask(request: Request, source: Source, bytes: u64, now: Timestamp) -> Self {
        Self::submit(request.account.clone(), source, Some(bytes), now).asked_for(request, "asked for")
    }

    /// Takes a request to post a video whose bytes are to arrive at a key; it is
    /// held for them. `parts` is S3's name for an upload in parts.
    #[must_use]
    pub fn await_upload(
        request: Request,
        (bucket, key): (String, String),
        size: VideoSize,
        parts: Option<String>,
        now: Timestamp,
    ) -> Self {
        let source = Source { bucket, key, version: ObjectVersion::Awaited };
        let mut post = Self::submit(request.account.clone(), source, Some(size.bytes()), now);
        post.0.multipart_upload_id = parts;
        let mut post = post.asked_for(request, "asked for: waits for its bytes");
        post.0.state = PostState::Held { reason: HoldReason::Upload };
        post.0.due_at = Some(now + upload_term(size) + ON_THEIR_WAY);
        if let Some(line) = post.0.history.first_mut() {
            line.state = post.0.state.name();
        }
        post
    }

    fn asked_for(mut self, request: Request, note: &str) -> Self {
        let Request { id, options, digest, trace, .. } = request;
        (self.0.id, self.0.request, self.0.request_digest, self.0.trace) = (id, options, Some(digest), trace);
        if let Some(line) = self.0.history.first_mut() {
            note.clone_into(&mut line.note);
        }
        self
    }

    /// Tells whether the post waits for its bytes.
    #[must_use]
    pub fn awaits_bytes(&self) -> bool {
        matches!(self.state, PostState::Held { reason: HoldReason::Upload })
    }

    /// Until when the bytes of a post that waits for them can be sent: a whole second.
    #[must_use]
    pub fn upload_until(&self) -> Option<Timestamp> {
        let size = VideoSize::new(self.bytes?).ok().filter(|_| self.awaits_bytes())?;
        Timestamp::from_second((self.created_at + upload_term(size)).as_second()).ok()
    }

    /// Pins a post to the bytes that have arrived for it. They may come after it
    /// was given up; then it goes on all the same.
    ///
    /// # Errors
    /// Refuses where it has its bytes already, or was cancelled.
    pub fn arrived(
        mut self,
        version: ObjectVersion,
        bytes: Option<u64>,
        now: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        let given_up = matches!(self.state, PostState::Failed { .. }) && self.source.version == ObjectVersion::Awaited;
        if !self.awaits_bytes() && !given_up {
            return Err(self.not("given its bytes"));
        }
        self.0.source.version = version;
        self.0.bytes = bytes.or(self.0.bytes);
        self.0.dropped_at = now;
        Ok(self.queue(now, None, None, now, "its bytes are there"))
    }

    /// Gives a post up whose bytes never came.
    ///
    /// # Errors
    /// Refuses where it does not wait for them, or where they may come yet.
    pub fn never_arrived(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        if !self.awaits_bytes() || self.due_at.is_some_and(|due| due > now) {
            return Err(self.not("given up for want of its bytes"));
        }
        let message = "the video was not uploaded in time";
        let failure = Failure::new("upload_expired", message, "Ask for a new upload, and send the video there.");
        Ok(self.end_in_failure(failure, Outcome::NotPosted, now))
    }
}
