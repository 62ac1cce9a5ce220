//! What TikTok says of a creator at this moment, and what it asks of a post.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>

use crate::options::PrivacyLevel;
use crate::settings::Settings;

/// A creator's state, asked for before every direct post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    /// The name in links, without the `@`.
    pub username: String,
    /// The name as shown.
    pub nickname: String,
    /// The privacy levels that the creator can choose now, as TikTok writes them.
    pub privacy_levels: Vec<String>,
    /// The creator has comments off.
    pub comment_disabled: bool,
    /// The creator has duets off.
    pub duet_disabled: bool,
    /// The creator has stitches off.
    pub stitch_disabled: bool,
    /// The longest video that the creator can post, in seconds.
    pub max_duration_s: Option<u64>,
}

/// A privacy level that the creator cannot choose now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "privacy level {wanted} is not open to @{username} now (TikTok allows {allowed}): set privacy_level to one of \
     these, or change the account's privacy in the TikTok app", wanted = .wanted.as_str()
)]
pub struct PrivacyNotOffered {
    /// The level that the post asks for.
    pub wanted: PrivacyLevel,
    /// Whose levels they are.
    pub username: String,
    /// The levels on offer, comma-separated.
    pub allowed: String,
}

impl Creator {
    /// Fits a post's settings to what the creator allows: interactions that
    /// are off stay off, and the privacy level is never exchanged for another.
    ///
    /// # Errors
    /// Refuses a privacy level that is not on offer.
    pub fn fit(&self, settings: Settings) -> Result<Settings, PrivacyNotOffered> {
        let wanted = settings.privacy_level;
        if !self.privacy_levels.iter().any(|level| level == wanted.as_str()) {
            let (username, allowed) = (self.username.clone(), self.privacy_levels.join(", "));
            return Err(PrivacyNotOffered { wanted, username, allowed });
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
    fn what_the_creator_disabled_stays_disabled() {
        let fitted = private_creator().fit(settings(PrivacyLevel::SelfOnly)).unwrap();
        assert_eq!((fitted.disable_comment, fitted.disable_duet, fitted.disable_stitch), (false, true, true));
    }

    #[test]
    fn a_level_that_is_not_offered_is_refused_and_never_exchanged() {
        let refusal = private_creator().fit(settings(PrivacyLevel::PublicToEveryone)).unwrap_err();
        assert!(refusal.to_string().contains("FOLLOWER_OF_CREATOR, SELF_ONLY"), "{refusal}");
    }
}
