//! A post and its states.
//!
//! ```text
//!                  +-> Held (review | …) --------+
//!  submitted ------+-> Scheduled (publish_at) ---+--> Queued --> Uploading --> Processing --> Published
//!                  +-----------------------------+      ^            |             |      \-> Delivered
//!                                                       |            |             |
//!                                                       +- deferred -+  <- lost ---+   any --> Failed | Cancelled
//! ```
//!
//! A post starts as `Queued`. A worker claims it and reads its options; only then is it known whether the post is
//! held or scheduled. A transition consumes the post, so a caller cannot continue with an outdated value. A
//! transition changes only the value in memory. `storage` makes it durable with a conditional write, which fails if
//! the post was written since it was read.
//!
//! **The commit point** is the last byte of the last chunk. Before the last chunk is sent, the commit mark is stored
//! ([`Upload::may_be_complete`]). Without the mark, an upload can be abandoned and a new one begun. With the mark,
//! TikTok may publish, and a new upload could post the video twice. So only TikTok's own report
//! ([`Post::apply_report`]) can lead from there to a new upload.
//!
//! Submodules: `create` and `claim` begin the work, `transition` has the worker's steps, `report` and `event` apply
//! what TikTok says, `command` applies what people request, `account_queue` tells which posts wait for a limit,
//! `same_video` decides again about posts with the video of an earlier post, and `fields` is the flat view for the
//! table, the API and the events.

mod account_queue;
mod claim;
mod command;
mod create;
mod event;
mod fields;
mod report;
mod same_video;
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
pub use fields::StateFields;
pub use report::{REFUSED_WAIT, Reconciled, TrustOffset, reconcile};
pub use transition::{InvalidTransition, SentReceipt};

use crate::failure::{Deferral, Failure};
use crate::identity::{Alias, PostId, PublishId, VideoId};
use crate::macros::named_enum;
use crate::options::PostOptions;
use crate::report::{Links, VisibilityChange};
use crate::request::RequestDigest;
use crate::settings::Settings;
use crate::source::Source;
use crate::trace::TraceId;
use crate::upload::Upload;
use crate::video::VideoFacts;

/// The state of a post, with exactly the data that the state has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostState {
    /// The post waits for a person or for its bytes.
    Held {
        /// What the post waits for.
        reason: HoldReason,
    },
    /// The post waits for its publication time.
    Scheduled {
        /// The publication time.
        publish_at: Timestamp,
    },
    /// The post waits for a worker.
    Queued {
        /// The earliest time at which a worker may claim it.
        not_before: Timestamp,
        /// Why the post was deferred, if it was.
        deferral: Option<Deferral>,
        /// The upload to continue, if one is unfinished.
        upload: Option<Upload>,
    },
    /// A worker has claimed the post.
    Uploading {
        /// The worker and the end of its lease.
        lease: Lease,
        /// The deferral before the claim. It is kept until the work gets past that point, so that repeated deferrals
        /// for the same reason are counted.
        deferral: Option<Deferral>,
        /// The upload, once TikTok has granted one.
        upload: Option<Upload>,
    },
    /// TikTok has every byte, or may have, and will report the result.
    Processing {
        /// TikTok's id of the publish.
        publish_id: PublishId,
        /// Whether TikTok confirmed that it has every byte.
        receipt: Receipt,
        /// When the worker ended the upload: it sent the last byte, or may have.
        since: Timestamp,
    },
    /// The video is posted.
    Published {
        /// TikTok's id of the publish.
        publish_id: PublishId,
        /// When Dropcast learned it.
        at: Timestamp,
        /// The ids of the public videos; several if the creator posted a draft more than once.
        video_ids: Vec<VideoId>,
        /// The links, as far as TikTok reveals them.
        links: Links,
        /// What webhooks reported about each video's visibility.
        visibility: Vec<VisibilityChange>,
    },
    /// The draft is in the creator's inbox. The creator finishes the post in the app.
    Delivered {
        /// TikTok's id of the publish.
        publish_id: PublishId,
        /// When Dropcast learned it.
        at: Timestamp,
    },
    /// The post failed. Dropcast does not retry it automatically.
    Failed {
        /// Why, and what to do.
        failure: Failure,
        /// Whether the video may have been posted.
        outcome: Outcome,
        /// TikTok's id of the publish, if one was begun.
        publish_id: Option<PublishId>,
        /// When Dropcast learned it.
        at: Timestamp,
    },
    /// A caller cancelled the post, or TikTok confirmed that the publish was cancelled.
    Cancelled {
        /// TikTok's id of the publish, if one was begun.
        publish_id: Option<PublishId>,
        /// When Dropcast learned it.
        at: Timestamp,
    },
}

impl PostState {
    fn name(&self) -> StateName {
        match self {
            Self::Held { .. } => StateName::Held,
            Self::Scheduled { .. } => StateName::Scheduled,
            Self::Queued { .. } => StateName::Queued,
            Self::Uploading { .. } => StateName::Uploading,
            Self::Processing { .. } => StateName::Processing,
            Self::Published { .. } => StateName::Published,
            Self::Delivered { .. } => StateName::Delivered,
            Self::Failed { .. } => StateName::Failed,
            Self::Cancelled { .. } => StateName::Cancelled,
        }
    }
}

/// What a held post waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldReason {
    /// An approval.
    Review,
    /// A sidecar with its options.
    Sidecar,
    /// The upload of its bytes to S3. The post fails if they do not arrive in time.
    Upload,
    /// A person who says that the video is to be posted again ([`crate::repost_guard`]).
    SameVideo {
        /// The post of the same account with the same video.
        earlier: PostId,
    },
}

impl HoldReason {
    /// The reason's name.
    pub fn name(&self) -> HoldReasonName {
        match self {
            Self::Review => HoldReasonName::Review,
            Self::Sidecar => HoldReasonName::Sidecar,
            Self::Upload => HoldReasonName::Upload,
            Self::SameVideo { .. } => HoldReasonName::SameVideo,
        }
    }
}

named_enum! {
    /// What a held post waits for.
    #[cfg_attr(feature = "schema", schemars(rename = "HoldReason"))]
    pub enum HoldReasonName {
        /// An approval.
        Review = "review",
        /// A sidecar with its options.
        Sidecar = "sidecar",
        /// The upload of its bytes to S3. The post fails if they do not arrive in time.
        Upload = "upload",
        /// A person who says that the video is to be posted again: the account has another post of it.
        SameVideo = "same_video",
    }
}

/// Whether TikTok confirmed that it has every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// TikTok confirmed it.
    Confirmed,
    /// The response to the last chunk was lost, or the chunk was not sent to its end. The upload is kept, to continue
    /// it if bytes are missing.
    Unconfirmed(Upload),
}

named_enum! {
    /// Whether a failed post may have been posted.
    pub enum Outcome {
        /// It was not: TikTok never had every byte, or TikTok itself reported the failure.
        NotPosted = "not_posted",
        /// It may have been: TikTok may have had every byte and never reported a result.
        Unknown = "unknown",
    }
}

named_enum! {
    /// Whether a post was approved, if its account requires a review.
    pub enum Approval {
        /// It was not approved, or needs no approval.
        NotGiven = "not_given",
        /// It was approved.
        Given = "given",
    }
}

named_enum! {
    /// Whether a post may publish a video of which its account has another post ([`crate::repost_guard`]).
    pub enum Repost {
        /// It may not: it is held.
        Guarded = "guarded",
        /// It may: an explicit request names the video.
        Requested = "requested",
        /// It may: a person approved it.
        Approved = "approved",
    }
}

named_enum! {
    /// A state's name, for people, logs and indexes.
    #[cfg_attr(feature = "schema", schemars(rename = "State"))]
    pub enum StateName {
        /// The post waits for an approval, its sidecar or its bytes, or it has the video of an earlier post.
        Held = "held",
        /// The post waits for its `publish_at`.
        Scheduled = "scheduled",
        /// The post waits for a worker, possibly until a limit or a failure has passed.
        Queued = "queued",
        /// A worker prepares or uploads the video.
        Uploading = "uploading",
        /// TikTok has the video and processes it.
        Processing = "processing",
        /// The video is published.
        Published = "published",
        /// The draft is in the creator's inbox.
        Delivered = "delivered",
        /// The post failed. It can be retried if it was not posted.
        Failed = "failed",
        /// The post was cancelled.
        Cancelled = "cancelled",
    }
}

impl StateName {
    /// Tells whether nothing more is sent to TikTok in this state, unless a person retries the post.
    pub fn is_final(self) -> bool {
        match self {
            Self::Held | Self::Scheduled | Self::Queued | Self::Uploading | Self::Processing => false,
            Self::Published | Self::Delivered | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// An entry of a post's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryEntry {
    /// When it happened.
    pub at: Timestamp,
    /// The state from then on.
    pub state: StateName,
    /// What happened, for people.
    pub note: String,
}

/// All data of a post. [`Post`] gives read access to it; only its transitions change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostFacts {
    /// The post's id.
    pub id: PostId,
    /// The account that it is posted for.
    pub account: Alias,
    /// The S3 object.
    pub source: Source,
    /// The object's size in bytes, if it is known.
    pub bytes: Option<u64>,
    /// When the post was created.
    pub created_at: Timestamp,
    /// When the video was dropped. It orders the account queue.
    pub dropped_at: Timestamp,
    /// The options that the API request gave. They override the sidecar and the object's metadata.
    pub request: PostOptions,
    /// The trace of the drop or the API request, to find the post in logs and in X-Ray.
    pub trace: Option<TraceId>,
    /// The digest of the API request that created the post; `None` for a drop.
    pub request_digest: Option<RequestDigest>,
    /// S3's id of the multipart upload, if the video is uploaded in parts.
    pub multipart_upload_id: Option<String>,
    /// Whether the post was approved.
    pub approval: Approval,
    /// Whether the post may publish a video that the account has posted before.
    pub repost: Repost,
    /// The resolved options, once a worker has read all sources.
    pub settings: Option<Settings>,
    /// What the video's header contains, once it was read.
    pub video: Option<VideoFacts>,
    /// How often the post was claimed. It identifies the newest claim, as a fencing token does.
    pub attempt: u32,
    /// How often the failed post was retried on request.
    pub retries: u32,
    /// How many uploads were begun. A retry on request and TikTok's daily limit reset the number.
    pub inits: u32,
    /// How many publishes TikTok failed because of its own error. It is reset together with `inits`.
    pub publish_failures: u32,
    /// Since when TikTok has denied at each poll that it knows the post's publish; `None` if it has not.
    pub denied_since: Option<Timestamp>,
    /// When the post needs work or a poll; `None` if it never does without a person or an event. The poller finds posts
    /// only by this time: a post that needs work and has none is lost.
    pub due_at: Option<Timestamp>,
    /// What happened to the post, oldest first.
    pub history: Vec<HistoryEntry>,
    /// The state.
    pub state: PostState,
}

/// A post: its data, and the transitions that its state allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post(PostFacts);

impl Deref for Post {
    type Target = PostFacts;
    fn deref(&self) -> &PostFacts {
        &self.0
    }
}

impl Post {
    /// Creates the post of a dropped object, which is due immediately.
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
            repost: Repost::Guarded,
            settings: None,
            video: None,
            attempt: 0,
            retries: 0,
            inits: 0,
            publish_failures: 0,
            denied_since: None,
            due_at: None,
            history: Vec::new(),
            state: queued.clone(),
        });
        post.enter(queued, Some(now), now, "dropped")
    }

    /// Sets when the video was dropped. S3 events arrive out of order, so this can differ from the time of creation.
    #[must_use]
    pub fn with_dropped_at(mut self, at: Timestamp) -> Self {
        self.0.dropped_at = at;
        self
    }

    /// Sets the trace of the drop. A post that has the trace of its API request keeps that one.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<TraceId>) -> Self {
        self.0.trace = self.0.trace.or(trace);
        self
    }

    /// Restores a post from its stored data. It checks no transition, so it is only for data of the posts table.
    pub fn restore(facts: PostFacts) -> Self {
        Self(facts)
    }

    /// The state's name.
    pub fn state_name(&self) -> StateName {
        self.state.name()
    }

    /// Tells whether the post ended before TikTok could have every byte, or because TikTok itself reported that it posts
    /// nothing. Only a retry on request continues it.
    pub fn ended_unposted(&self) -> bool {
        matches!(self.state, PostState::Failed { outcome: Outcome::NotPosted, .. } | PostState::Cancelled { .. })
    }

    /// The unfinished upload, if there is one.
    pub fn upload(&self) -> Option<&Upload> {
        self.state.fields().upload
    }

    /// TikTok's id of the newest publish, if one was begun.
    pub fn publish_id(&self) -> Option<&PublishId> {
        self.state.fields().publish_id
    }
}
