//! Disconnecting: TikTok is told that the consent is over, as far as it
//! listens, and the tokens are forgotten in any case.
//!
//! The account stays, with what it says of its posts, and its posts wait until
//! somebody connects it again; nothing of them is lost.

use std::time::Duration;

use domain::account::Account;
use domain::failure::{Failure, error_chain};
use domain::identity::Alias;
use storage::{EncryptionContext, Purpose, SaveError, Versioned};
use tiktok::{AccessToken, OAuthError, RefreshToken};

use super::{ConnectError, Connections};

/// How long TikTok is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the account is read again where somebody else changed it.
const FORGET_TRIES: u32 = 5;
/// Why its posts wait.
const WHY: &str = "its operator disconnected it";

/// What TikTok said to the end of a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// It has ended it.
    Revoked,
    /// There was none to end.
    NotNeeded,
    /// It may go on, though nobody here can use it: the user can remove the app
    /// in TikTok's settings.
    Failed {
        /// Why, for people.
        why: String,
    },
}

/// An account that was disconnected.
#[derive(Debug, Clone)]
pub struct Disconnected {
    /// The account, without tokens.
    pub account: Account,
    /// What TikTok said.
    pub revocation: Revocation,
}

impl Connections {
    /// Ends an account's consent and forgets its tokens.
    ///
    /// # Errors
    /// The tokens are still there.
    pub async fn disconnect(&self, alias: &Alias) -> Result<Disconnected, ConnectError> {
        let unknown = || ConnectError::UnknownAccount(alias.clone());
        let mut kept = self.posting.accounts.get(alias).await?.ok_or_else(unknown)?;
        // A consent whose tokens TikTok refused once may live on for all we know.
        let revocation = if kept.tokens.is_forgotten() {
            Revocation::NotNeeded
        } else {
            match tokio::time::timeout(PATIENCE, self.revoke(&kept)).await {
                Ok(Ok(())) => Revocation::Revoked,
                Ok(Err(why)) => Revocation::Failed { why },
                Err(_) => Revocation::Failed { why: "TikTok did not answer in time".to_owned() },
            }
        };
        for _ in 0..FORGET_TRIES {
            if kept.tokens.is_forgotten() {
                return Ok(Disconnected { account: kept.value, revocation });
            }
            let now = self.posting.now();
            let forgotten = kept.value.clone().disconnected(WHY, now);
            match self.posting.accounts.save(&kept, forgotten, now).await {
                Ok(kept) => {
                    tracing::info!(account = %alias, revocation = ?revocation, "account disconnected");
                    return Ok(Disconnected { account: kept.value, revocation });
                }
                Err(SaveError::Conflict) => kept = self.posting.accounts.get(alias).await?.ok_or_else(unknown)?,
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(ConnectError::Busy)
    }

    /// Has TikTok end the consent, which takes a token that lives.
    async fn revoke(&self, account: &Versioned<Account>) -> Result<(), String> {
        let app = self.app().await.map_err(|error| error_chain(&error))?;
        let token = if account.tokens.access_expires_at > self.posting.now() {
            let context = EncryptionContext::new(Purpose::AccessToken, &account.alias);
            let opened = self.posting.cipher.open(&context, &account.tokens.access).await;
            AccessToken::new(opened.map_err(|error| error_chain(&error))?)
        } else {
            let context = EncryptionContext::new(Purpose::RefreshToken, &account.alias);
            let opened = self.posting.cipher.open(&context, &account.tokens.refresh).await;
            let refresh = RefreshToken::new(opened.map_err(|error| error_chain(&error))?);
            let granted = self.posting.tiktok.refresh(&app, &refresh).await;
            granted.map_err(|error| told(&error))?.access
        };
        let revoked = self.posting.tiktok.revoke(&app, &token).await;
        revoked.map_err(|error| told(&error))
    }
}

/// What TikTok said, without the advice, which is for calls that are tried again.
fn told(error: &OAuthError) -> String {
    let told = Failure { advice: String::new(), ..error.failure() };
    told.to_string().trim_end().to_owned()
}
