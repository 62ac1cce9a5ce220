//! Refreshes a pair of tokens, under the account's refresh lock.
//!
//! | TikTok | what follows |
//! |---|---|
//! | grants a pair | the pair is stored, with retries, and used only after that |
//! | grants an access token only | it is stored in the same way, with the old refresh token |
//! | does not answer | the old refresh token is tried once more, if there is time: TikTok may or may not have rotated it |
//! | refuses for good | a newer pair that another worker stored is used; otherwise the account must be connected again. Its access token is used until it expires |
//! | or the stack has a temporary problem | nothing is changed, and the refresh is retried later |

use std::time::Duration;

use domain::account::{Account, Connection, TokenPair};
use domain::failure::{Disposition, error_chain};
use domain::identity::Alias;
use domain::reason::Reason;
use domain::secret::{Sealed, SecretString};
use storage::{CipherError, EncryptionContext, Purpose, SaveError, StoreError, Versioned};
use tiktok::{AccessToken, AppCredentials, ErrorKind, RefreshToken, RefreshedTokens};

use super::{RefusedBefore, Tokens};
use crate::compare_and_swap::{Change, unless_conflict, update};
use crate::exit::Exit;
use crate::invocation::Worker;
use crate::measure::Measurement;

/// How often a call that stores a new pair is tried. The pauses between the tries take 18 s in all.
const STORE_TRIES: u32 = 10;
/// The pause between two tries.
const STORE_PAUSE: Duration = Duration::from_secs(2);

impl Tokens {
    /// Exchanges the pair of an account whose lock the caller holds, and opens the new access token.
    pub(super) async fn refresh(
        &self,
        account: Versioned<Account>,
        refused: RefusedBefore,
        worker: &Worker,
    ) -> Result<OpenedToken, Exit> {
        let prepared = self.prepare(&account).await;
        // The preparation may have taken long.
        let prepared = prepared.and_then(|prepared| self.check_time_to_refresh(worker).map(|()| prepared));
        let Prepared { app, token, resealed } = match prepared {
            Ok(prepared) => prepared,
            Err(exit) => {
                self.unlock(account).await;
                return Err(exit);
            }
        };
        let mut granted = self.tiktok.refresh(&app, &token).await;
        let is_unanswered = matches!(&granted, Err(error) if matches!(error.fault, ErrorKind::Unanswered(_)));
        if is_unanswered && self.check_time_to_refresh(worker).is_ok() {
            granted = self.tiktok.refresh(&app, &token).await;
        }
        match granted {
            Ok(grant) => self.store_grant(account, grant, resealed).await,
            Err(error) if matches!(error.disposition(), Disposition::Reconcile | Disposition::NeedsReconnect) => {
                self.refused(account, refused, &error.failure().message).await
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
    async fn prepare(&self, account: &Account) -> Result<Prepared, Exit> {
        let context = EncryptionContext::new(Purpose::RefreshToken, &account.alias);
        let token = self.cipher.open(&context, &account.tokens.refresh).await?;
        let resealed = self.cipher.seal(&context, &token).await?;
        let secret = self.app.get(self.instruments.now()).await?;
        let app = AppCredentials::new(secret.client_key, secret.client_secret);
        Ok(Prepared { app, token: RefreshToken::new(token), resealed })
    }

    /// Stores a new pair, and only then returns its access token. The write is repeated if another worker changed the
    /// account meanwhile, and after a temporary error: without this pair the account must be connected again.
    ///
    /// If TikTok returned no refresh token, the old one stays, as `resealed`. A new ciphertext shows other workers that
    /// the pair has changed.
    async fn store_grant(
        &self,
        account: Versioned<Account>,
        grant: RefreshedTokens,
        resealed: Sealed,
    ) -> Result<OpenedToken, Exit> {
        let now = self.instruments.now();
        let alias = &account.alias.clone();
        let access = self.seal(Purpose::AccessToken, alias, grant.access.secret()).await?;
        let refresh = match &grant.refresh {
            Some(token) => self.seal(Purpose::RefreshToken, alias, token.secret()).await?,
            None => resealed,
        };
        let old_lifetime = self.instruments.time_until(account.tokens.refresh_expires_at);
        let fresh_token_was_refused = account.fresh_token_refused_at.is_some();
        let refresh = (refresh, grant.refresh_lifetime.unwrap_or(old_lifetime));
        let tokens = &TokenPair::granted((access.clone(), grant.access_lifetime), refresh, now);
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
                Ok(OpenedToken { token: grant.access, sealed: access, fresh_token_was_refused })
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
    async fn refused(
        &self,
        account: Versioned<Account>,
        refused: RefusedBefore,
        why: &str,
    ) -> Result<OpenedToken, Exit> {
        let newest = self.connected(&account.alias).await?;
        if newest.tokens.refresh != account.tokens.refresh {
            return self.open(&newest).await;
        }
        let now = self.instruments.now();
        let lost = match refused {
            RefusedBefore::Nothing => newest.value.clone().refresh_refused(why, now),
            RefusedBefore::AccessToken => newest.value.clone().authorization_lost(why, now),
        };
        // After a conflict the account is not marked: the change may be a new pair, and if not, TikTok's next refusal
        // marks the account.
        if unless_conflict(self.accounts.save(&newest, lost, now).await)?.is_some() {
            self.report_authorization_lost(&newest.alias, why);
        }
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

    /// Reads an account.
    pub(super) async fn account(&self, alias: &Alias) -> Result<Versioned<Account>, Exit> {
        self.accounts.get(alias).await?.ok_or_else(|| Exit::account_not_found(alias))
    }

    /// Reads an account that must be connected.
    pub(super) async fn connected(&self, alias: &Alias) -> Result<Versioned<Account>, Exit> {
        let account = self.account(alias).await?;
        match &account.connection {
            Connection::Connected => Ok(account),
            Connection::NeedsReconnect { why, .. } => Err(Exit::needs_reconnect(why)),
        }
    }

    pub(super) async fn open(&self, account: &Account) -> Result<OpenedToken, Exit> {
        let sealed = account.tokens.access.clone();
        let context = EncryptionContext::new(Purpose::AccessToken, &account.alias);
        let token = AccessToken::new(self.cipher.open(&context, &sealed).await?);
        Ok(OpenedToken { token, sealed, fresh_token_was_refused: account.fresh_token_refused_at.is_some() })
    }

    /// Reports that an account must be connected again: in the log, and by the metric that raises an alarm.
    pub(super) fn report_authorization_lost(&self, alias: &Alias, why: &str) {
        tracing::error!(account = %alias, why, "TikTok refuses the account's tokens: connect it again");
        self.instruments.measure(&Measurement::authorization_lost(alias));
    }
}

/// What a refresh needs.
struct Prepared {
    app: AppCredentials,
    token: RefreshToken,
    /// The old refresh token, sealed again.
    resealed: Sealed,
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
fn renewed(account: &Account, tokens: &TokenPair, grant: &RefreshedTokens) -> Account {
    let scopes = if grant.scopes.is_empty() { account.scopes.clone() } else { grant.scopes.clone() };
    let (tokens, connection) = (tokens.clone(), Connection::Connected);
    Account { tokens, scopes, connection, refreshing: None, ..account.clone() }
}

/// An access token, and the ciphertext from which it was opened. The ciphertext tells whether the account has a newer
/// token.
pub(crate) struct OpenedToken {
    pub(crate) token: AccessToken,
    pub(crate) sealed: Sealed,
    /// Whether TikTok has refused a fresh token of the account, and accepted none since.
    pub(crate) fresh_token_was_refused: bool,
}
