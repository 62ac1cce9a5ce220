//! The data of a post's state as one flat struct.
//!
//! The posts table (`storage/src/posts/state_record.rs`), the API (`api/src/posts/view.rs`) and the events
//! ([`crate::post_event`]) all show a state as optional fields. They take the fields from here, so the states are
//! listed once. Destructure [`StateFields`] without `..`: the compiler then names each place that misses a new field.

use jiff::Timestamp;

use super::{HoldReason, HoldReasonName, Lease, Outcome, PostState, Receipt};
use crate::failure::{Deferral, Failure};
use crate::identity::{PostId, PublishId, VideoId};
use crate::report::{Links, VisibilityChange};
use crate::upload::Upload;

/// The fields of a [`PostState`]. A field that the state does not have is `None` or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateFields<'a> {
    /// What a held post waits for.
    pub hold_reason: Option<HoldReasonName>,
    /// The earlier post of the same video, for which a post is held.
    pub earlier_post: Option<&'a PostId>,
    /// When a scheduled post is published.
    pub publish_at: Option<Timestamp>,
    /// The earliest time at which a queued post is worked on.
    pub not_before: Option<Timestamp>,
    /// Why the post was deferred. An uploading post keeps the deferral until the work gets past what deferred it, so
    /// that repeats are counted.
    pub deferral: Option<&'a Deferral>,
    /// The lease of the worker that has the post.
    pub lease: Option<&'a Lease>,
    /// The unfinished upload.
    pub upload: Option<&'a Upload>,
    /// Whether TikTok confirmed that it has every byte.
    pub receipt: Option<&'a Receipt>,
    /// When the worker ended the upload: `since` of [`PostState::Processing`].
    pub sent_at: Option<Timestamp>,
    /// TikTok's id of the newest publish.
    pub publish_id: Option<&'a PublishId>,
    /// The ids of the public videos.
    pub video_ids: &'a [VideoId],
    /// The links of a published post.
    pub links: Option<&'a Links>,
    /// What webhooks reported about each video's visibility.
    pub visibility: &'a [VisibilityChange],
    /// Why the post failed.
    pub failure: Option<&'a Failure>,
    /// Whether the video of a failed post may have been posted. Only [`Outcome::NotPosted`] allows a retry.
    pub outcome: Option<Outcome>,
    /// When Dropcast learned that the post is published, delivered, failed or cancelled.
    pub ended_at: Option<Timestamp>,
}

impl PostState {
    /// The state's data, flat.
    pub fn fields(&self) -> StateFields<'_> {
        let empty = StateFields::default();
        match self {
            Self::Held { reason } => {
                let earlier_post = match reason {
                    HoldReason::SameVideo { earlier } => Some(earlier),
                    HoldReason::Review | HoldReason::Sidecar | HoldReason::Upload => None,
                };
                StateFields { hold_reason: Some(reason.name()), earlier_post, ..empty }
            }
            Self::Scheduled { publish_at } => StateFields { publish_at: Some(*publish_at), ..empty },
            Self::Queued { not_before, deferral, upload } => {
                let queued = StateFields { not_before: Some(*not_before), deferral: deferral.as_ref(), ..empty };
                queued.with_upload(upload.as_ref())
            }
            Self::Uploading { lease, deferral, upload } => {
                let leased = StateFields { lease: Some(lease), deferral: deferral.as_ref(), ..empty };
                leased.with_upload(upload.as_ref())
            }
            Self::Processing { publish_id, receipt, since } => {
                let upload = match receipt {
                    Receipt::Confirmed => None,
                    Receipt::Unconfirmed(upload) => Some(upload),
                };
                let (receipt, publish_id, sent_at) = (Some(receipt), Some(publish_id), Some(*since));
                StateFields { upload, receipt, sent_at, publish_id, ..empty }
            }
            Self::Published { publish_id, at, video_ids, links, visibility } => {
                let (publish_id, links, ended_at) = (Some(publish_id), Some(links), Some(*at));
                StateFields { publish_id, video_ids, links, visibility, ended_at, ..empty }
            }
            Self::Delivered { publish_id, at } => {
                StateFields { publish_id: Some(publish_id), ended_at: Some(*at), ..empty }
            }
            Self::Failed { failure, outcome, publish_id, at } => {
                let (failure, outcome, ended_at) = (Some(failure), Some(*outcome), Some(*at));
                StateFields { publish_id: publish_id.as_ref(), failure, outcome, ended_at, ..empty }
            }
            Self::Cancelled { publish_id, at } => {
                StateFields { publish_id: publish_id.as_ref(), ended_at: Some(*at), ..empty }
            }
        }
    }
}

impl<'a> StateFields<'a> {
    /// Adds the upload and its publish id, which this state stores only in the upload.
    fn with_upload(self, upload: Option<&'a Upload>) -> Self {
        Self { upload, publish_id: upload.map(|upload| &upload.publish_id), ..self }
    }
}
