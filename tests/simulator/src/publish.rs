//! A publish, which is one attempt to post a video, from its init to its end.
//!
//! [`Publish::take_due_transition`] advances the state as time passes; `world` applies the consequences. Time is an
//! argument. Accepted bytes are never removed, and `Failed` is a final state.

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
    /// Posted directly to the creator's profile.
    Direct,
    /// Sent to the creator's inbox; the creator posts it from the TikTok app.
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
    /// Frame rate outside 23 to 60 frames per second.
    FrameRateCheckFailed,
    /// Dimensions outside the limits.
    PictureSizeCheckFailed,
    /// An error of TikTok's own, documented as retryable.
    Internal,
    /// Pulling the video from its URL failed.
    VideoPullFailed,
    /// Pulling a photo from its URL failed.
    PhotoPullFailed,
    /// Cancelled through the API.
    PublishCancelled,
    /// The creator removed the app's access before the publish ended.
    AuthRemoved,
    /// More posts than the cap in 24 hours.
    SpamRiskTooManyPosts,
    /// The creator is banned from posting.
    SpamRiskUserBannedFromPosting,
    /// The caption was judged to be spam.
    SpamRiskText,
    /// The request was judged to be risky.
    SpamRisk,
}

/// The state of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublishState {
    /// Bytes are missing.
    Uploading,
    /// Every byte was accepted; processing ends at `until`.
    Processing { until: Timestamp },
    /// A draft in the creator's inbox, not yet posted.
    InInbox,
    /// Published, more than once if the creator posted a draft repeatedly.
    Published { videos: Vec<Video> },
    /// Ended without a video.
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
    /// Its privacy level restricts who may see it.
    NotPublic,
    /// Becomes public at `until`.
    InModeration { until: Timestamp },
    /// Everyone can see it.
    Public,
    /// It was public and was taken down.
    Removed,
}

/// A change of state that is due because time has passed. `World::apply` carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The upload URL expired before every byte arrived.
    UploadExpired,
    /// Processing ended at `at`.
    ProcessingEnded { at: Timestamp },
    /// Moderation of a video ended at `at`.
    VideoMadePublic { at: Timestamp, video: u64 },
}

/// One publish.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) id: PublishId,
    pub(crate) user: OpenId,
    pub(crate) flow: Flow,
    pub(crate) info: Option<PostInfo>,
    pub(crate) created_at: Timestamp,
    pub(crate) upload: Upload,
    pub(crate) state: PublishState,
    /// The reason with which a fault lets this publish fail after processing.
    pub(crate) forced_failure: Option<FailReason>,
}

impl Publish {
    /// Returns the next transition that is due, if any.
    ///
    /// A video whose moderation ended is made public here. The caller must apply the other two transitions;
    /// otherwise they are returned again, and `World::apply_due_transitions` never ends.
    pub(crate) fn take_due_transition(&mut self, settings: &Settings, now: Timestamp) -> Option<Transition> {
        match &mut self.state {
            PublishState::Uploading => {
                // The setting is read only if the upload has expired: `settings::Undocumented` records each read.
                let expired = self.upload.expires_at <= now && settings.expired_upload.read() == ExpiredUpload::Fails;
                expired.then_some(Transition::UploadExpired)
            }
            PublishState::Processing { until } => (*until <= now).then_some(Transition::ProcessingEnded { at: *until }),
            PublishState::Published { videos } => videos.iter_mut().find_map(|video| match video.availability {
                Availability::InModeration { until } if until <= now => {
                    video.availability = Availability::Public;
                    Some(Transition::VideoMadePublic { at: until, video: video.id })
                }
                _ => None,
            }),
            PublishState::InInbox | PublishState::Failed { .. } => None,
        }
    }

    /// Returns whether the passing of time alone can still change the state.
    pub(crate) fn has_pending_transitions(&self) -> bool {
        match &self.state {
            PublishState::Uploading | PublishState::Processing { .. } => true,
            PublishState::Published { videos } => {
                videos.iter().any(|video| matches!(video.availability, Availability::InModeration { .. }))
            }
            PublishState::InInbox | PublishState::Failed { .. } => false,
        }
    }

    /// Adds a video, and sets the state to `Published`.
    pub(crate) fn add_video(&mut self, video: Video) {
        if let PublishState::Published { videos } = &mut self.state {
            videos.push(video);
        } else {
            self.state = PublishState::Published { videos: vec![video] };
        }
    }

    /// Lists the videos that this publish led to.
    pub(crate) fn videos(&self) -> &[Video] {
        match &self.state {
            PublishState::Published { videos } => videos,
            _ => &[],
        }
    }

    /// The state as the `status` of `status/fetch`.
    pub(crate) fn status(&self) -> &'static str {
        match self.state {
            PublishState::Uploading | PublishState::Processing { .. } => "PROCESSING_UPLOAD",
            PublishState::InInbox => "SEND_TO_USER_INBOX",
            PublishState::Published { .. } => "PUBLISH_COMPLETE",
            PublishState::Failed { .. } => "FAILED",
        }
    }
}

impl Video {
    /// Makes a video published at `published_at`. A public one starts in moderation.
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
