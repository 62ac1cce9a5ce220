//! Commands of people: approve a post, cancel it, change its options, retry it.
//!
//! A command never risks a second post. A post is cancelled only while TikTok cannot have every byte. It is retried
//! only if it cannot have been posted. A worker that has the post when a command is stored loses it: its next
//! conditional write fails. The last chunk is sent only after such a write
//! ([`LastChunk::MayBeSent`](crate::upload::LastChunk)), so a cancelled post is never published.

use jiff::Timestamp;

use super::{Approval, HoldReason, InvalidTransition, Outcome, Post, PostState, Repost, StateName};
use crate::options::PostOptions;
use crate::upload::Upload;

/// Why a command was rejected. The post stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandRejected {
    /// Approve: the post does not wait for an approval, and is not held for the same video.
    #[error("the post is {0} and does not wait for an approval")]
    NotForReview(StateName),
    /// Cancel: TikTok may have every byte, so it may publish the video.
    #[error("TikTok may have every byte of the video, and then publishes it")]
    MayBePosted,
    /// Cancel or change: the post has ended.
    #[error("the post is {0} already")]
    AtAnEnd(StateName),
    /// Change: the upload was begun, and TikTok got the options with the first request.
    #[error("the post's upload was begun, and TikTok got its options before the first byte")]
    UnderWay,
    /// Retry: the post has not failed.
    #[error("the post is {0} and has not failed")]
    NotFailed(StateName),
    /// Retry: the video was never uploaded to S3.
    #[error("the post's video was never uploaded")]
    NoBytes,
    /// Retry: the video may have been posted.
    #[error("TikTok may have had every byte and never reported a result, so a retry could post the video twice")]
    OutcomeUnknown,
}

impl CommandRejected {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotForReview(_) => "not_for_review",
            Self::MayBePosted => "may_be_posted",
            Self::AtAnEnd(_) => "post_ended",
            Self::UnderWay => "upload_under_way",
            Self::NotFailed(_) => "not_failed",
            Self::NoBytes => "upload_missing",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }

    /// What the caller can do instead.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotForReview(_) => "Only a post that is held for its review or for the same video can be approved.",
            Self::MayBePosted => {
                "TikTok does not cancel a complete upload. Wait for its result; a posted video can be deleted in the \
                 TikTok app."
            }
            Self::AtAnEnd(_) => "Dropcast does nothing more with this post.",
            Self::UnderWay => "Cancel it while that is possible, then post the video again with other options.",
            Self::NotFailed(_) => "Only a failed post can be retried.",
            Self::NoBytes => "Create a new upload and send the video there.",
            Self::OutcomeUnknown => {
                "Look at the account's profile. If the video is not there, post it again as another post."
            }
        }
    }
}

type CommandResult = Result<Post, CommandRejected>;

impl Post {
    /// Approves a post that is held for a review, or that has the video of an earlier post. The latter may still need
    /// the approval of its review.
    pub fn approve(mut self, now: Timestamp) -> CommandResult {
        match &self.state {
            PostState::Held { reason: HoldReason::Review } => {
                self.0.approval = Approval::Given;
                Ok(self.queue(now, None, None, now, "approved"))
            }
            PostState::Held { reason: HoldReason::SameVideo { .. } } => {
                self.0.repost = Repost::Approved;
                Ok(self.queue(now, None, None, now, "approved: the video is posted again"))
            }
            _ => Err(CommandRejected::NotForReview(self.state_name())),
        }
    }

    /// Cancels a post while TikTok cannot have every byte. TikTok publishes nothing without the last chunk. A later
    /// cancellation would show a post as cancelled that TikTok publishes.
    pub fn cancel(self, now: Timestamp) -> CommandResult {
        match &self.state {
            PostState::Held { .. } | PostState::Scheduled { .. } => {}
            PostState::Queued { upload, .. } | PostState::Uploading { upload, .. } => {
                if upload.as_ref().is_some_and(Upload::may_be_complete) {
                    return Err(CommandRejected::MayBePosted);
                }
            }
            PostState::Processing { .. } => return Err(CommandRejected::MayBePosted),
            PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => return Err(CommandRejected::AtAnEnd(self.state_name())),
        }
        let publish_id = self.publish_id().cloned();
        Ok(self.enter(PostState::Cancelled { publish_id, at: now }, None, now, "cancelled on request"))
    }

    /// Retries a failed post from the beginning, if it cannot have been posted.
    ///
    /// The post keeps its id, its history and its place in the account queue.
    pub fn retry(mut self, now: Timestamp) -> CommandResult {
        match &self.state {
            PostState::Failed { .. } if !self.source.version.is_known() => Err(CommandRejected::NoBytes),
            PostState::Failed { outcome: Outcome::NotPosted, .. } => {
                (self.0.inits, self.0.publish_failures, self.0.settings) = (0, 0, None);
                self.0.retries = self.retries.saturating_add(1);
                Ok(self.queue(now, None, None, now, "retried on request"))
            }
            PostState::Failed { outcome: Outcome::Unknown, .. } => Err(CommandRejected::OutcomeUnknown),
            _ => Err(CommandRejected::NotFailed(self.state_name())),
        }
    }

    /// Replaces the options of the API request, before an upload is begun or before a retry.
    ///
    /// An approval applied to the old options, so it is withdrawn. A waiting post is queued, because the new options
    /// may no longer hold or schedule it.
    pub fn with_options(mut self, request: PostOptions, now: Timestamp) -> CommandResult {
        let note = "its options were changed";
        let stays = match &self.state {
            PostState::Held { reason: HoldReason::Review | HoldReason::Upload }
            | PostState::Failed { outcome: Outcome::NotPosted, .. } => true,
            PostState::Held { reason: HoldReason::Sidecar | HoldReason::SameVideo { .. } }
            | PostState::Scheduled { .. }
            | PostState::Queued { upload: None, .. }
            // The worker may have read the old options already, so it loses the post.
            | PostState::Uploading { upload: None, .. } => false,
            PostState::Queued { .. } | PostState::Uploading { .. } | PostState::Processing { .. } => {
                return Err(CommandRejected::UnderWay);
            }
            PostState::Failed { outcome: Outcome::Unknown, .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Cancelled { .. } => return Err(CommandRejected::AtAnEnd(self.state_name())),
        };
        (self.0.request, self.0.settings, self.0.approval) = (request, None, Approval::NotGiven);
        if stays {
            self.note(now, note);
            return Ok(self);
        }
        Ok(self.queue(now, None, None, now, note))
    }

    /// Queues a held post whose account no longer has the requirement for which the post is held.
    ///
    /// # Errors
    /// The post is not held for this reason.
    pub fn release_hold(self, wanted: &HoldReason, now: Timestamp) -> Result<Self, InvalidTransition> {
        match &self.state {
            PostState::Held { reason } if reason == wanted => {
                Ok(self.queue(now, None, None, now, "its account no longer requires this"))
            }
            _ => Err(self.invalid("released")),
        }
    }
}
