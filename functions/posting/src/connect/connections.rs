//! What connecting and disconnecting need.

use std::sync::Arc;

use domain::account::{Account, Scopes};
use domain::options::Mode;
use storage::{Accounts, AppSecret, AuthorizationRequests, Clients, KmsCipher};
use tiktok::{AppCredentials, AuthorizeUrl, TikTok};

use super::config::ConnectConfig;
use super::error::ConnectError;
use super::resume::ResumePosts;
use crate::dependencies::Dependencies;
use crate::invocation::Instruments;

/// Connects and disconnects accounts. Its methods are in `start`, `finish` and `disconnect`.
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
