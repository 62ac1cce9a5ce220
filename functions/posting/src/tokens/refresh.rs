//! Refreshes a pair of tokens, under the account's refresh lock.
//!
//! | TikTok | what follows |
//! |---|---|
//! | grants a pair | the pair is stored, with retries, and used only after that |
//! | does not answer | the old refresh token is tried once more: TikTok may or may not have rotated it |
//! | refuses for good | a newer pair that another worker stored is used; otherwise the account must be connected again |
//! | or the stack has a temporary problem | nothing is changed, and the refresh is retried later |

use std::time::Duration;

use domain::account::{Account, Connection, TokenPair};
use domain::failure::{Disposition, error_chain};
use domain::identity::Alias;
use domain::reason::Reason;
use domain::secret::{Sealed, SecretString};
use storage::{CipherError, EncryptionContext, Purpose, SaveError, StoreError, Versioned};
use tiktok::{AccessToken, AppCredentials, ErrorKind, RefreshToken, TokenResponse};

use super::Tokens;
use crate::compare_and_swap::{Change, unless_conflict, update};
use crate::exit::Exit;
use crate::measure::Measurement;

/// How often a call that stores a new pair is tried. The pauses between the tries take 18 s in all.
const STORE_TRIES: u32 = 10;
/// The pause between two tries.
const STORE_PAUSE: Duration = Duration::from_secs(2);

impl Tokens {
    /// Exchanges the pair of an account whose lock the caller holds, and opens the new access token.
    pub(super) async fn refresh(&self, account: Versioned<Account>) -> Result<OpenedToken, Exit> {
        let (app, token) = match self.prepare(&account).await {
            Ok(prepared) => prepared,
            Err(exit) => {
                self.unlock(account).await;
                return Err(exit);
            }
        };
        let mut granted = self.tiktok.refresh(&app, &token).await;
        if matches!(&granted, Err(error) if matches!(error.fault, ErrorKind::Unanswered(_))) {
            granted = self.tiktok.refresh(&app, &token).await;
        }
        match granted {
            Ok(grant) => self.store_grant(account, grant).await,
            Err(error) if matches!(error.disposition(), Disposition::Reconcile | Disposition::NeedsReconnect) => {
                self.refused(account, &error.failure().message).await
            }
            Err(error) => {
                self.unlock(account).await;
                let failure = error.failure();
                Err(Exit::defer_until_fixed(error.disposition(), failure.reason, failure.message))
            }
        }
    }

    /// Collects what a refresh needs, and seals a token to prove that the KMS key can seal. After TikTok has rotated
    /// the pair, a failure to seal would lose the new pair, so such a failure must show before.
    async fn prepare(&self, account: &Account) -> Result<(AppCredentials, RefreshToken), Exit> {
        let context = EncryptionContext::new(Purpose::RefreshToken, &account.alias);
        let token = self.cipher.open(&context, &account.tokens.refresh).await?;
        self.cipher.seal(&context, &token).await?;
        let secret = self.app.get(self.instruments.now()).await?;
        Ok((AppCredentials::new(secret.client_key, secret.client_secret), RefreshToken::new(token)))
    }

    /// Stores a new pair, and only then returns its access token. The write is repeated if another worker changed the
    /// account meanwhile, and after a temporary error: without this pair the account must be connected again.
    async fn store_grant(&self, account: Versioned<Account>, grant: TokenResponse) -> Result<OpenedToken, Exit> {
        let now = self.instruments.now();
        let alias = &account.alias.clone();
        let access = self.seal(Purpose::AccessToken, alias, grant.access.secret()).await?;
        let refresh = self.seal(Purpose::RefreshToken, alias, grant.refresh.secret()).await?;
        let lifetimes = (grant.access_lifetime, grant.refresh_lifetime);
        let tokens = &TokenPair::granted((access.clone(), lifetimes.0), (refresh, lifetimes.1), now);
        let (old, accounts) = (account.tokens.refresh.clone(), &self.accounts);
        let stored = update(
            Some(account),
            || async move {
                let read = retry(alias, || accounts.get(alias), StoreError::disposition).await?;
                read.ok_or_else(|| Exit::account_not_found(alias))
            },
            // Another pair means that the account was connected anew, or disconnected, meanwhile.
            |account| {
                let next = renewed(&account, tokens, &grant);
                let replaced = account.tokens.refresh != old;
                Ok(if replaced { Change::Stop(Stored::OtherPair) } else { Change::Save((account, next)) })
            },
            |(account, next): (Versioned<Account>, Account)| async move {
                let save = || accounts.save(&account, next.clone(), now);
                retry(alias, save, disposition).await.map(|_| Stored::NewPair)
            },
        );
        match stored.await? {
            Some(Stored::NewPair) => {
                tracing::info!(account = %alias, expires_at = %tokens.access_expires_at, "tokens refreshed");
                Ok(OpenedToken { token: grant.access, sealed: access })
            }
            Some(Stored::OtherPair) => self.open(&*self.connected(alias).await?).await,
            None => {
                let message = "the account's new tokens could not be stored";
                Err(Exit::defer(Reason::TokensNotStored, message, Duration::from_secs(30)))
            }
        }
    }

    async fn seal(&self, purpose: Purpose, alias: &Alias, secret: &SecretString) -> Result<Sealed, Exit> {
        let context = EncryptionContext::new(purpose, alias);
        let seal = || self.cipher.seal(&context, secret);
        Ok(retry(alias, seal, CipherError::disposition).await?)
    }

    /// Handles TikTok's final refusal of the refresh token. If another worker has stored a newer pair, that one is
    /// used; otherwise the account must be connected again.
    async fn refused(&self, account: Versioned<Account>, why: &str) -> Result<OpenedToken, Exit> {
        let newest = self.connected(&account.alias).await?;
        if newest.tokens.refresh != account.tokens.refresh {
            return self.open(&newest).await;
        }
        self.mark_authorization_lost(newest, why).await?;
        Err(Exit::needs_reconnect(why))
    }

    /// Releases the lock after a refresh that did not happen. The next call that needs a token retries the refresh; for
    /// an idle account `renewal` retries it within an hour.
    async fn unlock(&self, account: Versioned<Account>) {
        let now = self.instruments.now();
        let tokens = account.tokens.clone().renewed_later(now);
        let unlocked = Account { refreshing: None, tokens, ..account.value.clone() };
        if let Err(error) = self.accounts.save(account, unlocked, now).await {
            tracing::warn!(error = error_chain(&error), "refresh lock not released: it expires within 90 s");
        }
    }

    /// Reads an account that must be connected.
    pub(super) async fn connected(&self, alias: &Alias) -> Result<Versioned<Account>, Exit> {
        if_connected(self.accounts.get(alias).await?.ok_or_else(|| Exit::account_not_found(alias))?)
    }

    pub(super) async fn open(&self, account: &Account) -> Result<OpenedToken, Exit> {
        let sealed = account.tokens.access.clone();
        let context = EncryptionContext::new(Purpose::AccessToken, &account.alias);
        Ok(OpenedToken { token: AccessToken::new(self.cipher.open(&context, &sealed).await?), sealed })
    }

    /// Marks an account as to be connected again. After a conflict it is not marked: the change may be a new pair, and
    /// if not, TikTok's next refusal marks the account.
    pub(super) async fn mark_authorization_lost(
        &self,
        account: Versioned<Account>,
        why: &str,
    ) -> Result<(), StoreError> {
        let now = self.instruments.now();
        tracing::error!(account = %account.alias, why, "TikTok refuses the account's tokens: connect it again");
        let lost = account.value.clone().authorization_lost(why, now);
        if unless_conflict(self.accounts.save(&account, lost, now).await)?.is_some() {
            self.instruments.measure(&Measurement::authorization_lost(&account.alias));
        }
        Ok(())
    }
}

/// Which pair the account has after a grant was to be stored.
enum Stored {
    NewPair,
    /// Another one, which another writer stored first.
    OtherPair,
}

/// Makes a call to AWS, and repeats it while its errors are temporary, at most [`STORE_TRIES`] times in all.
async fn retry<T, E: std::error::Error, Answer: Future<Output = Result<T, E>>>(
    alias: &Alias,
    mut call: impl FnMut() -> Answer,
    disposition: impl Fn(&E) -> Disposition,
) -> Result<T, E> {
    let mut answer = call().await;
    for _ in 1..STORE_TRIES {
        let Err(error) = &answer else { break };
        if !matches!(disposition(error), Disposition::Retry { .. }) {
            break;
        }
        tracing::warn!(account = %alias, error = error_chain(error), "new tokens not stored yet");
        tokio::time::sleep(STORE_PAUSE).await;
        answer = call().await;
    }
    answer
}

/// A conflict is not retried here: the account must be read again first.
fn disposition(error: &SaveError) -> Disposition {
    match error {
        SaveError::Conflict => Disposition::GiveUp,
        SaveError::Store(error) => error.disposition(),
    }
}

/// The account with a new pair, connected and unlocked. If the grant lists no scopes, the account keeps its scopes.
fn renewed(account: &Account, tokens: &TokenPair, grant: &TokenResponse) -> Account {
    let scopes = if grant.scopes.is_empty() { account.scopes.clone() } else { grant.scopes.clone() };
    let (tokens, connection) = (tokens.clone(), Connection::Connected);
    Account { tokens, scopes, connection, refreshing: None, ..account.clone() }
}

/// An access token, and the ciphertext from which it was opened. The ciphertext tells whether the account has a newer
/// token.
pub(crate) struct OpenedToken {
    pub(crate) token: AccessToken,
    pub(crate) sealed: Sealed,
}

/// Returns the account if it is connected.
pub(super) fn if_connected(account: Versioned<Account>) -> Result<Versioned<Account>, Exit> {
    match &account.connection {
        Connection::Connected => Ok(account),
        Connection::NeedsReconnect { why, .. } => Err(Exit::needs_reconnect(why)),
    }
}
