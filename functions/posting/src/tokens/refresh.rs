//! The exchange of a pair of tokens, under the account's lock.
//!
//! | TikTok | then |
//! |---|---|
//! | grants a pair | it is stored, however often that takes, and only then used |
//! | does not answer | the old token is tried once more: it may have been rotated, or not |
//! | refuses for good | a newer pair that somebody stored counts; else the account must be connected again |
//! | is in trouble, or something of ours is | nothing is changed, and it is tried again later |

use std::time::Duration;

use domain::account::{Account, Connection, TokenPair};
use domain::failure::{Disposition, error_chain};
use domain::identity::Alias;
use domain::secret::{Sealed, SecretString};
use storage::{EncryptionContext, Purpose, SaveError, StoreError, Versioned};
use tiktok::{AppCredentials, ErrorKind, RefreshToken, TokenResponse};

use super::{OpenedToken, unknown_account};
use crate::exit::Exit;
use crate::measure::Measurement;
use crate::posting::Posting;

/// How often a new pair is tried to be sealed and stored.
const STORE_TRIES: u32 = 10;
/// The pause between two such tries.
const STORE_PAUSE: Duration = Duration::from_secs(2);

impl Posting {
    /// Has a new pair, under the account's lock.
    pub(super) async fn refresh(&self, kept: Versioned<Account>) -> Result<OpenedToken, Exit> {
        let (app, refresh) = match self.what_a_refresh_needs(&kept).await {
            Ok(needed) => needed,
            Err(stop) => {
                self.unlock(kept).await;
                return Err(stop);
            }
        };
        let mut granted = self.tiktok.refresh(&app, &refresh).await;
        if matches!(&granted, Err(error) if matches!(error.fault, ErrorKind::Unanswered(_))) {
            // The pair may have been rotated with the answer lost; the old one is tried once more.
            granted = self.tiktok.refresh(&app, &refresh).await;
        }
        match granted {
            Ok(grant) => self.keep_grant(kept, grant).await,
            Err(error) if matches!(error.disposition(), Disposition::Reconcile | Disposition::NeedsReconnect) => {
                self.part(kept, &error.failure().message).await
            }
            Err(error) => {
                self.unlock(kept).await;
                Err(Exit::defer_until_fixed(error.disposition(), &error.failure()))
            }
        }
    }

    /// Everything that can be found missing before TikTok is asked, is: once it
    /// has rotated the pair, nothing may fail that could have failed earlier.
    async fn what_a_refresh_needs(&self, account: &Account) -> Result<(AppCredentials, RefreshToken), Exit> {
        let context = EncryptionContext::new(Purpose::RefreshToken, &account.alias);
        let refresh = self.cipher.open(&context, &account.tokens.refresh).await?;
        self.cipher.seal(&context, &refresh).await?;
        let secret = self.app.get(self.now()).await?;
        Ok((AppCredentials::new(secret.client_key, secret.client_secret), RefreshToken::new(refresh)))
    }

    /// Stores a new pair, and only then hands out its token. A pair is never
    /// dropped: not because somebody changed the account meanwhile, nor for a
    /// passing error.
    async fn keep_grant(&self, mut kept: Versioned<Account>, grant: TokenResponse) -> Result<OpenedToken, Exit> {
        let now = self.now();
        let alias = kept.alias.clone();
        let access = self.seal_surely(Purpose::AccessToken, &alias, grant.access.secret()).await?;
        let refresh = self.seal_surely(Purpose::RefreshToken, &alias, grant.refresh.secret()).await?;
        let (access_lifetime, refresh_lifetime) = (grant.access_lifetime, grant.refresh_lifetime);
        let tokens = TokenPair::granted((access.clone(), access_lifetime), (refresh, refresh_lifetime), now);
        let old = kept.tokens.refresh.clone();
        for _ in 0..STORE_TRIES {
            if kept.tokens.refresh != old {
                // Somebody connected the account anew meanwhile, or disconnected it.
                let newest = self.connected(&alias).await?;
                return self.open(&newest).await;
            }
            match self.accounts.save(&kept, renewed(&kept, &tokens, &grant), now).await {
                Ok(_) => {
                    tracing::info!(account = %alias, expires_at = %tokens.access_expires_at, "tokens refreshed");
                    return Ok(OpenedToken { token: grant.access, sealed: access });
                }
                Err(SaveError::Conflict) => match self.accounts.get(&alias).await {
                    Ok(newest) => kept = newest.ok_or_else(|| unknown_account(&alias))?,
                    Err(error) => not_stored_yet(&alias, error).await?,
                },
                Err(SaveError::Store(error)) => not_stored_yet(&alias, error).await?,
            }
        }
        Err(Exit::defer("tokens_not_stored", "the account's new tokens could not be stored", Duration::from_secs(30)))
    }

    async fn seal_surely(&self, purpose: Purpose, alias: &Alias, secret: &SecretString) -> Result<Sealed, Exit> {
        let context = EncryptionContext::new(purpose, alias);
        let mut sealed = self.cipher.seal(&context, secret).await;
        for _ in 1..STORE_TRIES {
            match &sealed {
                Err(error) if matches!(error.disposition(), Disposition::Retry { .. }) => {
                    tokio::time::sleep(STORE_PAUSE).await;
                    sealed = self.cipher.seal(&context, secret).await;
                }
                _ => break,
            }
        }
        Ok(sealed?)
    }

    /// TikTok refused the refresh token for good. If somebody else stored a
    /// newer pair, that one counts; otherwise the account must be connected again.
    async fn part(&self, kept: Versioned<Account>, why: &str) -> Result<OpenedToken, Exit> {
        let newest = self.connected(&kept.alias).await?;
        if newest.tokens.refresh != kept.tokens.refresh {
            return self.open(&newest).await;
        }
        self.mark_authorization_lost(newest, why).await?;
        Err(Exit::needs_reconnect(why))
    }

    pub(super) async fn mark_authorization_lost(&self, kept: Versioned<Account>, why: &str) -> Result<(), StoreError> {
        let now = self.now();
        tracing::error!(account = %kept.alias, why, "TikTok refuses the account's tokens: connect it again");
        let authorization_lost = kept.value.clone().authorization_lost(why, now);
        match self.accounts.save(&kept, authorization_lost, now).await {
            Ok(_) => {
                self.measure(&Measurement::consent_lost(kept.alias.as_str()));
                Ok(())
            }
            // Somebody changed the account meanwhile: the next refusal marks it.
            Err(SaveError::Conflict) => Ok(()),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    /// Gives the lock back. What could not be done is tried again when a call
    /// needs it; for an idle account, after a while.
    async fn unlock(&self, kept: Versioned<Account>) {
        let now = self.now();
        let tokens = kept.tokens.clone().renewed_later(now);
        let unlocked = Account { refreshing: None, tokens, ..kept.value.clone() };
        if let Err(error) = self.accounts.save(kept, unlocked, now).await {
            tracing::warn!(error = error_chain(&error), "the refresh lock stays until it expires");
        }
    }
}

/// Waits before a new pair is tried to be stored again.
///
/// # Errors
/// The error itself, where trying again is of no use.
async fn not_stored_yet(alias: &Alias, error: StoreError) -> Result<(), StoreError> {
    if !matches!(error.disposition(), Disposition::Retry { .. }) {
        return Err(error);
    }
    tracing::warn!(account = %alias, error = error_chain(&error), "new tokens not stored yet");
    tokio::time::sleep(STORE_PAUSE).await;
    Ok(())
}

/// The account with a new pair. A grant is newer than any refusal, and one that
/// does not name its scopes has not lost any.
fn renewed(account: &Account, tokens: &TokenPair, grant: &TokenResponse) -> Account {
    let named = grant.scopes.iter().next().is_some();
    let scopes = if named { grant.scopes.clone() } else { account.scopes.clone() };
    let (tokens, connection) = (tokens.clone(), Connection::Connected);
    Account { tokens, scopes, connection, refreshing: None, ..account.clone() }
}
