//! The authorization codes, access tokens and refresh tokens that the platform has issued.
//!
//! `authorize` issues codes; `oauth` exchanges codes and refreshes tokens. If a user removes the app, all their codes and
//! tokens are deleted here. So the user of an access or refresh token that is stored, even an expired one, has not removed
//! the app.
//!
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::after_s;
use crate::ids::{IdGenerator, OpenId};
use crate::settings::{RefreshRotation, RefreshWindow, Settings};

/// A permission that a user grants to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Read ids, avatar and display name.
    #[serde(rename = "user.info.basic")]
    UserInfoBasic,
    /// Read biography, profile link and handle.
    #[serde(rename = "user.info.profile")]
    UserInfoProfile,
    /// Read the counts of followers, likes and videos.
    #[serde(rename = "user.info.stats")]
    UserInfoStats,
    /// Post directly to the profile.
    #[serde(rename = "video.publish")]
    VideoPublish,
    /// Send drafts to the inbox.
    #[serde(rename = "video.upload")]
    VideoUpload,
    /// List the user's public videos.
    #[serde(rename = "video.list")]
    VideoList,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::UserInfoBasic,
        Self::UserInfoProfile,
        Self::UserInfoStats,
        Self::VideoPublish,
        Self::VideoUpload,
        Self::VideoList,
    ];

    /// The name in requests and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserInfoBasic => "user.info.basic",
            Self::UserInfoProfile => "user.info.profile",
            Self::UserInfoStats => "user.info.stats",
            Self::VideoPublish => "video.publish",
            Self::VideoUpload => "video.upload",
            Self::VideoList => "video.list",
        }
    }

    /// Finds a scope by its name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Formats scopes as TikTok does: separated by commas.
pub(crate) fn comma_list(scopes: &BTreeSet<Scope>) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(",")
}

/// The answer of the `token` endpoint, to a code or to a refresh token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPair {
    /// The user who authorized the app.
    pub open_id: OpenId,
    /// The granted scopes, separated by commas.
    pub scope: String,
    /// The secret in the `Authorization` header of a call.
    pub access_token: String,
    /// The access token's remaining lifetime in seconds.
    pub expires_in: u64,
    /// The secret that is exchanged for the next pair.
    pub refresh_token: String,
    /// The refresh token's remaining lifetime in seconds.
    pub refresh_expires_in: u64,
    /// Always `Bearer`.
    pub token_type: String,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair")
            .field("open_id", &self.open_id)
            .field("scope", &self.scope)
            .field("expires_in", &self.expires_in)
            .field("refresh_expires_in", &self.refresh_expires_in)
            .finish_non_exhaustive()
    }
}

/// Which of a user's tokens to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Only access tokens.
    Access,
    /// Only refresh tokens.
    Refresh,
    /// Both.
    Both,
}

/// An issued access token or refresh token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) user: OpenId,
    pub(crate) scopes: BTreeSet<Scope>,
    expires_at: Timestamp,
}

/// An authorization code that was not exchanged yet.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) user: OpenId,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) redirect_uri: String,
    /// Hex SHA-256 of the PKCE verifier, if the authorization request contained one. Required of desktop apps.
    pub(crate) challenge: Option<String>,
    expires_at: Timestamp,
}

/// Every code and token of every user. A token or code is the key of its map.
#[derive(Default)]
pub(crate) struct TokenStore {
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    codes: HashMap<String, Code>,
    /// The owner of each token ever issued, including expired, rotated and revoked ones. `oauth` and `api` use it to
    /// log calls with such tokens under their user.
    owners: HashMap<String, OpenId>,
}

impl TokenStore {
    /// Issues a code for an authorization. It contains `*` and `!`, as real codes do.
    pub(crate) fn issue_code(
        &mut self,
        authorization: Authorization,
        settings: &Settings,
        ids: &mut IdGenerator,
        now: Timestamp,
    ) -> String {
        let value = ids.secret("code*!", 40);
        let code = Code {
            user: authorization.user,
            scopes: authorization.scopes,
            redirect_uri: authorization.redirect_uri,
            challenge: authorization.challenge,
            expires_at: after_s(now, settings.code_ttl_s),
        };
        self.codes.insert(value.clone(), code);
        value
    }

    /// Finds a code that has not expired or been used.
    pub(crate) fn code(&self, value: &str, now: Timestamp) -> Option<&Code> {
        self.codes.get(value).filter(|code| code.expires_at > now)
    }

    /// Removes a code, so that it cannot be used again.
    pub(crate) fn remove_code(&mut self, value: &str) {
        self.codes.remove(value);
    }

    /// Issues a pair for a new authorization.
    pub(crate) fn issue(
        &mut self,
        user: &OpenId,
        scopes: &BTreeSet<Scope>,
        settings: &Settings,
        ids: &mut IdGenerator,
        now: Timestamp,
    ) -> TokenPair {
        let refresh_token = ids.secret("rft.", 48);
        let expires_at = after_s(now, settings.refresh_token_ttl_s);
        self.store_pair(user, scopes, (refresh_token, expires_at), settings, ids, now)
    }

    /// Issues a new pair for a refresh token. Returns `None` if the token is unknown or expired.
    pub(crate) fn refresh(
        &mut self,
        value: &str,
        settings: &Settings,
        ids: &mut IdGenerator,
        now: Timestamp,
    ) -> Option<TokenPair> {
        let old = self.refresh.get(value)?.clone();
        if old.expires_at <= now {
            return None;
        }
        let expires_at = match settings.refresh_window {
            RefreshWindow::Renewed => after_s(now, settings.refresh_token_ttl_s),
            RefreshWindow::Fixed => old.expires_at,
        };
        let refresh_token = match settings.refresh_rotation.read() {
            RefreshRotation::OldTokenInvalid => {
                self.refresh.remove(value);
                ids.secret("rft.", 48)
            }
            RefreshRotation::OldTokenValid => ids.secret("rft.", 48),
            RefreshRotation::Unchanged => value.to_owned(),
        };
        Some(self.store_pair(&old.user, &old.scopes, (refresh_token, expires_at), settings, ids, now))
    }

    /// Makes an access token for a refresh token, and stores both.
    fn store_pair(
        &mut self,
        user: &OpenId,
        scopes: &BTreeSet<Scope>,
        (refresh_token, refresh_expires_at): (String, Timestamp),
        settings: &Settings,
        ids: &mut IdGenerator,
        now: Timestamp,
    ) -> TokenPair {
        let access_token = ids.secret("act.", 48);
        let token = |expires_at| Token { user: user.clone(), scopes: scopes.clone(), expires_at };
        let access_expires_at = after_s(now, settings.access_token_ttl_s);
        self.owners.insert(access_token.clone(), user.clone());
        self.owners.insert(refresh_token.clone(), user.clone());
        self.access.insert(access_token.clone(), token(access_expires_at));
        self.refresh.insert(refresh_token.clone(), token(refresh_expires_at));
        let refresh_expires_in = refresh_expires_at.duration_since(now).as_secs();
        TokenPair {
            open_id: user.clone(),
            scope: comma_list(scopes),
            access_token,
            expires_in: settings.access_token_ttl_s,
            refresh_token,
            refresh_expires_in: u64::try_from(refresh_expires_in).unwrap_or(0),
            token_type: "Bearer".to_owned(),
        }
    }

    /// Finds an access token that has not expired.
    pub(crate) fn access(&self, value: &str, now: Timestamp) -> Option<&Token> {
        self.access.get(value).filter(|token| token.expires_at > now)
    }

    /// Finds the owner of an access or refresh token, even if it is expired, rotated or revoked.
    pub(crate) fn owner(&self, value: &str) -> Option<OpenId> {
        self.owners.get(value).cloned()
    }

    /// Returns whether a user authorized the app and has not removed it. Expired tokens count: they do not end an
    /// authorization.
    pub(crate) fn is_authorized(&self, user: &OpenId) -> bool {
        let is_of_user = |token: &Token| token.user == *user;
        self.access.values().any(is_of_user) || self.refresh.values().any(is_of_user)
    }

    /// Lists the scopes of a user's refresh tokens that have not expired.
    pub(crate) fn granted_scopes(&self, user: &OpenId, now: Timestamp) -> BTreeSet<Scope> {
        let is_valid = |token: &&Token| token.user == *user && token.expires_at > now;
        let tokens = self.refresh.values().filter(is_valid);
        tokens.flat_map(|token| token.scopes.clone()).collect()
    }

    /// Expires an access token now.
    pub(crate) fn expire_access(&mut self, value: &str, now: Timestamp) {
        if let Some(token) = self.access.get_mut(value) {
            token.expires_at = now;
        }
    }

    /// Expires a user's tokens now.
    pub(crate) fn expire(&mut self, user: &OpenId, which: TokenKind, now: Timestamp) {
        let expire_all = |tokens: &mut HashMap<String, Token>| {
            for token in tokens.values_mut().filter(|token| token.user == *user) {
                token.expires_at = now;
            }
        };
        if which != TokenKind::Refresh {
            expire_all(&mut self.access);
        }
        if which != TokenKind::Access {
            expire_all(&mut self.refresh);
        }
    }

    /// Deletes a user's codes and tokens.
    pub(crate) fn revoke(&mut self, user: &OpenId) {
        self.access.retain(|_, token| token.user != *user);
        self.refresh.retain(|_, token| token.user != *user);
        self.codes.retain(|_, code| code.user != *user);
    }
}

/// A user's consent on the authorization page, for which a code is issued.
pub(crate) struct Authorization {
    pub(crate) user: OpenId,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::settings::Undocumented;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn issued(settings: &Settings) -> (TokenStore, IdGenerator, TokenPair) {
        let mut store = TokenStore::default();
        let mut ids = IdGenerator::new(StdRng::seed_from_u64(3));
        let scopes = BTreeSet::from([Scope::VideoPublish]);
        let pair = store.issue(&OpenId::new("o1"), &scopes, settings, &mut ids, NOW);
        (store, ids, pair)
    }

    #[test]
    fn access_token_expires_after_its_lifetime() {
        let (store, _, pair) = issued(&Settings::default());
        assert!(store.access(&pair.access_token, after_s(NOW, 7199)).is_some());
        assert!(store.access(&pair.access_token, after_s(NOW, 7200)).is_none());
    }

    #[test]
    fn refresh_invalidates_the_used_refresh_token() {
        let settings = Settings::default();
        let (mut store, mut ids, pair) = issued(&settings);
        let mut refresh = |value: &str| store.refresh(value, &settings, &mut ids, NOW);
        let second = refresh(&pair.refresh_token).unwrap();
        assert_ne!(second.refresh_token, pair.refresh_token);
        assert!(refresh(&pair.refresh_token).is_none());
        assert!(refresh(&second.refresh_token).is_some());
    }

    #[test]
    fn setting_keeps_or_reuses_the_old_refresh_token() {
        let old_token_valid =
            Settings { refresh_rotation: Undocumented::new(RefreshRotation::OldTokenValid), ..Settings::default() };
        let (mut store, mut ids, pair) = issued(&old_token_valid);
        let mut refresh = |value: &str| store.refresh(value, &old_token_valid, &mut ids, NOW);
        assert!(refresh(&pair.refresh_token).is_some());
        assert!(refresh(&pair.refresh_token).is_some());

        let unchanged = Settings {
            refresh_rotation: Undocumented::new(RefreshRotation::Unchanged),
            refresh_window: RefreshWindow::Fixed,
            ..Settings::default()
        };
        let (mut store, mut ids, pair) = issued(&unchanged);
        let later = after_s(NOW, 1000);
        let second = store.refresh(&pair.refresh_token, &unchanged, &mut ids, later).unwrap();
        assert_eq!(second.refresh_token, pair.refresh_token);
        assert_eq!(second.refresh_expires_in, pair.refresh_expires_in - 1000);
    }

    #[test]
    fn debug_of_a_pair_omits_its_tokens() {
        let (_, _, pair) = issued(&Settings::default());
        let printed = format!("{pair:?}");
        assert!(!printed.contains("act.") && !printed.contains("rft."));
    }
}
