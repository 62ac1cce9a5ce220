//! Connections accounts: a user consents on TikTok's page, and the account can be
//! posted to; the same once more where a consent has ended; and the end of one.
//!
//! ```text
//!  operator ── ask ──▶ a request is stored, with its state's fingerprint
//!      │                                        ▲
//!      └─ the address ─▶ user ─▶ TikTok's page ─┤ code, state
//!                                               │
//!                          take: the request is answered (once), the code is
//!                          exchanged (once), the grant is checked and stored,
//!                          and the posts that waited for the account go on
//! ```
//!
//! Whoever sends an answer is unknown: it came through a browser. So nothing
//! happens before its state is known as one of ours, unanswered and in time.
//! A request is answered before its code is exchanged: if anything fails after
//! that, the way is to start again, never to repeat.

mod config;
mod disconnect;
mod error;
mod finish;
mod names;
mod resume;
mod start;

use domain::account::{Account, Scopes};
use domain::options::Mode;
use storage::{AuthorizationRequests, Clients};
use tiktok::{AppCredentials, AuthorizeUrl};

pub use config::ConnectConfig;
pub use disconnect::{Disconnected, Revocation};
pub use error::ConnectError;
pub use finish::Connected;
pub use start::Asked;

use crate::posting::Posting;

/// The use cases of connecting, with what they need beyond the others.
pub struct Connections {
    /// The other use cases, and what they use.
    pub posting: Posting,
    consents: AuthorizationRequests,
    page: AuthorizeUrl,
    scopes: Option<Scopes>,
}

impl Connections {
    /// Puts them together.
    #[must_use]
    pub fn new(config: ConnectConfig, clients: &Clients, posting: Posting) -> Self {
        let consents = AuthorizationRequests::new(clients.dynamodb.clone(), config.authorization_requests_table);
        Self { posting, consents, page: config.page, scopes: config.scopes }
    }

    /// How an account's posts go out where they do not say it themselves.
    fn mode_of(&self, account: Option<&Account>) -> Mode {
        account.and_then(|account| account.preferences.defaults.mode).unwrap_or(self.posting.defaults.mode)
    }

    async fn app(&self) -> Result<AppCredentials, ConnectError> {
        let secret = self.posting.app.get(self.posting.now()).await?;
        Ok(AppCredentials::new(secret.client_key, secret.client_secret))
    }
}
