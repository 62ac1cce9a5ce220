//! What connecting and disconnecting need, and the first step of connecting: it stores an authorization request, and
//! returns the link to TikTok's page.

use std::sync::Arc;

use domain::account::{Account, Scopes};
use domain::authorization::{AuthorizationRequest, AuthorizationState, ExpectedUser};
use domain::identity::Alias;
use domain::options::Mode;
use jiff::Timestamp;
use storage::{Accounts, AppSecret, AuthorizationRequests, Clients, KmsCipher};
use tiktok::{AppCredentials, AuthorizeUrl, TikTok};
use url::Url;

use super::config::ConnectConfig;
use super::error::ConnectError;
use super::resume::ResumePosts;
use crate::dependencies::Dependencies;
use crate::invocation::Instruments;

/// Connects and disconnects accounts. Further methods are in `finish` and `disconnect`.
pub struct Connections {
    pub(super) page: AuthorizeUrl,
    pub(super) scopes: Option<Scopes>,
    pub(super) requests: AuthorizationRequests,
    pub(super) accounts: Accounts,
    pub(super) cipher: KmsCipher,
    pub(super) tiktok: TikTok,
    pub(super) resume: ResumePosts,
    pub(super) instruments: Instruments,
    app: Arc<AppSecret>,
    default_mode: Mode,
}

impl Connections {
    /// Builds the use case.
    #[must_use]
    pub fn new(config: ConnectConfig, clients: &Clients, dependencies: &Dependencies) -> Self {
        Self {
            page: config.page,
            scopes: config.scopes,
            requests: AuthorizationRequests::new(clients.dynamodb.clone(), config.authorization_requests_table),
            accounts: dependencies.into(),
            cipher: dependencies.into(),
            tiktok: dependencies.into(),
            resume: dependencies.into(),
            instruments: dependencies.into(),
            app: dependencies.into(),
            default_mode: dependencies.config.defaults.mode,
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
}

/// The link to TikTok's page. It is a secret until it was used: a person who opens it can connect their own TikTok
/// user.
#[derive(Clone)]
pub struct AuthorizationLink {
    /// The link.
    pub url: Url,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Connections {
    /// Starts the authorization of the user who is, or will be, an account.
    ///
    /// # Errors
    /// No request was stored.
    pub async fn start(&self, alias: &Alias, state: &AuthorizationState) -> Result<AuthorizationLink, ConnectError> {
        let app = self.app_credentials().await?;
        let account = self.accounts.get(alias).await?;
        let expected = account.as_ref().map_or(ExpectedUser::Anybody, |account| account.expected());
        let mode = self.mode_of(account.as_deref());
        let scopes = requested_scopes(self.scopes.as_ref(), mode);
        let request = AuthorizationRequest::new(state, alias.clone(), expected, self.instruments.now());
        let expires_at = request.expires_at;
        self.requests.create(request).await?;
        tracing::info!(account = %alias, scopes = scopes.to_list(), %expires_at, "authorization requested");
        let url = self.page.address(app.client_key(), &scopes, state.expose());
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
}
