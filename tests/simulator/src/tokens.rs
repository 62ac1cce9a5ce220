//! Consents and what they are worth: codes, access tokens, refresh tokens.
//!
//! Does not know how they are asked for over HTTP. An access token that is
//! found here as alive is one that its user still agrees to.
//!
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::after_s;
use crate::ids::{Mint, OpenId};
use crate::settings::{RefreshRotation, RefreshWindow, Settings};

/// Something that a user allows an app to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Ids, avatar and display name.
    #[serde(rename = "user.info.basic")]
    UserInfoBasic,
    /// Biography, profile link, handle.
    #[serde(rename = "user.info.profile")]
    UserInfoProfile,
    /// Counts of followers, likes and videos.
    #[serde(rename = "user.info.stats")]
    UserInfoStats,
    /// Direct posts.
    #[serde(rename = "video.publish")]
    VideoPublish,
    /// Drafts.
    #[serde(rename = "video.upload")]
    VideoUpload,
    /// The user's public videos.
    #[serde(rename = "video.list")]
    VideoList,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 6] = [
        Self::UserInfoBasic,
        Self::UserInfoProfile,
        Self::UserInfoStats,
        Self::VideoPublish,
        Self::VideoUpload,
        Self::VideoList,
    ];

    /// The name on the wire.
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

/// Writes scopes as the wire does: separated by commas.
pub(crate) fn comma_list(scopes: &BTreeSet<Scope>) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(",")
}

/// What a consent or a refresh hands out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPair {
    /// The user who consented.
    pub open_id: OpenId,
    /// The granted scopes, separated by commas.
    pub scope: String,
    /// The secret that calls carry.
    pub access_token: String,
    /// Its remaining lifetime in seconds.
    pub expires_in: u64,
    /// The secret that renews the pair.
    pub refresh_token: String,
    /// Its remaining lifetime in seconds.
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

/// Which of a user's tokens an operation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Access tokens alone.
    Access,
    /// Refresh tokens alone.
    Refresh,
    /// Both.
    Both,
}

/// An access token or a refresh token, seen from the platform.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) user: OpenId,
    pub(crate) scopes: BTreeSet<Scope>,
    expires_at: Timestamp,
}

/// An authorization code that nobody has redeemed yet.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) user: OpenId,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) redirect_uri: String,
    /// Hex SHA-256 of the verifier, where the app is a desktop app.
    pub(crate) challenge: Option<String>,
    expires_at: Timestamp,
}

/// Everything that users consented to.
#[derive(Default)]
pub(crate) struct Grants {
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
    codes: HashMap<String, Code>,
    /// Whose every token ever handed out was: a dead one has an owner too.
    owners: HashMap<String, OpenId>,
}

impl Grants {
    /// Makes a code for a consent just given; it holds `*` and `!`, as real ones do.
    pub(crate) fn issue_code(
        &mut self,
        consent: Consent,
        settings: &Settings,
        mint: &mut Mint,
        now: Timestamp,
    ) -> String {
        let value = mint.secret("code*!", 40);
        let code = Code {
            user: consent.user,
            scopes: consent.scopes,
            redirect_uri: consent.redirect_uri,
            challenge: consent.challenge,
            expires_at: after_s(now, settings.code_ttl_s),
        };
        self.codes.insert(value.clone(), code);
        value
    }

    /// Finds a code that can still be redeemed.
    pub(crate) fn code(&self, value: &str, now: Timestamp) -> Option<&Code> {
        self.codes.get(value).filter(|code| code.expires_at > now)
    }

    /// Uses a code up.
    pub(crate) fn consume_code(&mut self, value: &str) {
        self.codes.remove(value);
    }

    /// Hands out a pair for a consent.
    pub(crate) fn issue(
        &mut self,
        user: &OpenId,
        scopes: &BTreeSet<Scope>,
        settings: &Settings,
        mint: &mut Mint,
        now: Timestamp,
    ) -> TokenPair {
        let refresh = mint.secret("rft.", 48);
        let refresh_until = after_s(now, settings.refresh_token_ttl_s);
        self.hand_out(user, scopes, (refresh, refresh_until), settings, mint, now)
    }

    /// Hands out a new pair for a refresh token, or nothing if that is dead.
    pub(crate) fn renew(
        &mut self,
        value: &str,
        settings: &Settings,
        mint: &mut Mint,
        now: Timestamp,
    ) -> Option<TokenPair> {
        let old = self.refresh.get(value)?.clone();
        if old.expires_at <= now {
            return None;
        }
        let until = match settings.refresh_window {
            RefreshWindow::Renewed => after_s(now, settings.refresh_token_ttl_s),
            RefreshWindow::Fixed => old.expires_at,
        };
        let refresh = match settings.refresh_rotation.consult() {
            RefreshRotation::PredecessorDies => {
                self.refresh.remove(value);
                mint.secret("rft.", 48)
            }
            RefreshRotation::PredecessorSurvives => mint.secret("rft.", 48),
            RefreshRotation::Unchanged => value.to_owned(),
        };
        Some(self.hand_out(&old.user, &old.scopes, (refresh, until), settings, mint, now))
    }

    fn hand_out(
        &mut self,
        user: &OpenId,
        scopes: &BTreeSet<Scope>,
        (refresh_token, refresh_until): (String, Timestamp),
        settings: &Settings,
        mint: &mut Mint,
        now: Timestamp,
    ) -> TokenPair {
        let access_token = mint.secret("act.", 48);
        let token = |expires_at| Token { user: user.clone(), scopes: scopes.clone(), expires_at };
        let access_until = after_s(now, settings.access_token_ttl_s);
        self.owners.insert(access_token.clone(), user.clone());
        self.owners.insert(refresh_token.clone(), user.clone());
        self.access.insert(access_token.clone(), token(access_until));
        self.refresh.insert(refresh_token.clone(), token(refresh_until));
        let left = refresh_until.duration_since(now).as_secs();
        TokenPair {
            open_id: user.clone(),
            scope: comma_list(scopes),
            access_token,
            expires_in: settings.access_token_ttl_s,
            refresh_token,
            refresh_expires_in: u64::try_from(left).unwrap_or(0),
            token_type: "Bearer".to_owned(),
        }
    }

    /// Finds an access token that is alive.
    pub(crate) fn access(&self, value: &str, now: Timestamp) -> Option<&Token> {
        self.access.get(value).filter(|token| token.expires_at > now)
    }

    /// Names the owner of a token of either kind: alive, expired, rotated away or revoked.
    pub(crate) fn owner(&self, value: &str) -> Option<OpenId> {
        self.owners.get(value).cloned()
    }

    /// Tells whether the app may act for a user at all: they took no token of theirs back.
    /// One that only ran out counts.
    pub(crate) fn has_consent(&self, user: &OpenId) -> bool {
        let theirs = |token: &Token| token.user == *user;
        self.access.values().any(theirs) || self.refresh.values().any(theirs)
    }

    /// Names the scopes that a user granted and that still stand.
    pub(crate) fn granted(&self, user: &OpenId, now: Timestamp) -> BTreeSet<Scope> {
        let alive = |token: &&Token| token.user == *user && token.expires_at > now;
        let tokens = self.refresh.values().filter(alive);
        tokens.flat_map(|token| token.scopes.clone()).collect()
    }

    /// Ends the lifetime of an access token.
    pub(crate) fn expire_access(&mut self, value: &str, now: Timestamp) {
        if let Some(token) = self.access.get_mut(value) {
            token.expires_at = now;
        }
    }

    /// Ends the lifetime of a user's tokens.
    pub(crate) fn expire(&mut self, user: &OpenId, which: TokenKind, now: Timestamp) {
        let end = |tokens: &mut HashMap<String, Token>| {
            let theirs = tokens.values_mut().filter(|token| token.user == *user);
            theirs.for_each(|token| token.expires_at = now);
        };
        if which != TokenKind::Refresh {
            end(&mut self.access);
        }
        if which != TokenKind::Access {
            end(&mut self.refresh);
        }
    }

    /// Forgets everything that a user consented to.
    pub(crate) fn revoke(&mut self, user: &OpenId) {
        self.access.retain(|_, token| token.user != *user);
        self.refresh.retain(|_, token| token.user != *user);
        self.codes.retain(|_, code| code.user != *user);
    }
}

/// What a user agreed to on the consent page.
pub(crate) struct Consent {
    pub(crate) user: OpenId,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::settings::Open;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn issued(settings: &Settings) -> (Grants, Mint, TokenPair) {
        let mut grants = Grants::default();
        let mut mint = Mint::new(StdRng::seed_from_u64(3));
        let scopes = BTreeSet::from([Scope::VideoPublish]);
        let pair = grants.issue(&OpenId::new("o1"), &scopes, settings, &mut mint, NOW);
        (grants, mint, pair)
    }

    #[test]
    fn an_access_token_dies_at_the_end_of_its_lifetime() {
        let (grants, _, pair) = issued(&Settings::default());
        assert!(grants.access(&pair.access_token, after_s(NOW, 7199)).is_some());
        assert!(grants.access(&pair.access_token, after_s(NOW, 7200)).is_none());
    }

    #[test]
    fn a_refresh_kills_the_refresh_token_that_it_used() {
        let settings = Settings::default();
        let (mut grants, mut mint, pair) = issued(&settings);
        let mut renew = |value: &str| grants.renew(value, &settings, &mut mint, NOW);
        let second = renew(&pair.refresh_token).unwrap();
        assert_ne!(second.refresh_token, pair.refresh_token);
        assert!(renew(&pair.refresh_token).is_none());
        assert!(renew(&second.refresh_token).is_some());
    }

    #[test]
    fn a_refresh_token_may_be_set_to_survive_or_to_stay() {
        let survives =
            Settings { refresh_rotation: Open::new(RefreshRotation::PredecessorSurvives), ..Settings::default() };
        let (mut grants, mut mint, pair) = issued(&survives);
        let mut renew = |value: &str| grants.renew(value, &survives, &mut mint, NOW);
        assert!(renew(&pair.refresh_token).is_some());
        assert!(renew(&pair.refresh_token).is_some());

        let unchanged = Settings {
            refresh_rotation: Open::new(RefreshRotation::Unchanged),
            refresh_window: RefreshWindow::Fixed,
            ..Settings::default()
        };
        let (mut grants, mut mint, pair) = issued(&unchanged);
        let later = after_s(NOW, 1000);
        let second = grants.renew(&pair.refresh_token, &unchanged, &mut mint, later).unwrap();
        assert_eq!(second.refresh_token, pair.refresh_token);
        assert_eq!(second.refresh_expires_in, pair.refresh_expires_in - 1000);
    }

    #[test]
    fn a_pair_does_not_print_its_secrets() {
        let (_, _, pair) = issued(&Settings::default());
        let printed = format!("{pair:?}");
        assert!(!printed.contains("act.") && !printed.contains("rft."));
    }
}
