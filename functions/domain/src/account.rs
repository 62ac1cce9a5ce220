//! An account: a TikTok user who authorized, and how the user wants to post.

mod preferences;
mod tokens;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use preferences::{Preferences, PreferencesError};
pub use tokens::{TokenPair, TokenUse};

use crate::authorization::ExpectedUser;
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

    /// What an account needs for uploads of this mode, and to be called by its
    /// name: no more is asked for unless the operator says so. The name is part
    /// of a post's link.
    #[must_use]
    pub fn least_for(mode: Mode) -> Self {
        Self(["user.info.basic", "user.info.profile", Self::needed_for(mode)].map(str::to_owned).to_vec())
    }

    /// The same with one more, where it is not among them.
    #[must_use]
    pub fn with(mut self, scope: &str) -> Self {
        if !self.allow(scope) {
            self.0.push(scope.to_owned());
        }
        self
    }

    /// Tells whether a scope was granted.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        self.0.iter().any(|granted| granted == scope)
    }

    /// Tells whether none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list as TikTok writes it.
    #[must_use]
    pub fn to_list(&self) -> String {
        self.0.join(",")
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

impl Account {
    /// An account as a first consent makes it: nothing is said of its posts yet.
    #[must_use]
    pub fn new(alias: Alias, open_id: OpenId, scopes: Scopes, tokens: TokenPair) -> Self {
        Self {
            alias,
            open_id,
            username: None,
            display_name: None,
            scopes,
            connection: Connection::Connected,
            tokens,
            refreshing: None,
            preferences: Preferences::default(),
        }
    }

    /// The account while a function refreshes its tokens. Where that function vanishes,
    /// other idle accounts come first.
    #[must_use]
    pub fn locked(self, lock: RefreshLock, now: Timestamp) -> Self {
        Self { refreshing: Some(lock), tokens: self.tokens.renewed_later(now), ..self }
    }

    /// The account after another consent. What it says of its posts stays; its
    /// names go where another user takes the place of one who was disconnected.
    #[must_use]
    pub fn authorized(self, open_id: OpenId, scopes: Scopes, tokens: TokenPair) -> Self {
        let same = self.open_id == open_id;
        Self {
            username: self.username.filter(|_| same),
            display_name: self.display_name.filter(|_| same),
            open_id,
            scopes,
            connection: Connection::Connected,
            tokens,
            refreshing: None,
            ..self
        }
    }

    /// The account whose consent has ended: it must be connected again.
    #[must_use]
    pub fn authorization_lost(self, why: &str, now: Timestamp) -> Self {
        let connection = Connection::NeedsReconnect { since: now, why: why.to_owned() };
        Self { connection, refreshing: None, ..self }
    }

    /// The account without its tokens; its posts wait for another consent.
    #[must_use]
    pub fn disconnected(self, why: &str, now: Timestamp) -> Self {
        Self { tokens: TokenPair::forgotten(now), ..self.authorization_lost(why, now) }
    }

    /// The user whom another consent has to come from; anybody's will do once
    /// the account was disconnected.
    #[must_use]
    pub fn expected(&self) -> ExpectedUser {
        if self.tokens.is_forgotten() { ExpectedUser::Anybody } else { ExpectedUser::User(self.open_id.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Sealed;

    #[test]
    fn a_forgotten_pair_opens_nothing_and_is_at_its_end() {
        let at = Timestamp::from_second(60).unwrap();
        let forgotten = TokenPair::forgotten(at);
        assert!(forgotten.is_forgotten());
        assert_eq!((forgotten.access_expires_at, forgotten.refresh_expires_at), (at, at));
        let kept = TokenPair { refresh: Sealed::new(b"sealed".to_vec()), ..forgotten };
        assert!(!kept.is_forgotten(), "a refresh token is left");
    }

    #[test]
    fn no_mode_asks_for_what_only_the_other_needs() {
        let draft = Scopes::least_for(Mode::Draft);
        assert_eq!(draft.to_list(), "user.info.basic,user.info.profile,video.upload");
        assert!(!draft.allow(Scopes::needed_for(Mode::Direct)));
        assert_eq!(Scopes::parse(&draft.to_list()), draft);
    }

    #[test]
    fn what_a_mode_needs_is_added_once() {
        let needed = Scopes::needed_for(Mode::Draft);
        let wished = Scopes::parse("video.list").with(needed);
        assert_eq!(wished.to_list(), "video.list,video.upload");
        assert_eq!(wished.clone().with(needed), wished);
    }

    fn pair(text: &str) -> TokenPair {
        let sealed = Sealed::new(text.as_bytes().to_vec());
        TokenPair { access: sealed.clone(), refresh: sealed, ..TokenPair::forgotten(Timestamp::UNIX_EPOCH) }
    }

    fn open_id(text: &str) -> OpenId {
        OpenId::new(text).unwrap()
    }

    fn anna() -> Account {
        let scopes = Scopes::parse("video.upload");
        let mut anna = Account::new(Alias::new("anna").unwrap(), open_id("open-1"), scopes, pair("old"));
        anna.username = Some("anna".into());
        anna.preferences.defaults.title = Some("Bread".into());
        anna
    }

    #[test]
    fn an_idle_account_whose_refresher_vanishes_is_not_the_first_in_line_again() {
        let (now, ends) = (Timestamp::from_second(1_000).unwrap(), Timestamp::from_second(9_000).unwrap());
        let tokens = TokenPair { renew_at: now, refresh_expires_at: ends, ..pair("old") };
        let lock = RefreshLock { owner: "status-1".into(), expires_at: now };
        let locked = Account { tokens, ..anna() }.locked(lock.clone(), now);
        assert_eq!(locked.refreshing, Some(lock));
        assert_eq!(locked.tokens.renew_at, Timestamp::from_second(3_000).unwrap());
    }

    #[test]
    fn another_consent_brings_tokens_and_keeps_what_the_account_says_of_its_posts() {
        let why = Connection::NeedsReconnect { since: Timestamp::UNIX_EPOCH, why: "revoked".into() };
        let authorization_lost = Account { connection: why, ..anna() };
        let again = authorization_lost.authorized(open_id("open-1"), Scopes::parse("video.publish"), pair("new"));
        assert_eq!((&again.connection, &again.tokens), (&Connection::Connected, &pair("new")));
        assert_eq!(
            (again.username.as_deref(), again.preferences.defaults.title.as_deref()),
            (Some("anna"), Some("Bread"))
        );
    }

    #[test]
    fn only_a_disconnected_account_can_become_another_users() {
        assert_eq!(anna().expected(), ExpectedUser::User(open_id("open-1")));
        let free = anna().disconnected("its operator wished it", Timestamp::UNIX_EPOCH);
        assert_eq!(free.expected(), ExpectedUser::Anybody);
        let taken = free.authorized(open_id("open-2"), Scopes::default(), pair("new"));
        assert_eq!(taken.expected(), ExpectedUser::User(open_id("open-2")));
        assert_eq!(taken.username, None);
    }
}
