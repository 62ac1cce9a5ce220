//! The creator's current settings on TikTok, and their effect on a post.
//!
//! Source: [TikTok's creator info
//! page](https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info).

use crate::options::PrivacyLevel;
use crate::settings::Settings;

/// The TikTok user that posts, as TikTok describes it now. TikTok requires an app to query it before each direct
/// post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    /// The username in links, without `@`.
    pub username: String,
    /// The display name.
    pub nickname: String,
    /// TikTok's names of the privacy levels that the creator can choose now.
    pub privacy_levels: Vec<String>,
    /// Whether the creator has disabled comments.
    pub comment_disabled: bool,
    /// Whether the creator has disabled duets.
    pub duet_disabled: bool,
    /// Whether the creator has disabled stitches.
    pub stitch_disabled: bool,
    /// The maximum duration of a video in seconds.
    pub max_duration_s: Option<u64>,
}

/// A privacy level that the creator cannot choose now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "privacy level {requested} is not available to @{username} now (TikTok allows {allowed}): set privacy_level to one \
     of these, or change the account's privacy in the TikTok app"
)]
pub struct PrivacyNotOffered {
    /// The privacy level of the post.
    pub requested: PrivacyLevel,
    /// The username of the creator.
    pub username: String,
    /// The available privacy levels, separated by commas.
    pub allowed: String,
}

impl Creator {
    /// Returns the settings with the interactions disabled that the creator has disabled.
    ///
    /// # Errors
    /// [`PrivacyNotOffered`] if the privacy level is not available. It is never replaced by another level.
    pub fn fit(&self, settings: Settings) -> Result<Settings, PrivacyNotOffered> {
        let requested = settings.privacy_level;
        if !self.privacy_levels.iter().any(|level| level == requested.as_str()) {
            let (username, allowed) = (self.username.clone(), self.privacy_levels.join(", "));
            return Err(PrivacyNotOffered { requested, username, allowed });
        }
        Ok(Settings {
            disable_comment: settings.disable_comment || self.comment_disabled,
            disable_duet: settings.disable_duet || self.duet_disabled,
            disable_stitch: settings.disable_stitch || self.stitch_disabled,
            ..settings
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Mode, PostOptions};
    use crate::settings::StackDefaults;
    use crate::title::TitleLimit;

    fn private_creator() -> Creator {
        Creator {
            username: "anna".into(),
            nickname: "Anna".into(),
            privacy_levels: vec!["FOLLOWER_OF_CREATOR".into(), "SELF_ONLY".into()],
            comment_disabled: false,
            duet_disabled: true,
            stitch_disabled: true,
            max_duration_s: Some(300),
        }
    }

    fn settings(privacy_level: PrivacyLevel) -> Settings {
        let stack = StackDefaults { mode: Mode::Direct, privacy_level, title_limit: TitleLimit::default() };
        Settings::resolve(&PostOptions::default(), "a.mp4", &stack).unwrap()
    }

    #[test]
    fn interaction_disabled_by_creator_stays_disabled() {
        let fitted = private_creator().fit(settings(PrivacyLevel::SelfOnly)).unwrap();
        assert_eq!((fitted.disable_comment, fitted.disable_duet, fitted.disable_stitch), (false, true, true));
    }

    #[test]
    fn unavailable_privacy_level_is_rejected_and_never_replaced() {
        let error = private_creator().fit(settings(PrivacyLevel::PublicToEveryone)).unwrap_err();
        assert!(error.to_string().contains("FOLLOWER_OF_CREATOR, SELF_ONLY"), "{error}");
    }
}
