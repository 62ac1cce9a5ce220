//! The use case [`Connections`], its settings, and the first step of connecting an account: it stores an authorization
//! request, and returns the link to TikTok's page.

use std::sync::Arc;

use domain::account::{Account, Scopes};
use domain::authorization::{AuthorizationRequest, AuthorizationState, ExpectedUser};
use domain::identity::Alias;
use domain::options::Mode;
use jiff::Timestamp;
use storage::{Accounts, AppSecret, AuthorizationRequests, Clients, KmsCipher};
use tiktok::{AUTHORIZE_HOST, AppCredentials, AuthorizeUrl, TikTok};
use url::Url;

use super::error::ConnectError;
use crate::config::{ConfigError, parsed, required};
use crate::dependencies::Dependencies;
use crate::invocation::Instruments;
use crate::open_posts::OpenPosts;

/// The settings for connecting accounts, from environment variables of `api` that `template.yaml` sets.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// `AUTHORIZATION_REQUESTS_TABLE`: the table of authorization requests.
    pub authorization_requests_table: String,
    /// `TIKTOK_AUTHORIZE_URL`: TikTok's authorization page; `REDIRECT_URL`: where it sends the response, as registered
    /// with TikTok.
    pub page: AuthorizeUrl,
    /// `CONNECT_SCOPES`: the scopes that are requested; without it, those that the account's mode needs.
    pub scopes: Option<Scopes>,
}

impl ConnectConfig {
    /// Parses the settings.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let host = variable("TIKTOK_AUTHORIZE_URL").unwrap_or_else(|| AUTHORIZE_HOST.to_owned());
        let redirect = required(&variable, "REDIRECT_URL")?;
        // `AuthorizeUrl::new` checks both URLs. The page is checked with a valid redirect URL first, so that the error
        // names the wrong variable.
        let valid = "https://example.com/oauth/callback";
        parsed("TIKTOK_AUTHORIZE_URL", &host, |host| AuthorizeUrl::new(host, valid))?;
        let page = parsed("REDIRECT_URL", &redirect, |uri| AuthorizeUrl::new(&host, uri))?;
        let scopes = variable("CONNECT_SCOPES").map(|list| Scopes::parse(&list)).filter(|scopes| !scopes.is_empty());
        let authorization_requests_table = required(&variable, "AUTHORIZATION_REQUESTS_TABLE")?;
        Ok(Self { authorization_requests_table, page, scopes })
    }
}

/// The link to TikTok's page. It is a secret until it was used: a person who opens it can connect their own TikTok user
/// as the account.
#[derive(Clone)]
pub struct AuthorizationLink {
    /// The link.
    pub url: Url,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Connects and disconnects accounts. Further methods are in `finish` and `disconnect`.
pub struct Connections {
    pub(super) config: ConnectConfig,
    pub(super) requests: AuthorizationRequests,
    pub(super) accounts: Accounts,
    pub(super) cipher: KmsCipher,
    pub(super) tiktok: TikTok,
    pub(super) open_posts: OpenPosts,
    pub(super) instruments: Instruments,
    app: Arc<AppSecret>,
    default_mode: Mode,
}

impl Connections {
    /// Builds the use case.
    #[must_use]
    pub fn new(config: ConnectConfig, clients: &Clients, dependencies: &Dependencies) -> Self {
        Self {
            requests: AuthorizationRequests::new(clients.dynamodb.clone(), &config.authorization_requests_table),
            accounts: dependencies.into(),
            cipher: dependencies.into(),
            tiktok: dependencies.into(),
            open_posts: dependencies.into(),
            instruments: dependencies.into(),
            app: dependencies.into(),
            default_mode: dependencies.config.defaults.mode,
            config,
        }
    }

    /// The mode of an account's posts that do not state one.
    pub(super) fn mode_of(&self, account: Option<&Account>) -> Mode {
        account.and_then(|account| account.preferences.defaults.mode).unwrap_or(self.default_mode)
    }

    pub(super) async fn app_credentials(&self) -> Result<AppCredentials, ConnectError> {
        let secret = self.app.get(self.instruments.now()).await?;
        Ok(AppCredentials::new(secret.client_key, secret.client_secret))
    }

    /// Starts the authorization of a TikTok user for an account, which may be new or connected already.
    ///
    /// # Errors
    /// No request was stored.
    pub async fn start(&self, alias: &Alias, state: &AuthorizationState) -> Result<AuthorizationLink, ConnectError> {
        let app = self.app_credentials().await?;
        let account = self.accounts.get(alias).await?;
        let expected = account.as_ref().map_or(ExpectedUser::Anybody, |account| account.expected());
        let mode = self.mode_of(account.as_deref());
        let scopes = requested_scopes(self.config.scopes.as_ref(), mode);
        let request = AuthorizationRequest::new(state, alias.clone(), expected, self.instruments.now());
        let expires_at = request.expires_at;
        self.requests.create(request).await?;
        tracing::info!(account = %alias, scopes = scopes.to_list(), %expires_at, "authorization requested");
        let url = self.config.page.address(app.client_key(), &scopes, state.expose());
        Ok(AuthorizationLink { url, expires_at })
    }
}

/// The scopes that the operator configured, and those that the account's posts need.
fn requested_scopes(configured: Option<&Scopes>, mode: Mode) -> Scopes {
    let with_needed = |configured: &Scopes| configured.clone().with(Scopes::needed_for(mode));
    configured.map_or_else(|| Scopes::least_for(mode), with_needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_of_mode_is_always_requested() {
        let configured = Scopes::parse("video.list");
        assert_eq!(requested_scopes(Some(&configured), Mode::Direct).to_list(), "video.list,video.publish");
        assert_eq!(requested_scopes(None, Mode::Draft), Scopes::least_for(Mode::Draft));
    }

    fn read(set: &[(&str, &str)]) -> Result<ConnectConfig, ConfigError> {
        let rest = [("AUTHORIZATION_REQUESTS_TABLE", "requests"), ("REDIRECT_URL", "https://a.example/oauth/callback")];
        ConnectConfig::read(|name| {
            let found = set.iter().chain(&rest).find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        })
    }

    #[test]
    fn defaults_are_tiktok_page_and_needed_scopes() {
        let config = read(&[]).unwrap();
        let address = config.page.address("key-1", &Scopes::parse("video.upload"), "state-1");
        assert_eq!(address.host_str(), Some("www.tiktok.com"));
        assert_eq!(config.scopes, None);
        let configured = read(&[("CONNECT_SCOPES", "video.list, video.upload")]).unwrap();
        assert_eq!(configured.scopes, Some(Scopes::parse("video.list,video.upload")));
    }

    #[test]
    fn error_names_missing_or_malformed_variable() {
        for (name, value) in [
            ("AUTHORIZATION_REQUESTS_TABLE", ""),
            ("REDIRECT_URL", ""),
            ("REDIRECT_URL", "http://a.example/oauth/callback"),
            ("TIKTOK_AUTHORIZE_URL", "nowhere"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
