//! The users of the simulated platform and their account settings.
//!
//! A user's publishes are in `world`, their tokens in `token_store`. The simulator's `README.md` lists the fields of
//! [`User`], which a test sets with `PUT /_simulator/users/{open_id}`.

use serde::{Deserialize, Serialize};

use crate::ids::OpenId;

/// A TikTok user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// TikTok's id of the user for this app.
    pub open_id: OpenId,
    /// The handle, without `@`.
    pub username: String,
    /// The display name.
    pub nickname: String,
    /// Whether the whole account is private.
    #[serde(default)]
    pub visibility: Visibility,
    /// Whether the account's settings disable comments.
    #[serde(default)]
    pub comment_disabled: bool,
    /// Whether the account's settings disable duets. `creator_info/query` answers `duets_off`, the effective value.
    #[serde(default)]
    pub duet_disabled: bool,
    /// Whether the account's settings disable stitches. `creator_info/query` answers `stitches_off` instead.
    #[serde(default)]
    pub stitch_disabled: bool,
    /// The longest video that the creator may post directly, in seconds. A longer one fails after processing.
    #[serde(default = "default_max_duration_sec")]
    pub max_video_post_duration_sec: u32,
    /// Whether TikTok restricts the account.
    #[serde(default)]
    pub standing: AccountStanding,
    /// The most direct posts in 24 hours; `None`: `Settings::daily_post_cap` applies.
    #[serde(default)]
    pub daily_post_cap: Option<u32>,
    /// Whether webhooks about this creator are sent.
    #[serde(default)]
    pub webhooks: WebhookDelivery,
}

/// Whether webhooks about a creator are sent. A client must also work without them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDelivery {
    /// Every webhook is sent.
    #[default]
    Enabled,
    /// No webhook is sent.
    Disabled,
}

/// Whether TikTok restricts an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStanding {
    /// No restriction.
    #[default]
    Good,
    /// Each `creator_info/query` and init is refused with `spam_risk_user_banned_from_posting`, and a publish that is
    /// already processing fails with that reason.
    Banned,
    /// Each `creator_info/query` and direct init is refused with `spam_risk_too_many_posts`, as if the creator had reached
    /// the cap through other apps.
    TooManyPosts,
    /// Each publish fails after processing with `spam_risk`.
    Risky,
    /// Not a target user of the sandbox: the authorization page refuses with `non_sandbox_target`.
    OutsideSandbox,
}

/// Whether an account is public or private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone can see the profile.
    #[default]
    Public,
    /// Only approved followers can see the profile.
    Private,
}

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
    /// Everyone.
    PublicToEveryone,
    /// Friends, which means users who follow each other.
    MutualFollowFriends,
    /// Followers. TikTok offers this level only to private accounts.
    FollowerOfCreator,
    /// Only the creator.
    SelfOnly,
}

impl User {
    /// Makes a user with a public, unrestricted account. The nickname is the username.
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
            max_video_post_duration_sec: default_max_duration_sec(),
            standing: AccountStanding::Good,
            daily_post_cap: None,
            webhooks: WebhookDelivery::Enabled,
        }
    }

    /// Lists the privacy levels that the creator may choose now.
    ///
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>
    #[must_use]
    pub fn privacy_options(&self) -> [PrivacyLevel; 3] {
        let widest = if self.visibility == Visibility::Private {
            PrivacyLevel::FollowerOfCreator
        } else {
            PrivacyLevel::PublicToEveryone
        };
        [widest, PrivacyLevel::MutualFollowFriends, PrivacyLevel::SelfOnly]
    }

    /// Returns whether duets are effectively disabled: by `duet_disabled`, or because the account is private.
    pub(crate) fn duets_off(&self) -> bool {
        self.duet_disabled || self.visibility == Visibility::Private
    }

    /// Returns whether stitches are effectively disabled: by `stitch_disabled`, or because the account is private.
    pub(crate) fn stitches_off(&self) -> bool {
        self.stitch_disabled || self.visibility == Visibility::Private
    }
}

fn default_max_duration_sec() -> u32 {
    300
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_account_offers_followers_instead_of_everyone() {
        let mut user = User::new("o1", "maker");
        assert!(user.privacy_options().contains(&PrivacyLevel::PublicToEveryone));
        user.visibility = Visibility::Private;
        let options = user.privacy_options();
        assert!(!options.contains(&PrivacyLevel::PublicToEveryone));
        assert!(options.contains(&PrivacyLevel::FollowerOfCreator));
        assert!(user.duets_off() && user.stitches_off());
    }

    #[test]
    fn user_json_needs_only_id_and_names() {
        let user: User = serde_json::from_str(r#"{"open_id":"o1","username":"maker","nickname":"Maker"}"#).unwrap();
        assert_eq!(user.max_video_post_duration_sec, 300);
        assert_eq!(user.standing, AccountStanding::Good);
    }
}
