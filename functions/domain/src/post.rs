//! A post and its life.
//!
//! ```text
//!                  +-> Held (review | sidecar) --+
//!  submitted ------+-> Scheduled (publish_at) ---+--> Queued --> Uploading --> Processing --> Published
//!                  +-----------------------------+      ^            |             |      \-> Delivered
//!                                                       |            |             |
//!                                                       +- deferred -+  <- lost ---+   any --> Failed | Cancelled
//! ```
//!
//! A post enters as `Queued`, is claimed, and its options are read under the
//! claim; only then is it known whether it must wait. Transitions consume the
//! post, so a caller cannot go on with what is no longer true. They change
//! nothing but the value: it is `storage` that makes one true, conditional on
//! nobody having written since the post was read.
//!
//! **The commit point** is the last byte of the last chunk. Until that may have
//! been sent ([`Upload::may_be_complete`], a mark that is stored first), an upload can be abandoned and a new
//! one begun. From then on only TikTok's own word ([`Post::apply_report`]) leads back
//! to `Queued`.

mod account_queue;
mod claim;
mod command;
mod create;
mod event;
mod report;
mod transition;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use claim::{LEASE_TERM, Lease, NotClaimable};
pub use command::CommandRejected;
pub use create::{Request, upload_term};
pub use event::EventIgnored;
pub use report::{Reconciled, TrustOffset, reconcile};
pub use transition::{InvalidTransition, SentReceipt};

use crate::failure::{Deferral, Failure};
use crate::identity::{Alias, PostId, PublishId, VideoId};
use crate::options::PostOptions;
use crate::report::{Links, VisibilityChange};
use crate::request::RequestDigest;
use crate::settings::Settings;
use crate::source::Source;
use crate::trace::TraceId;
use crate::upload::Upload;
use crate::video::VideoFacts;

/// Where a post stands, with exactly the data that exists there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostState {
    /// It waits for a person.
    Held {
        /// What for.
        reason: HoldReason,
    },
    /// It waits for its time.
    Scheduled {
        /// Not before this.
        publish_at: Timestamp,
    },
    /// Somebody should work on it.
    Queued {
        /// Not before this.
        not_before: Timestamp,
        /// Why it waits, if it was worked on before.
        deferral: Option<Deferral>,
        /// An upload to go on with, if one is under way.
        upload: Option<Upload>,
    },
    /// Somebody works on it.
    Uploading {
        /// Who, and until when.
        lease: Lease,
        /// What it waited for before, until work gets past that point.
        deferral: Option<Deferral>,
        /// The upload, once there is one.
        upload: Option<Upload>,
    },
    /// TikTok has every byte, or may have, and will say what became of it.
    Processing {
        /// TikTok's id of the publish.
        publish_id: PublishId,
        /// Whether TikTok said that it has every byte.
        receipt: Receipt,
        /// When the last byte left.
        since: Timestamp,
    },
    /// It is posted.
    Published {
        /// TikTok's id of the publish.
        publish_id: PublishId,
        /// When this was learnt.
        at: Timestamp,
        /// The ids of the public videos; several where a draft was reused.
        video_ids: Vec<VideoId>,
        /// Where people see it, as far as TikTok lets us know.
        links: Links,
        /// What TikTok said by itself of who can see which video.
        visibility: Vec<VisibilityChange>,
    },
    /// The draft is in the user's inbox; the user goes on in the app.
    Delivered {
        /// TikTok's id of the publish.
        publish_id: PublishId,
        /// When this was learnt.
        at: Timestamp,
    },
    /// It will not be posted by itself.
    Failed {
        /// Why, and what to do.
        failure: Failure,
        /// Whether it may be posted all the same.
        outcome: Outcome,
        /// TikTok's id of the publish, if one was begun.
        publish_id: Option<PublishId>,
        /// When this was learnt.
        at: Timestamp,
    },
    /// Its owner, or TikTok on the owner's word, stopped it.
    Cancelled {
        /// TikTok's id of the publish, if one was begun.
        publish_id: Option<PublishId>,
        /// When this was learnt.
        at: Timestamp,
    },
}

impl PostState {
    fn name(&self) -> StateName {
        match self {
            PostState::Held { .. } => StateName::Held,
            PostState::Scheduled { .. } => StateName::Scheduled,
            PostState::Queued { .. } => StateName::Queued,
            PostState::Uploading { .. } => StateName::Uploading,
            PostState::Processing { .. } => StateName::Processing,
            PostState::Published { .. } => StateName::Published,
            PostState::Delivered { .. } => StateName::Delivered,
            PostState::Failed { .. } => StateName::Failed,
            PostState::Cancelled { .. } => StateName::Cancelled,
        }
    }
}

/// What a held post waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Somebody's approval.
    Review,
    /// The file with its options.
    Sidecar,
    /// Its bytes, which are to be uploaded; until they never came.
    Upload,
}

/// Whether TikTok said that it has every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It did.
    Confirmed,
    /// The answer to the last chunk was lost; this is how far the upload was.
    Unconfirmed(Upload),
}

/// Whether a failed post may be posted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is not: TikTok never had every byte, or said itself that it failed.
    NotPosted,
    /// TikTok may have had every byte, and never said what became of them.
    Unknown,
}

/// Whether somebody approved of a post whose account asks for a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody did, or nobody needs to.
    NotGiven,
    /// Somebody did.
    Given,
}

/// A state's name, for people, logs and indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// See [`PostState::Held`].
    Held,
    /// See [`PostState::Scheduled`].
    Scheduled,
    /// See [`PostState::Queued`].
    Queued,
    /// See [`PostState::Uploading`].
    Uploading,
    /// See [`PostState::Processing`].
    Processing,
    /// See [`PostState::Published`].
    Published,
    /// See [`PostState::Delivered`].
    Delivered,
    /// See [`PostState::Failed`].
    Failed,
    /// See [`PostState::Cancelled`].
    Cancelled,
}

impl StateName {
    /// The name in lower case, as stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Uploading => "uploading",
            Self::Processing => "processing",
            Self::Published => "published",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for StateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A line of a post's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The state from then on.
    pub state: StateName,
    /// What happened, for people.
    pub note: String,
}

/// Everything that is known of a post; [`Post`] lets it be read, not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostFacts {
    /// Its id.
    pub id: PostId,
    /// Whose it is.
    pub account: Alias,
    /// Where its bytes are.
    pub source: Source,
    /// How many bytes, where that is known.
    pub bytes: Option<u64>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its video was dropped: its place in the account's line.
    pub dropped_at: Timestamp,
    /// What the request itself asked for, before sidecar and metadata.
    pub request: PostOptions,
    /// The trace in which it was dropped or asked for, to find it in logs and in X-Ray.
    pub trace: Option<TraceId>,
    /// The request that it was made for; none for a drop.
    pub request_digest: Option<RequestDigest>,
    /// S3's name for the upload of its video in parts, where that comes so.
    pub multipart_upload_id: Option<String>,
    /// Whether somebody approved of it.
    pub approval: Approval,
    /// What it goes out with, once settled.
    pub settings: Option<Settings>,
    /// What its header says, once read.
    pub video: Option<VideoFacts>,
    /// How often it was claimed: the fencing number of the newest claim.
    pub attempt: u32,
    /// How often an upload was begun.
    pub inits: u32,
    /// How often TikTok failed a publish by its own fault.
    pub publish_failures: u32,
    /// When somebody should look at it; never, where it is at an end.
    pub due_at: Option<Timestamp>,
    /// What happened to it, oldest first.
    pub history: Vec<HistoryEntry>,
    /// Where it stands.
    pub state: PostState,
}

/// A post: its facts, and the transitions that are possible from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post(PostFacts);

impl Deref for Post {
    type Target = PostFacts;
    fn deref(&self) -> &PostFacts {
        &self.0
    }
}

impl Post {
    /// Submits a dropped object: a new post, due at once.
    #[must_use]
    pub fn submit(account: Alias, source: Source, bytes: Option<u64>, now: Timestamp) -> Self {
        let queued = PostState::Queued { not_before: now, deferral: None, upload: None };
        let post = Self(PostFacts {
            id: source.post_id(),
            account,
            source,
            bytes,
            created_at: now,
            dropped_at: now,
            request: PostOptions::default(),
            trace: None,
            request_digest: None,
            multipart_upload_id: None,
            approval: Approval::NotGiven,
            settings: None,
            video: None,
            attempt: 0,
            inits: 0,
            publish_failures: 0,
            due_at: None,
            history: Vec::new(),
            state: queued.clone(),
        });
        post.enter(queued, Some(now), now, "dropped")
    }

    /// Says when the video was dropped, where that is known better than by when
    /// the post was submitted: events do not come in order.
    #[must_use]
    pub fn dropped(mut self, at: Timestamp) -> Self {
        self.0.dropped_at = at;
        self
    }

    /// Says in which trace it was dropped. One that was asked for is in its request's.
    #[must_use]
    pub fn traced(mut self, trace: Option<TraceId>) -> Self {
        self.0.trace = self.0.trace.or(trace);
        self
    }

    /// Takes a post up again as it was stored.
    #[must_use]
    pub fn restore(facts: PostFacts) -> Self {
        Self(facts)
    }

    /// The state's name.
    #[must_use]
    pub fn state_name(&self) -> StateName {
        self.state.name()
    }

    /// The upload under way, if there is one.
    #[must_use]
    pub fn upload(&self) -> Option<&Upload> {
        match &self.state {
            PostState::Queued { upload, .. } | PostState::Uploading { upload, .. } => upload.as_ref(),
            PostState::Processing { receipt: Receipt::Unconfirmed(upload), .. } => Some(upload),
            PostState::Processing { receipt: Receipt::Confirmed, .. }
            | PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => None,
        }
    }

    /// TikTok's id of the newest publish, if one was begun.
    #[must_use]
    pub fn publish_id(&self) -> Option<&PublishId> {
        match &self.state {
            PostState::Processing { publish_id, .. }
            | PostState::Published { publish_id, .. }
            | PostState::Delivered { publish_id, .. } => Some(publish_id),
            PostState::Failed { publish_id, .. } | PostState::Cancelled { publish_id, .. } => publish_id.as_ref(),
            PostState::Queued { .. } | PostState::Uploading { .. } => self.upload().map(|u| &u.publish_id),
            PostState::Held { .. } | PostState::Scheduled { .. } => None,
        }
    }
}
