//! What TikTok says of a publish, whether asked or by itself.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::{PublishId, VideoId};

/// Where a publish stands on TikTok's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishStatus {
    /// Bytes are missing, or all are there and TikTok works on them. Only here
    /// does a number of bytes say that some are missing.
    Uploading,
    /// TikTok works on it.
    Processing,
    /// The draft is in the user's inbox.
    InInbox,
    /// It is posted.
    Published,
    /// It will not be posted.
    Failed {
        /// TikTok's word for why.
        reason: String,
    },
    /// A word that TikTok's pages do not have; never an end.
    Unknown {
        /// The word.
        status: String,
    },
}

/// A report of a publish's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// Where it stands.
    pub standing: PublishStatus,
    /// How much TikTok says to have, in bytes or as the last byte's index.
    pub uploaded: Option<u64>,
    /// The ids of the public videos; none for a private post.
    pub video_ids: Vec<VideoId>,
    /// The links, where the report itself has them.
    pub links: Links,
    /// TikTok's own id of the answer.
    pub log_id: Option<String>,
}

/// What TikTok says of a publish by itself: at least once, in any order.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The publish that it is about.
    pub publish_id: PublishId,
    /// When it came to be, by TikTok's clock, in whole seconds.
    pub at: Timestamp,
    /// What it says.
    pub tidings: EventKind,
}

/// What a [`WebhookEvent`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The publish stands there now.
    Status(PublishStatus),
    /// Everybody can see this video of the publish.
    Public(VideoId),
    /// Not everybody can see it any more.
    Withdrawn(VideoId),
}

/// Whether everybody can see a video, by TikTok's newest word on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisibilityChange {
    /// The video.
    pub video: VideoId,
    /// What the word says.
    pub visibility: Visibility,
    /// When the word came to be.
    pub at: Timestamp,
}

/// Whether everybody can see a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// They can.
    Public,
    /// They could.
    Withdrawn,
}

/// The links of a published video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Where people watch it.
    pub share_url: Option<String>,
    /// Its cover.
    pub cover_url: Option<String>,
}

impl Links {
    /// Lets what is not known here be said by another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { share_url: self.share_url.or(other.share_url), cover_url: self.cover_url.or(other.cover_url) }
    }

    /// Tells whether they lead to this video.
    #[must_use]
    pub fn lead_to(&self, id: &VideoId) -> bool {
        self.share_url.as_ref().is_some_and(|url| url.contains(id.as_str()))
    }

    /// The link that TikTok's ids make, where the creator's name is known.
    #[must_use]
    pub fn of_video(username: &str, id: &VideoId) -> Self {
        Self { share_url: Some(format!("https://www.tiktok.com/@{username}/video/{id}")), cover_url: None }
    }
}

/// What is to be done about a publish that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailReaction {
    /// A new init after a while: TikTok says that this one is its own fault.
    Again,
    /// Not today: the creator's daily cap is met.
    Tomorrow,
    /// It was cancelled, on our own word.
    Cancelled,
    /// The creator's consent is gone.
    ConsentGone,
    /// It will not succeed as it is.
    Never,
}

/// A reason that TikTok gives, its meaning, the reaction, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct FailReason {
    /// TikTok's word.
    pub code: &'static str,
    /// What it means, for people.
    pub meaning: &'static str,
    /// What Dropcast does about it.
    pub reaction: FailReaction,
    /// What the user can do about it.
    pub advice: &'static str,
}

const fn reason(code: &'static str, reaction: FailReaction, meaning: &'static str, advice: &'static str) -> FailReason {
    FailReason { code, meaning, reaction, advice }
}

/// The documented reasons, in the order of TikTok's page.
#[rustfmt::skip]
pub const FAIL_REASONS: [FailReason; 13] = {
    use FailReaction::{Again, Cancelled, ConsentGone, Never, Tomorrow};
    [
        reason("file_format_check_failed", Never, "TikTok does not take this file's format", "Export it as MP4 with H.264 and drop it again."),
        reason("duration_check_failed", Never, "TikTok does not take a video of this duration", "Trim it and drop it again."),
        reason("frame_rate_check_failed", Never, "TikTok does not take this frame rate (23 to 60 a second)", "Export it with 24 to 60 frames a second and drop it again."),
        reason("picture_size_check_failed", Never, "TikTok does not take these dimensions (360 to 4096 pixels a side)", "Export it with other dimensions and drop it again."),
        reason("internal", Again, "TikTok met an error of its own", "Dropcast tries again by itself."),
        reason("video_pull_failed", Again, "TikTok could not fetch the video", "Dropcast tries again by itself."),
        reason("photo_pull_failed", Again, "TikTok could not fetch the photo", "Dropcast tries again by itself."),
        reason("publish_cancelled", Cancelled, "The publish was cancelled", "Drop the video again if that was not meant."),
        reason("auth_removed", ConsentGone, "The creator took this app's access away while the video was on its way", "Connect the account again, then drop the video again."),
        reason("spam_risk_too_many_posts", Tomorrow, "The creator's daily number of posts through apps is used up", "Dropcast tries again in a day; the creator can post in the TikTok app now."),
        reason("spam_risk_user_banned_from_posting", Never, "TikTok has banned this creator from posting", "The creator must settle that with TikTok in the app; then drop the video again."),
        reason("spam_risk_text", Never, "TikTok judged the caption to be spam", "Change the title, then drop it again."),
        reason("spam_risk", Never, "TikTok judged this post to be risky", "Look at the account's notices in the TikTok app, then drop the video again."),
    ]
};

impl FailReason {
    /// Finds a reason by TikTok's word.
    #[must_use]
    pub fn find(code: &str) -> Option<&'static Self> {
        FAIL_REASONS.iter().find(|reason| reason.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_tiktoks_own_errors_are_tried_again() {
        let again: Vec<_> = FAIL_REASONS.iter().filter(|r| r.reaction == FailReaction::Again).map(|r| r.code).collect();
        assert_eq!(again, ["internal", "video_pull_failed", "photo_pull_failed"]);
    }

    #[test]
    fn a_link_keeps_all_digits_of_the_id() {
        let id = VideoId::new("7678907398077074696").unwrap();
        let link = Links::of_video("anna", &id).share_url.unwrap();
        assert_eq!(link, "https://www.tiktok.com/@anna/video/7678907398077074696");
    }
}
