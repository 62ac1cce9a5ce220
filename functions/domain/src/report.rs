//! What TikTok reports about a publish: answers to our status requests, and webhooks.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::{PublishId, VideoId};
use crate::macros::named_enum;

/// TikTok's status of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishStatus {
    /// TikTok waits for bytes, or has every byte and processes the video. Only with this status can
    /// [`StatusReport::uploaded`] mean that bytes are missing.
    Uploading,
    /// TikTok processes the video.
    Processing,
    /// The draft is in the creator's inbox.
    InInbox,
    /// The video is posted.
    Published,
    /// The publish failed; the video will not be posted.
    Failed {
        /// TikTok's code for the reason.
        reason: String,
    },
    /// A status that TikTok's pages do not have. It never ends a post.
    Unknown {
        /// TikTok's word.
        status: String,
    },
}

/// TikTok's report of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// The status.
    pub status: PublishStatus,
    /// How much TikTok says it has: a number of bytes, or the index of the last byte. TikTok uses both;
    /// [`ChunkPlan::boundary_of`](crate::chunk::ChunkPlan::boundary_of) reads either.
    pub uploaded: Option<u64>,
    /// The ids of the public videos; empty for a private post.
    pub video_ids: Vec<VideoId>,
    /// The links, if the report contains them.
    pub links: Links,
    /// TikTok's log id of the response.
    pub log_id: Option<String>,
}

/// A webhook about a publish. TikTok sends webhooks at least once, and in any order.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The publish.
    pub publish_id: PublishId,
    /// When the event happened by TikTok's clock, in whole seconds.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What a [`WebhookEvent`] reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The publish has this status now.
    Status(PublishStatus),
    /// This video of the publish is publicly visible.
    Public(VideoId),
    /// This video is no longer publicly visible.
    Withdrawn(VideoId),
}

/// The newest known visibility of a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisibilityChange {
    /// The video.
    pub video: VideoId,
    /// Its visibility.
    pub visibility: Visibility,
    /// When it changed, by TikTok's clock.
    pub at: Timestamp,
}

named_enum! {
    /// Whether a video is publicly visible.
    ///
    /// The order matters: of two changes in the same second, the greater one counts, which is [`Visibility::Withdrawn`].
    #[derive(PartialOrd, Ord)]
    pub enum Visibility {
        /// It is.
        Public = "public",
        /// It was, and is no longer.
        Withdrawn = "withdrawn",
    }
}

/// The links of a published video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The video's page.
    pub share_url: Option<String>,
    /// The video's cover image.
    pub cover_url: Option<String>,
}

impl Links {
    /// Fills the missing links from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { share_url: self.share_url.or(other.share_url), cover_url: self.cover_url.or(other.cover_url) }
    }

    /// Tells whether the share link is the one of this video.
    pub fn belong_to(&self, id: &VideoId) -> bool {
        self.share_url.as_ref().is_some_and(|url| url.contains(id.as_str()))
    }

    /// Builds the share link of a video from its id and its creator's username.
    pub fn of_video(username: &str, id: &VideoId) -> Self {
        Self { share_url: Some(format!("https://www.tiktok.com/@{username}/video/{id}")), cover_url: None }
    }
}

/// What Dropcast does when a publish failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailReaction {
    /// Begin a new upload after a back-off: TikTok says that the failure is its own.
    Retry,
    /// Begin a new upload in a day: the creator's daily limit is reached.
    RetryNextDay,
    /// Cancel the post: Dropcast asked TikTok to cancel the publish.
    Cancel,
    /// Fail the post, and check whether the creator's authorization is lost.
    AuthorizationLost,
    /// Fail the post: the same video would fail again.
    Fail,
}

/// A reason that TikTok gives for a failed publish.
#[derive(Debug, PartialEq, Eq)]
pub struct FailReason {
    /// TikTok's code.
    pub code: &'static str,
    /// What it means, for people.
    pub meaning: &'static str,
    /// What Dropcast does.
    pub reaction: FailReaction,
    /// What the user can do.
    pub advice: &'static str,
}

const fn reason(code: &'static str, reaction: FailReaction, meaning: &'static str, advice: &'static str) -> FailReason {
    FailReason { code, meaning, reaction, advice }
}

/// TikTok's documented reasons, in the order of its page.
///
/// A row with [`FailReaction::Retry`] or [`FailReaction::RetryNextDay`] begins another upload. It is safe only
/// because TikTok itself says that this publish failed.
#[rustfmt::skip]
pub const FAIL_REASONS: [FailReason; 13] = {
    use FailReaction::{AuthorizationLost, Cancel, Fail, Retry, RetryNextDay};
    [
        reason("file_format_check_failed", Fail, "TikTok does not accept this file's format", "Export it as MP4 with H.264 and drop it again."),
        reason("duration_check_failed", Fail, "TikTok does not accept a video of this duration", "Trim it and drop it again."),
        reason("frame_rate_check_failed", Fail, "TikTok does not accept this frame rate (23 to 60 frames per second)", "Export it with 24 to 60 frames per second and drop it again."),
        reason("picture_size_check_failed", Fail, "TikTok does not accept these dimensions (360 to 4096 pixels per side)", "Export it with other dimensions and drop it again."),
        reason("internal", Retry, "TikTok had an internal error", "Dropcast retries up to three times; if the post has failed, drop the video again."),
        reason("video_pull_failed", Retry, "TikTok could not fetch the video", "Dropcast retries up to three times; if the post has failed, drop the video again."),
        reason("photo_pull_failed", Retry, "TikTok could not fetch the photo", "Dropcast retries up to three times; if the post has failed, drop the video again."),
        reason("publish_cancelled", Cancel, "The publish was cancelled", "Drop the video again if this was not intended."),
        reason("auth_removed", AuthorizationLost, "The creator removed this app's access during the publish", "Connect the account again, then drop the video again."),
        reason("spam_risk_too_many_posts", RetryNextDay, "The creator has reached the daily number of posts through apps", "Dropcast retries in a day; the creator can post in the TikTok app now."),
        reason("spam_risk_user_banned_from_posting", Fail, "TikTok has banned this creator from posting", "The creator must resolve the ban with TikTok in the app; then drop the video again."),
        reason("spam_risk_text", Fail, "TikTok judged the caption to be spam", "Change the title, then drop the video again."),
        reason("spam_risk", Fail, "TikTok judged this post to be risky", "Look at the account's notices in the TikTok app, then drop the video again."),
    ]
};

impl FailReason {
    /// Finds a reason by TikTok's code.
    pub fn find(code: &str) -> Option<&'static Self> {
        FAIL_REASONS.iter().find(|reason| reason.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tiktoks_own_errors_are_retried() {
        let retried = FAIL_REASONS.iter().filter(|reason| reason.reaction == FailReaction::Retry);
        let codes: Vec<_> = retried.map(|reason| reason.code).collect();
        assert_eq!(codes, ["internal", "video_pull_failed", "photo_pull_failed"]);
    }

    #[test]
    fn share_link_has_all_digits_of_video_id() {
        let id = VideoId::new("7678907398077074696").unwrap();
        let link = Links::of_video("anna", &id).share_url.unwrap();
        assert_eq!(link, "https://www.tiktok.com/@anna/video/7678907398077074696");
    }
}
