//! The people of the simulated platform and what their account settings allow.
//!
//! Does not know what they posted or which tokens they gave away.

use serde::{Deserialize, Serialize};

use crate::ids::OpenId;

/// A TikTok user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user, as this app sees them.
    pub open_id: OpenId,
    /// The handle, without `@`.
    pub username: String,
    /// The name that people see.
    pub nickname: String,
    /// Whether the whole account is private.
    #[serde(default)]
    pub visibility: Visibility,
    /// Whether the account's settings disable comments.
    #[serde(default)]
    pub comment_disabled: bool,
    /// Whether the account's settings disable duets.
    #[serde(default)]
    pub duet_disabled: bool,
    /// Whether the account's settings disable stitches.
    #[serde(default)]
    pub stitch_disabled: bool,
    /// The longest video that this creator may post, in seconds.
    #[serde(default = "five_minutes")]
    pub max_video_post_duration_sec: u32,
    /// What TikTok holds against this creator.
    #[serde(default)]
    pub standing: Standing,
    /// Direct posts in 24 hours, where it differs from the setting.
    #[serde(default)]
    pub daily_post_cap: Option<u32>,
    /// Whether the app's webhook hears of this creator.
    #[serde(default)]
    pub webhooks: Webhooks,
}

/// Whether the app's webhook hears of a creator. TikTok promises to tell, and a
/// client has to do without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Webhooks {
    /// It does.
    #[default]
    Told,
    /// Nothing is ever sent.
    Withheld,
}

/// What TikTok holds against a creator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing.
    #[default]
    Good,
    /// Banned from posting: `spam_risk_user_banned_from_posting`.
    Banned,
    /// Posted too much elsewhere: `spam_risk_too_many_posts`.
    TooManyPosts,
    /// Every post is judged risky: it fails after processing with `spam_risk`.
    Risky,
    /// No target of the sandbox: the consent page turns the user away.
    OutsideSandbox,
}

/// Whether a whole account is open or private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone sees the profile.
    #[default]
    Public,
    /// Only followers that were let in see it.
    Private,
}

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
    /// Everyone.
    PublicToEveryone,
    /// Friends: people who follow each other.
    MutualFollowFriends,
    /// Followers, offered to private accounts.
    FollowerOfCreator,
    /// Only the creator.
    SelfOnly,
}

impl User {
    /// Makes a public account in good standing.
    pub fn new(open_id: impl Into<String>, username: impl Into<String>) -> Self {
        let username = username.into();
        Self {
            open_id: OpenId::new(open_id),
            nickname: username.clone(),
            username,
            visibility: Visibility::Public,
            comment_disabled: false,
            duet_disabled: false,
            stitch_disabled: false,
            max_video_post_duration_sec: five_minutes(),
            standing: Standing::Good,
            daily_post_cap: None,
            webhooks: Webhooks::Told,
        }
    }

    /// Lists the privacy levels that the creator may choose from at this moment.
    ///
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>
    #[must_use]
    pub fn privacy_options(&self) -> [PrivacyLevel; 3] {
        let first = if self.visibility == Visibility::Private {
            PrivacyLevel::FollowerOfCreator
        } else {
            PrivacyLevel::PublicToEveryone
        };
        [first, PrivacyLevel::MutualFollowFriends, PrivacyLevel::SelfOnly]
    }

    /// Tells whether duets are off; private accounts never allow them.
    pub(crate) fn duets_off(&self) -> bool {
        self.duet_disabled || self.visibility == Visibility::Private
    }

    /// Tells whether stitches are off; private accounts never allow them.
    pub(crate) fn stitches_off(&self) -> bool {
        self.stitch_disabled || self.visibility == Visibility::Private
    }
}

fn five_minutes() -> u32 {
    300
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_account_offers_followers_in_place_of_everyone() {
        let mut user = User::new("o1", "maker");
        assert!(user.privacy_options().contains(&PrivacyLevel::PublicToEveryone));
        user.visibility = Visibility::Private;
        let options = user.privacy_options();
        assert!(!options.contains(&PrivacyLevel::PublicToEveryone));
        assert!(options.contains(&PrivacyLevel::FollowerOfCreator));
        assert!(user.duets_off() && user.stitches_off());
    }

    #[test]
    fn a_user_needs_only_an_id_and_names() {
        let user: User = serde_json::from_str(r#"{"open_id":"o1","username":"maker","nickname":"Maker"}"#).unwrap();
        assert_eq!(user.max_video_post_duration_sec, 300);
        assert_eq!(user.standing, Standing::Good);
    }
}
