//! Access tokens: had where a call needs one, refreshed by one worker at a time.
//!
//! TikTok may kill a refresh token the moment it is used, so two refreshes at
//! once can lose an account. Whoever refreshes holds the account's lock; the
//! new pair is stored before it is used; whoever comes second waits and reads
//! what the first stored.

use std::time::Duration;

use domain::account::{Account, Connection, RefreshLock, TokenPair};
use domain::failure::{Disposition, Failure, in_full};
use domain::identity::Alias;
use domain::secret::{Sealed, SecretString};
use storage::{Kept, Purpose, SaveError, SealContext, StoreError};
use tiktok::{AccessToken, AppCredentials, Fault, Grant, RefreshToken};

use crate::posting::{Posting, Worker};
use crate::stop::Stop;

/// A token is refreshed when it has less than this to live.
const EARLY: Duration = Duration::from_mins(15);
/// How long a refresher has before another may take its place.
const LOCK_TERM: Duration = Duration::from_secs(90);
/// How long somebody else's refresh is waited for before the post waits.
const PATIENCE: u32 = 20;
/// How often a new pair is tried to be sealed and stored.
const STORE_TRIES: u32 = 10;
/// The pause between two such tries.
const STORE_PAUSE: Duration = Duration::from_secs(2);
/// The pause between two looks at somebody else's refresh.
const LOOK: Duration = Duration::from_millis(500);

/// A token, and the ciphertext that it was opened from.
struct Opened {
    token: AccessToken,
    sealed: Sealed,
}

impl Posting {
    /// Makes a call with the account's token; where TikTok refuses the token,
    /// refreshes it once and repeats that one call.
    pub(crate) async fn with_token<T>(
        &self,
        alias: &Alias,
        worker: &Worker,
        call: impl AsyncFn(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Stop> {
        let opened = self.token(alias, worker, None).await?;
        match call(opened.token).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                tracing::info!(account = %alias, why = %error.fault, "access token refused: refreshing it once");
            }
            other => return Ok(other?),
        }
        let fresh = self.token(alias, worker, Some(&opened.sealed)).await?;
        match call(fresh.token).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                let kept = self.connected(alias).await?;
                if kept.tokens.access == fresh.sealed {
                    self.mark_parted(kept, "TikTok refuses even a fresh access token").await?;
                }
                Err(Stop::needs_reconnect(&error.failure().message))
            }
            other => Ok(other?),
        }
    }

    /// Finds out whether the creator's consent still stands, after TikTok said
    /// that it was taken away: a creator may have connected again since.
    pub(crate) async fn check_consent(&self, alias: &Alias, worker: &Worker) -> Result<(), Stop> {
        let refused = self.connected(alias).await?.tokens.access.clone();
        self.token(alias, worker, Some(&refused)).await.map(|_| ())
    }

    /// A token that lives long enough and is not the one that was refused.
    async fn token(&self, alias: &Alias, worker: &Worker, refused: Option<&Sealed>) -> Result<Opened, Stop> {
        for _ in 0..PATIENCE {
            let kept = self.connected(alias).await?;
            let now = self.now();
            let tokens = &kept.tokens;
            if tokens.access_expires_at > now + EARLY && refused != Some(&tokens.access) {
                return self.open(&kept).await;
            }
            if kept.refreshing.as_ref().is_some_and(|lock| lock.expires_at > now) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            if now > worker.rest_by {
                // A refresh that is cut off after TikTok has rotated the pair loses the account.
                return Err(Stop::wait("no_time_to_refresh", "the invocation ends", Duration::ZERO));
            }
            let lock = RefreshLock { owner: worker.name.clone(), expires_at: now + LOCK_TERM };
            let locked = Account { refreshing: Some(lock), ..kept.value.clone() };
            match self.accounts.save(kept, locked, now).await {
                Ok(kept) => return self.refresh(kept).await,
                Err(SaveError::Overtaken) => {}
                Err(SaveError::Store(error)) => return Err(Stop::Store(error)),
            }
        }
        Err(Stop::wait("token_refresh_busy", "another worker refreshes the account's tokens", Duration::from_secs(30)))
    }

    async fn connected(&self, alias: &Alias) -> Result<Kept<Account>, Stop> {
        let kept = self.accounts.get(alias).await?.ok_or_else(|| unknown_account(alias))?;
        match &kept.connection {
            Connection::Connected => Ok(kept),
            Connection::NeedsReconnect { why, .. } => Err(Stop::needs_reconnect(why)),
        }
    }

    async fn open(&self, account: &Account) -> Result<Opened, Stop> {
        let sealed = account.tokens.access.clone();
        let context = SealContext::new(Purpose::AccessToken, &account.alias);
        Ok(Opened { token: AccessToken::new(self.vault.open(&context, &sealed).await?), sealed })
    }

    /// Has a new pair, under the account's lock.
    async fn refresh(&self, kept: Kept<Account>) -> Result<Opened, Stop> {
        let (app, refresh) = match self.what_a_refresh_needs(&kept).await {
            Ok(needed) => needed,
            Err(stop) => {
                self.unlock(kept).await;
                return Err(stop);
            }
        };
        let mut granted = self.tiktok.refresh(&app, &refresh).await;
        if matches!(&granted, Err(error) if matches!(error.fault, Fault::Unanswered(_))) {
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
                Err(Stop::unless_mended(error.disposition(), &error.failure()))
            }
        }
    }

    /// Everything that can be found missing before TikTok is asked, is: once it
    /// has rotated the pair, nothing may fail that could have failed earlier.
    async fn what_a_refresh_needs(&self, account: &Account) -> Result<(AppCredentials, RefreshToken), Stop> {
        let context = SealContext::new(Purpose::RefreshToken, &account.alias);
        let refresh = self.vault.open(&context, &account.tokens.refresh).await?;
        self.vault.seal(&context, &refresh).await?;
        let secret = self.app.get(self.now()).await?;
        Ok((AppCredentials::new(secret.client_key, secret.client_secret), RefreshToken::new(refresh)))
    }

    /// Stores a new pair, and only then hands out its token. A pair is never
    /// dropped: not because somebody changed the account meanwhile, nor for a
    /// passing error.
    async fn keep_grant(&self, mut kept: Kept<Account>, grant: Grant) -> Result<Opened, Stop> {
        let now = self.now();
        let alias = kept.alias.clone();
        let access = self.seal_surely(Purpose::AccessToken, &alias, grant.access.secret()).await?;
        let tokens = TokenPair {
            access: access.clone(),
            access_expires_at: now + grant.access_lifetime,
            refresh: self.seal_surely(Purpose::RefreshToken, &alias, grant.refresh.secret()).await?,
            refresh_expires_at: now + grant.refresh_lifetime,
        };
        let old = kept.tokens.refresh.clone();
        for _ in 0..STORE_TRIES {
            if kept.tokens.refresh != old {
                return self.open(&kept).await;
            }
            match self.accounts.save(&kept, renewed(&kept, &tokens, &grant), now).await {
                Ok(_) => {
                    tracing::info!(account = %alias, expires_at = %tokens.access_expires_at, "tokens refreshed");
                    return Ok(Opened { token: grant.access, sealed: access });
                }
                Err(SaveError::Overtaken) => {
                    kept = self.accounts.get(&alias).await?.ok_or_else(|| unknown_account(&alias))?;
                }
                Err(SaveError::Store(error)) if matches!(error.disposition(), Disposition::Retry { .. }) => {
                    tracing::warn!(account = %alias, error = in_full(&error), "new tokens not stored yet");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                Err(SaveError::Store(error)) => return Err(Stop::Store(error)),
            }
        }
        Err(Stop::wait("tokens_not_stored", "the account's new tokens could not be stored", Duration::from_secs(30)))
    }

    async fn seal_surely(&self, purpose: Purpose, alias: &Alias, secret: &SecretString) -> Result<Sealed, Stop> {
        let context = SealContext::new(purpose, alias);
        let mut sealed = self.vault.seal(&context, secret).await;
        for _ in 1..STORE_TRIES {
            match &sealed {
                Err(error) if matches!(error.disposition(), Disposition::Retry { .. }) => {
                    tokio::time::sleep(STORE_PAUSE).await;
                    sealed = self.vault.seal(&context, secret).await;
                }
                _ => break,
            }
        }
        Ok(sealed?)
    }

    /// TikTok refused the refresh token for good. If somebody else stored a
    /// newer pair, that one counts; otherwise the account must be connected again.
    async fn part(&self, kept: Kept<Account>, why: &str) -> Result<Opened, Stop> {
        let newest = self.connected(&kept.alias).await?;
        if newest.tokens.refresh != kept.tokens.refresh {
            return self.open(&newest).await;
        }
        self.mark_parted(newest, why).await?;
        Err(Stop::needs_reconnect(why))
    }

    async fn mark_parted(&self, kept: Kept<Account>, why: &str) -> Result<(), StoreError> {
        let now = self.now();
        let connection = Connection::NeedsReconnect { since: now, why: why.to_owned() };
        tracing::error!(account = %kept.alias, why, "TikTok refuses the account's tokens: connect it again");
        let parted = Account { connection, refreshing: None, ..kept.value.clone() };
        match self.accounts.save(&kept, parted, now).await {
            // Somebody changed the account meanwhile: the next refusal marks it.
            Ok(_) | Err(SaveError::Overtaken) => Ok(()),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    async fn unlock(&self, kept: Kept<Account>) {
        let unlocked = Account { refreshing: None, ..kept.value.clone() };
        if let Err(error) = self.accounts.save(kept, unlocked, self.now()).await {
            tracing::warn!(error = in_full(&error), "the refresh lock stays until it expires");
        }
    }
}

/// The account with a new pair. A grant is newer than any refusal, and one that
/// does not name its scopes has not lost any.
fn renewed(account: &Account, tokens: &TokenPair, grant: &Grant) -> Account {
    let named = grant.scopes.iter().next().is_some();
    let scopes = if named { grant.scopes.clone() } else { account.scopes.clone() };
    let (tokens, connection) = (tokens.clone(), Connection::Connected);
    Account { tokens, scopes, connection, refreshing: None, ..account.clone() }
}

/// The failure of a post for an account that nobody connected.
pub(crate) fn unknown_account(alias: &Alias) -> Stop {
    Stop::Fail(Failure::new(
        "account_unknown",
        format!("no TikTok account is connected as \"{alias}\""),
        "Connect an account under this alias and drop the video again, or drop it into the folder of one that is connected.",
    ))
}
