//! An account: a TikTok user who consented, and how the user wants to post.

mod preferences;
mod tokens;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use preferences::{Preferences, PreferencesError};
pub use tokens::{Need, TokenPair};

use crate::identity::{Alias, OpenId};
use crate::options::Mode;

/// What the user allowed this app to do, in TikTok's words (`video.publish`, …).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads TikTok's comma-separated list.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
    }

    /// The scope that an upload of this mode needs.
    #[must_use]
    pub fn needed_for(mode: Mode) -> &'static str {
        match mode {
            Mode::Direct => "video.publish",
            Mode::Draft => "video.upload",
        }
    }

    /// Tells whether a scope was granted.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        self.0.iter().any(|granted| granted == scope)
    }

    /// The granted scopes, in TikTok's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Whether an account can be posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// It can.
    Connected,
    /// TikTok refused its tokens for good; the user must consent again.
    NeedsReconnect {
        /// Since when.
        since: Timestamp,
        /// What TikTok said.
        why: String,
    },
}

/// The right to refresh an account's tokens, which one function has at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshLock {
    /// Who holds it.
    pub owner: String,
    /// Until when; then another may take it.
    pub expires_at: Timestamp,
}

/// Something that a post of this account waits for, or does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// A post waits for it.
    Required,
    /// A post goes without.
    #[default]
    Optional,
}

/// A connected TikTok user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name by which folders and people call it.
    pub alias: Alias,
    /// TikTok's id of the user.
    pub open_id: OpenId,
    /// The user's name in links, without the `@`, where it is known.
    pub username: Option<String>,
    /// The user's name as shown.
    pub display_name: Option<String>,
    /// What the user allowed.
    pub scopes: Scopes,
    /// Whether it can be posted to.
    pub connection: Connection,
    /// Its tokens.
    pub tokens: TokenPair,
    /// Who is refreshing them, if anybody.
    pub refreshing: Option<RefreshLock>,
    /// How its posts go out where they do not say it themselves.
    pub preferences: Preferences,
}
