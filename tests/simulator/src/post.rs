//! One publish from its init to its end: what was asked for, what arrived, what
//! became of it.
//!
//! Time moves it, through [`Post::step`]; nothing here reads a clock. Bytes that
//! were accepted are never taken back, and what failed stays failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::after_ms;
use crate::ids::{OpenId, PublishId};
use crate::init::PostInfo;
use crate::settings::{ExpiredUpload, Settings};
use crate::upload::Upload;
use crate::users::PrivacyLevel;

/// The two ways of posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Straight to the profile.
    Direct,
    /// Into the creator's inbox, who posts it in the app.
    Draft,
}

/// Why a publish failed.
///
/// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// Unsupported format.
    FileFormatCheckFailed,
    /// Duration outside the limits.
    DurationCheckFailed,
    /// Frame rate outside 23 to 60.
    FrameRateCheckFailed,
    /// Dimensions outside the limits.
    PictureSizeCheckFailed,
    /// TikTok's own trouble; documented as worth another try.
    Internal,
    /// A pull did not work.
    VideoPullFailed,
    /// A pull of photos did not work.
    PhotoPullFailed,
    /// Cancelled through the API.
    PublishCancelled,
    /// The creator removed the app's access on the way.
    AuthRemoved,
    /// More posts than the cap in 24 hours.
    SpamRiskTooManyPosts,
    /// The creator may not post.
    SpamRiskUserBannedFromPosting,
    /// The caption was judged to be spam.
    SpamRiskText,
    /// The request was judged to be risky.
    SpamRisk,
}

/// Where a publish is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    Uploading,
    Processing { until: Timestamp },
    InInbox,
    Published { videos: Vec<Video> },
    Failed { reason: FailReason },
}

/// A video that a publish led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Video {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) privacy: PrivacyLevel,
    pub(crate) published_at: Timestamp,
    pub(crate) availability: Availability,
}

/// Whether everyone can see a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    NotPublic,
    InModeration { until: Timestamp },
    Public,
    Removed,
}

/// What a step in a publish's life means to the world around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    UploadLapsed,
    ProcessingDone { at: Timestamp },
    MadePublic { at: Timestamp, video: u64 },
}

/// One publish.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) id: PublishId,
    pub(crate) user: OpenId,
    pub(crate) flow: Flow,
    pub(crate) info: Option<PostInfo>,
    pub(crate) created_at: Timestamp,
    pub(crate) upload: Upload,
    pub(crate) life: Life,
    /// A failure that was decided on beforehand, by a fault or a control call.
    pub(crate) doom: Option<FailReason>,
}

impl Post {
    /// Takes the next step that is due, if any, and says what it was.
    pub(crate) fn step(&mut self, settings: &Settings, now: Timestamp) -> Option<Step> {
        match &mut self.life {
            Life::Uploading => {
                let lapsed = self.upload.expires_at <= now && settings.expired_upload.consult() == ExpiredUpload::Fails;
                lapsed.then_some(Step::UploadLapsed)
            }
            Life::Processing { until } => (*until <= now).then_some(Step::ProcessingDone { at: *until }),
            Life::Published { videos } => {
                let due = |video: &&mut Video| matches!(video.availability, Availability::InModeration { until } if until <= now);
                let video = videos.iter_mut().find(due)?;
                let Availability::InModeration { until: at } = video.availability else {
                    return None;
                };
                video.availability = Availability::Public;
                Some(Step::MadePublic { at, video: video.id })
            }
            Life::InInbox | Life::Failed { .. } => None,
        }
    }

    /// Tells whether time alone can still change anything.
    pub(crate) fn is_moving(&self) -> bool {
        match &self.life {
            Life::Uploading | Life::Processing { .. } => true,
            Life::Published { videos } => {
                videos.iter().any(|video| matches!(video.availability, Availability::InModeration { .. }))
            }
            Life::InInbox | Life::Failed { .. } => false,
        }
    }

    /// Adds a video to what this publish led to.
    pub(crate) fn publish(&mut self, video: Video) {
        if let Life::Published { videos } = &mut self.life {
            videos.push(video);
        } else {
            self.life = Life::Published { videos: vec![video] };
        }
    }

    /// Lists the videos that this publish led to.
    pub(crate) fn videos(&self) -> &[Video] {
        match &self.life {
            Life::Published { videos } => videos,
            _ => &[],
        }
    }

    /// Names the state as `status/fetch` does.
    pub(crate) fn status(&self) -> &'static str {
        match self.life {
            Life::Uploading | Life::Processing { .. } => "PROCESSING_UPLOAD",
            Life::InInbox => "SEND_TO_USER_INBOX",
            Life::Published { .. } => "PUBLISH_COMPLETE",
            Life::Failed { .. } => "FAILED",
        }
    }
}

impl Video {
    /// Makes a video that was published at a time; a public one goes through moderation.
    pub(crate) fn new(
        id: u64,
        title: String,
        privacy: PrivacyLevel,
        published_at: Timestamp,
        settings: &Settings,
    ) -> Self {
        let availability = if privacy == PrivacyLevel::PublicToEveryone {
            Availability::InModeration { until: after_ms(published_at, settings.moderation_ms) }
        } else {
            Availability::NotPublic
        };
        Self { id, title, privacy, published_at, availability }
    }
}
