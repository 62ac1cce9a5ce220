//! An account: one TikTok user who authorized the app, with tokens and preferences.

mod preferences;
mod tokens;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use preferences::{Preferences, PreferencesError};
pub use tokens::{TokenPair, TokenUse};

use crate::authorization::ExpectedUser;
use crate::creator::Creator;
use crate::identity::{Alias, OpenId};
use crate::macros::named_enum;
use crate::options::Mode;
use crate::polling::elapsed;

/// TikTok must refuse fresh access tokens twice before the authorization counts as lost, at least this long apart. A new
/// token may not be known to all of TikTok's servers at once.
pub const FRESH_TOKEN_WAIT: Duration = Duration::from_secs(30);
/// A refusal of a fresh access token counts as the first of two for this long.
const FRESH_TOKEN_PERIOD: Duration = Duration::from_hours(1);

/// OAuth scopes with TikTok's names, for example `video.publish`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Parses TikTok's comma-separated list.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
    }

    /// Returns the scope that uploads in this mode need.
    pub fn needed_for(mode: Mode) -> &'static str {
        match mode {
            Mode::Direct => "video.publish",
            Mode::Draft => "video.upload",
        }
    }

    /// Returns the scopes that the app requests by default: the fewest that connect a user and post in this mode.
    ///
    /// If one requested scope is not on the app's list, TikTok shows an error page and never redirects. So nothing
    /// optional is requested, and in particular not `user.info.profile`, which a new app does not have.
    pub fn least_for(mode: Mode) -> Self {
        Self(["user.info.basic", Self::needed_for(mode)].map(str::to_owned).to_vec())
    }

    /// Returns the scopes with this one added if it is missing.
    #[must_use]
    pub fn with(mut self, scope: &str) -> Self {
        if !self.allow(scope) {
            self.0.push(scope.to_owned());
        }
        self
    }

    /// Tells whether the scopes include this one.
    pub fn allow(&self, scope: &str) -> bool {
        self.0.iter().any(|granted| granted == scope)
    }

    /// Tells whether there are no scopes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns TikTok's comma-separated list.
    pub fn to_list(&self) -> String {
        self.0.join(",")
    }

    /// Returns the scopes in TikTok's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Whether the app has the user's authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// The app has the authorization.
    Connected,
    /// The app lost the authorization. The account's posts wait until the user authorizes the app again.
    NeedsReconnect {
        /// When the authorization was lost.
        since: Timestamp,
        /// Why it was lost, for people.
        why: String,
    },
}

/// The lock of an account while one worker refreshes its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshLock {
    /// The worker that has the lock.
    pub owner: String,
    /// When the lock expires. Another worker can then take it.
    pub expires_at: Timestamp,
}

named_enum! {
    /// Whether the posts of an account wait for something.
    #[derive(Default)]
    pub enum Requirement {
        /// A post waits for it.
        Required = "required",
        /// A post does not wait for it.
        #[default]
        Optional = "optional",
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name that the operator chose, and the account's folder under `drop/`.
    pub alias: Alias,
    /// TikTok's id of the user.
    pub open_id: OpenId,
    /// The username in links, without `@`, if TikTok has stated it.
    pub username: Option<String>,
    /// The display name, if TikTok has stated it.
    pub display_name: Option<String>,
    /// The scopes that the user granted.
    pub scopes: Scopes,
    /// Whether the app has the user's authorization.
    pub connection: Connection,
    /// The user's tokens.
    pub tokens: TokenPair,
    /// The lock of the worker that refreshes the tokens, if one does.
    pub refreshing: Option<RefreshLock>,
    /// When TikTok refused an access token that it had just issued, if it has accepted none since.
    pub fresh_token_refused_at: Option<Timestamp>,
    /// The presets for the account's posts.
    pub preferences: Preferences,
}

impl Account {
    /// Creates an account from the first authorization, with default preferences.
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
            fresh_token_refused_at: None,
            preferences: Preferences::default(),
        }
    }

    /// Returns the account with a refresh lock. If the worker stops before it releases the lock, the account is due
    /// again only after other idle accounts ([`TokenPair::renewed_later`]).
    #[must_use]
    pub fn locked(self, lock: RefreshLock, now: Timestamp) -> Self {
        Self { refreshing: Some(lock), tokens: self.tokens.renewed_later(now), ..self }
    }

    /// Returns the account after another authorization, possibly by another user. The preferences stay. The names of
    /// another user are not known yet.
    #[must_use]
    pub fn authorized(self, open_id: OpenId, scopes: Scopes, tokens: TokenPair) -> Self {
        let is_same_user = self.open_id == open_id;
        Self {
            username: self.username.filter(|_| is_same_user),
            display_name: self.display_name.filter(|_| is_same_user),
            open_id,
            scopes,
            connection: Connection::Connected,
            tokens,
            refreshing: None,
            fresh_token_refused_at: None,
            ..self
        }
    }

    /// Returns the account with the names that TikTok states for its creator. A name that TikTok leaves empty stays as
    /// it is.
    #[must_use]
    pub fn named(self, creator: &Creator) -> Self {
        let stated = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        Self {
            username: stated(&creator.username).or(self.username),
            display_name: stated(&creator.nickname).or(self.display_name),
            ..self
        }
    }

    /// Returns the account after TikTok or the user ended the authorization. Its access token is not used any more.
    #[must_use]
    pub fn authorization_lost(self, why: &str, now: Timestamp) -> Self {
        self.refresh_refused(why, now).access_refused(now)
    }

    /// Returns the account after TikTok refused to refresh its tokens: it must be connected again. The access token is
    /// used until it expires or TikTok refuses it.
    #[must_use]
    pub fn refresh_refused(self, why: &str, now: Timestamp) -> Self {
        let connection = Connection::NeedsReconnect { since: now, why: why.to_owned() };
        Self { connection, refreshing: None, ..self }
    }

    /// Returns the account after TikTok refused its access token, which is then not used any more.
    #[must_use]
    pub fn access_refused(mut self, now: Timestamp) -> Self {
        self.tokens.access_expires_at = self.tokens.access_expires_at.min(now);
        self
    }

    /// Returns the account after TikTok refused an access token that it had just issued. The second such refusal ends
    /// the authorization, if it is at least [`FRESH_TOKEN_WAIT`] and at most an hour after the first one.
    #[must_use]
    pub fn fresh_token_refused(self, why: &str, now: Timestamp) -> Self {
        match self.fresh_token_refused_at.map(|first| elapsed(first, now)) {
            Some(age) if age < FRESH_TOKEN_WAIT => self,
            Some(age) if age <= FRESH_TOKEN_PERIOD => self.authorization_lost(why, now),
            _ => Self { fresh_token_refused_at: Some(now), ..self },
        }
    }

    /// Returns the account after the operator disconnected it. It has no tokens, and its posts wait for another
    /// authorization.
    #[must_use]
    pub fn disconnected(self, why: &str, now: Timestamp) -> Self {
        Self { tokens: TokenPair::forgotten(now), ..self.authorization_lost(why, now) }
    }

    /// Returns the user who must give the next authorization. Any user can give it to a disconnected account.
    pub fn expected(&self) -> ExpectedUser {
        if self.tokens.is_forgotten() { ExpectedUser::Anybody } else { ExpectedUser::User(self.open_id.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Sealed;

    #[test]
    fn forgotten_pair_is_empty_and_expired() {
        let at = Timestamp::from_second(60).unwrap();
        let forgotten = TokenPair::forgotten(at);
        assert!(forgotten.is_forgotten());
        assert_eq!((forgotten.access_expires_at, forgotten.refresh_expires_at), (at, at));
        let with_refresh_token = TokenPair { refresh: Sealed::new(b"sealed".to_vec()), ..forgotten };
        assert!(!with_refresh_token.is_forgotten());
    }

    #[test]
    fn default_scopes_are_basic_and_scope_of_mode() {
        for (mode, list) in
            [(Mode::Draft, "user.info.basic,video.upload"), (Mode::Direct, "user.info.basic,video.publish")]
        {
            let scopes = Scopes::least_for(mode);
            assert_eq!(scopes.to_list(), list);
            assert_eq!(Scopes::parse(list), scopes);
        }
    }

    #[test]
    fn creator_names_account_and_empty_names_change_nothing() {
        let creator = |username: &str, nickname: &str| Creator {
            username: username.to_owned(),
            nickname: nickname.to_owned(),
            privacy_levels: Vec::new(),
            comment_disabled: false,
            duet_disabled: false,
            stitch_disabled: false,
            max_duration_s: None,
        };
        let named = anna().named(&creator("anna.bakes", "Anna"));
        assert_eq!((named.username.as_deref(), named.display_name.as_deref()), (Some("anna.bakes"), Some("Anna")));
        assert_eq!(named.clone().named(&creator("", "")), named);
    }

    #[test]
    fn scope_is_added_once() {
        let scope = Scopes::needed_for(Mode::Draft);
        let scopes = Scopes::parse("video.list").with(scope);
        assert_eq!(scopes.to_list(), "video.list,video.upload");
        assert_eq!(scopes.clone().with(scope), scopes);
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
    fn second_refusal_of_fresh_token_ends_authorization() {
        let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
        let refuse = |account: Account, second| account.fresh_token_refused("refused", at(second));
        let once = refuse(anna(), 0);
        assert_eq!(once.connection, Connection::Connected, "one refusal can be a delay of TikTok's");
        assert_eq!(refuse(once.clone(), 29).connection, Connection::Connected, "the refusal is too early to count");
        let twice = refuse(once.clone(), 30);
        assert!(matches!(twice.connection, Connection::NeedsReconnect { .. }));
        let much_later = refuse(once, 3601);
        assert_eq!(much_later.connection, Connection::Connected, "the first refusal is too old to count");
        assert_eq!(much_later.fresh_token_refused_at, Some(at(3601)));
    }

    #[test]
    fn refused_refresh_keeps_living_access_token() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let tokens = TokenPair { access_expires_at: at(600), ..pair("old") };
        let refused = Account { tokens: tokens.clone(), ..anna() }.refresh_refused("revoked", at(100));
        assert!(matches!(refused.connection, Connection::NeedsReconnect { .. }), "it is reported at once");
        assert_eq!(refused.tokens, tokens);
        let lost = refused.access_refused(at(200));
        assert!(!lost.tokens.lives_for(Duration::ZERO, at(200)), "a refused access token is not used again");
    }

    #[test]
    fn lock_postpones_renewal_of_due_idle_account() {
        // The worker can stop before it releases the lock. Other idle accounts are then due earlier. The delay is a
        // quarter of the refresh token's remaining 8,000 s.
        let (now, end) = (Timestamp::from_second(1_000).unwrap(), Timestamp::from_second(9_000).unwrap());
        let tokens = TokenPair { renew_at: now, refresh_expires_at: end, ..pair("old") };
        let lock = RefreshLock { owner: "status-1".into(), expires_at: now };
        let locked = Account { tokens, ..anna() }.locked(lock.clone(), now);
        assert_eq!(locked.refreshing, Some(lock));
        assert_eq!(locked.tokens.renew_at, Timestamp::from_second(3_000).unwrap());
    }

    #[test]
    fn reauthorization_replaces_tokens_and_keeps_preferences() {
        let connection = Connection::NeedsReconnect { since: Timestamp::UNIX_EPOCH, why: "revoked".into() };
        let lost = Account { connection, ..anna() };
        let again = lost.authorized(open_id("open-1"), Scopes::parse("video.publish"), pair("new"));
        assert_eq!((&again.connection, &again.tokens), (&Connection::Connected, &pair("new")));
        assert_eq!(
            (again.username.as_deref(), again.preferences.defaults.title.as_deref()),
            (Some("anna"), Some("Bread"))
        );
    }

    #[test]
    fn only_disconnected_account_accepts_another_user() {
        assert_eq!(anna().expected(), ExpectedUser::User(open_id("open-1")));
        let disconnected = anna().disconnected("disconnected by the operator", Timestamp::UNIX_EPOCH);
        assert_eq!(disconnected.expected(), ExpectedUser::Anybody);
        let taken = disconnected.authorized(open_id("open-2"), Scopes::default(), pair("new"));
        assert_eq!(taken.expected(), ExpectedUser::User(open_id("open-2")));
        assert_eq!(taken.username, None);
    }
}
