//! Access tokens: had where a call needs one, refreshed by one worker at a time.
//!
//! TikTok may kill a refresh token the moment it is used, so two refreshes at
//! once can lose an account. Whoever refreshes holds the account's lock; the
//! new pair is stored before it is used; whoever comes second waits and reads
//! what the first stored.

use std::time::Duration;

use domain::account::{Account, Connection, RefreshLock, TokenPair};
use domain::failure::{Disposition, Failure};
use domain::identity::Alias;
use domain::secret::Sealed;
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
                let fresh = self.token(alias, worker, Some(&opened.sealed)).await?;
                Ok(call(fresh.token).await?)
            }
            other => Ok(other?),
        }
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
            match &kept.refreshing {
                Some(lock) if lock.expires_at > now && lock.owner != worker.name => {
                    tokio::time::sleep(LOOK).await;
                }
                _ => {
                    let lock = RefreshLock { owner: worker.name.clone(), expires_at: now + LOCK_TERM };
                    let locked = Account { refreshing: Some(lock), ..kept.value.clone() };
                    match self.accounts.save(kept, locked, now).await {
                        Ok(kept) => return self.refresh(kept).await,
                        Err(SaveError::Overtaken) => {}
                        Err(SaveError::Store(error)) => return Err(Stop::Store(error)),
                    }
                }
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
        let context = SealContext::new(Purpose::RefreshToken, &kept.alias);
        let refresh = RefreshToken::new(self.vault.open(&context, &kept.tokens.refresh).await?);
        let secret = self.app.get(self.now()).await?;
        let app = AppCredentials::new(secret.client_key, secret.client_secret);
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
                let stop = Stop::unless_mended(error.disposition(), &error.failure());
                self.unlock(kept).await;
                Err(stop)
            }
        }
    }

    /// Stores a new pair, and only then hands out its token. A pair is never
    /// dropped because somebody changed the account meanwhile.
    async fn keep_grant(&self, mut kept: Kept<Account>, grant: Grant) -> Result<Opened, Stop> {
        let now = self.now();
        let alias = kept.alias.clone();
        let seal = async |purpose, secret| self.vault.seal(&SealContext::new(purpose, &alias), secret).await;
        let access = seal(Purpose::AccessToken, grant.access.secret()).await?;
        let tokens = TokenPair {
            access: access.clone(),
            access_expires_at: now + grant.access_lifetime,
            refresh: seal(Purpose::RefreshToken, grant.refresh.secret()).await?,
            refresh_expires_at: now + grant.refresh_lifetime,
        };
        let old = kept.tokens.refresh.clone();
        while kept.tokens.refresh == old {
            let scopes = grant.scopes.clone();
            let account = Account { tokens: tokens.clone(), refreshing: None, scopes, ..kept.value.clone() };
            match self.accounts.save(kept, account, now).await {
                Ok(_) => {
                    tracing::info!(account = %alias, expires_at = %tokens.access_expires_at, "tokens refreshed");
                    return Ok(Opened { token: grant.access, sealed: access });
                }
                Err(SaveError::Overtaken) => kept = self.connected(&alias).await?,
                Err(SaveError::Store(error)) => return Err(Stop::Store(error)),
            }
        }
        self.open(&kept).await
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

    /// Notes that the creator took the app's access away.
    ///
    /// # Errors
    /// The account could not be written; TikTok will refuse its tokens.
    pub(crate) async fn consent_gone(&self, alias: &Alias) -> Result<(), StoreError> {
        match self.accounts.get(alias).await? {
            Some(kept) if kept.connection == Connection::Connected => {
                self.mark_parted(kept, "the creator took this app's access away").await
            }
            _ => Ok(()),
        }
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
            tracing::warn!(error = %error, "the refresh lock stays until it expires");
        }
    }
}

/// The failure of a post for an account that nobody connected.
pub(crate) fn unknown_account(alias: &Alias) -> Stop {
    Stop::Fail(Failure::new(
        "account_unknown",
        format!("no TikTok account is connected as \"{alias}\""),
        "Connect an account under this alias, or drop the video into the folder of one that is connected; then retry the post.",
    ))
}
