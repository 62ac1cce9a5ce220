//! What people ask of a post: to let it go out, to stop it, to say otherwise how
//! it goes out, to try it again.
//!
//! A wish is granted only where nobody can be deceived by it. A post is stopped
//! only while TikTok cannot have every byte of it; it is tried again only where
//! it cannot have been posted. Whoever works on it meanwhile loses it at the
//! next write, and the last chunk leaves only after one
//! ([`LastChunk::MayBeSent`](crate::upload::LastChunk)).

use jiff::Timestamp;

use super::{Approval, HoldReason, InvalidTransition, Outcome, Post, PostState, StateName};
use crate::options::PostOptions;
use crate::upload::Upload;

/// Why a person's wish cannot be granted; the post is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandRejected {
    /// It was to be approved, and nobody has to.
    #[error("it is {0} and does not wait for an approval")]
    NotForReview(StateName),
    /// It was to be stopped, and TikTok may publish it any moment.
    #[error("TikTok may have every byte of it and publishes it without asking again")]
    MayBePosted,
    /// It was to be stopped or changed, and is past that.
    #[error("it is {0} already")]
    AtAnEnd(StateName),
    /// It was to be changed, and TikTok has been told how it goes out.
    #[error("its upload is under way, and TikTok was told how it goes out before the first byte")]
    UnderWay,
    /// It was to be tried again, and has not failed.
    #[error("it is {0} and has not failed")]
    NotFailed(StateName),
    /// It was to be tried again, and its bytes never came.
    #[error("its video was never uploaded")]
    NoBytes,
    /// It was to be tried again, and may be posted.
    #[error("TikTok may have had every byte and never said what became of them, so a second try could post it twice")]
    OutcomeUnknown,
}

impl CommandRejected {
    /// A stable word for programs.
    #[must_use]
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

    /// What can be done instead.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotForReview(_) => "Only a post that is held for its review can be approved.",
            Self::MayBePosted => {
                "TikTok cancels nothing that was uploaded to it. Wait for its verdict; a video that is posted can be \
                 deleted in the TikTok app."
            }
            Self::AtAnEnd(_) => "Nothing more happens to it by itself.",
            Self::UnderWay => "Cancel it while that is possible, then post the video again with other options.",
            Self::NotFailed(_) => "Only a post that has failed can be tried again.",
            Self::NoBytes => "Ask for a new upload, and send the video there.",
            Self::OutcomeUnknown => {
                "Look at the account's profile. If the video is not there, post it again as another post."
            }
        }
    }
}

type CommandResult = Result<Post, CommandRejected>;

impl Post {
    /// Approves of a post that waits for a review.
    pub fn approve(mut self, now: Timestamp) -> CommandResult {
        match &self.state {
            PostState::Held { reason: HoldReason::Review } => {
                self.0.approval = Approval::Given;
                Ok(self.queue(now, None, None, now, "approved"))
            }
            _ => Err(CommandRejected::NotForReview(self.state_name())),
        }
    }

    /// Stops a post for good, while that is possible: an upload without its last
    /// chunk publishes nothing.
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

    /// Tries a post again from the beginning that has failed and cannot have
    /// been posted. It keeps its id, its history and its place in the line.
    pub fn retry(mut self, now: Timestamp) -> CommandResult {
        match &self.state {
            PostState::Failed { .. } if !self.source.version.is_known() => Err(CommandRejected::NoBytes),
            PostState::Failed { outcome: Outcome::NotPosted, .. } => {
                (self.0.inits, self.0.publish_failures, self.0.settings) = (0, 0, None);
                Ok(self.queue(now, None, None, now, "tried again on request"))
            }
            PostState::Failed { outcome: Outcome::Unknown, .. } => Err(CommandRejected::OutcomeUnknown),
            _ => Err(CommandRejected::NotFailed(self.state_name())),
        }
    }

    /// Says otherwise how a post goes out, before TikTok hears of it, or before it
    /// is tried again. An approval was of the post as it was, and is taken back;
    /// what waits looks at once whether it still has to.
    pub fn with_options(mut self, request: PostOptions, now: Timestamp) -> CommandResult {
        let note = "its options were changed";
        let stays = match &self.state {
            PostState::Held { reason: HoldReason::Review | HoldReason::Upload }
            | PostState::Failed { outcome: Outcome::NotPosted, .. } => true,
            PostState::Held { reason: HoldReason::Sidecar }
            | PostState::Scheduled { .. }
            | PostState::Queued { upload: None, .. }
            // Whoever works on it may have read the options already: it is taken away from them.
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

    /// Lets a post go on that waits for what its account does not ask for any more.
    ///
    /// # Errors
    /// Refuses where it does not wait for this.
    pub fn no_longer_held(self, wanted: HoldReason, now: Timestamp) -> Result<Self, InvalidTransition> {
        match &self.state {
            PostState::Held { reason } if *reason == wanted => {
                Ok(self.queue(now, None, None, now, "its account does not ask for this any more"))
            }
            _ => Err(self.not("released")),
        }
    }
}
