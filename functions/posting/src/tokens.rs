//! Access tokens: had where a call needs one, refreshed by one worker at a time.
//!
//! TikTok may kill a refresh token the moment it is used, so two refreshes at
//! once can lose an account. Whoever refreshes holds the account's lock; the
//! new pair is stored before it is used; whoever comes second waits and reads
//! what the first stored. How the exchange itself goes is in [`refresh`], and
//! who sees to accounts that nobody posts to, in [`idle`].

mod idle;
mod refresh;

use std::time::Duration;

use domain::account::{Account, Connection, Need, RefreshLock};
use domain::failure::{Disposition, Failure, in_full};
use domain::identity::Alias;
use domain::secret::Sealed;
use storage::{Kept, Purpose, SaveError, SealContext};
use tiktok::AccessToken;

use crate::posting::{Posting, Worker};
use crate::stop::{NEEDS_RECONNECT, Stop};

pub use idle::RenewalSummary;

/// How long a refresher has before another may take its place.
const LOCK_TERM: Duration = Duration::from_secs(90);
/// How long somebody else's refresh is waited for before the post waits.
const PATIENCE: u32 = 20;
/// The pause between two looks at somebody else's refresh.
const LOOK: Duration = Duration::from_millis(500);
/// The least that a token must live for a call to be made with it although it
/// could not be refreshed.
const LEAST_LIFE: Duration = Duration::from_mins(1);

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
        self.with_token_for(Need::Call, alias, worker, call).await
    }

    /// The same with a token that lives as long as there is need for it, where
    /// TikTok's lifetimes allow.
    pub(crate) async fn with_token_for<T>(
        &self,
        need: Need,
        alias: &Alias,
        worker: &Worker,
        call: impl AsyncFn(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Stop> {
        let opened = self.token(alias, worker, need, None).await?;
        match call(opened.token).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                tracing::info!(account = %alias, why = %error.fault, "access token refused: refreshing it once");
            }
            other => return Ok(other?),
        }
        let fresh = self.token(alias, worker, need, Some(&opened.sealed)).await?;
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
        self.token(alias, worker, Need::Call, Some(&refused)).await.map(|_| ())
    }

    /// Has an account's pair exchanged where it does not last for the need: it
    /// is what every call begins with.
    ///
    /// # Errors
    /// There is no such account, its consent is gone, or the exchange has to wait.
    /// TikTok's refusal is on the account; nothing else was changed.
    pub async fn keep_alive(&self, alias: &Alias, need: Need, worker: &Worker) -> Result<(), Unrefreshed> {
        self.token(alias, worker, need, None).await.map(|_| ()).map_err(Unrefreshed::from)
    }

    /// A token that lives long enough and is not the one that was refused.
    async fn token(
        &self,
        alias: &Alias,
        worker: &Worker,
        need: Need,
        refused: Option<&Sealed>,
    ) -> Result<Opened, Stop> {
        for _ in 0..PATIENCE {
            let kept = self.connected(alias).await?;
            let now = self.now();
            let usable = refused != Some(&kept.tokens.access);
            if usable && kept.tokens.lasts(need, now) {
                return self.open(&kept).await;
            }
            if kept.refreshing.as_ref().is_some_and(|lock| lock.expires_at > now) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let living = Some(kept.value.clone()).filter(|account| usable && account.tokens.lives_for(LEAST_LIFE, now));
            if now > worker.rest_by {
                // A refresh that is cut off after TikTok has rotated the pair loses the account.
                let stop = Stop::wait("no_time_to_refresh", "the invocation ends", Duration::ZERO);
                return self.make_do(living, stop).await;
            }
            let lock = RefreshLock { owner: worker.name.clone(), expires_at: now + LOCK_TERM };
            let locked = Account { refreshing: Some(lock), ..kept.value.clone() };
            match self.accounts.save(kept, locked, now).await {
                Ok(kept) => match Box::pin(self.refresh(kept)).await {
                    Err(stop @ Stop::Wait { .. }) => return self.make_do(living, stop).await,
                    refreshed => return refreshed,
                },
                Err(SaveError::Overtaken) => {}
                Err(SaveError::Store(error)) => return Err(Stop::Store(error)),
            }
        }
        Err(Stop::wait("token_refresh_busy", "another worker refreshes the account's tokens", Duration::from_secs(30)))
    }

    /// A refresh has to wait: a token that lives a while yet does for now.
    async fn make_do(&self, living: Option<Account>, stop: Stop) -> Result<Opened, Stop> {
        match (living, &stop) {
            (Some(account), Stop::Wait { code, message, .. }) if code != NEEDS_RECONNECT => {
                tracing::warn!(account = %account.alias, code, message, "tokens not refreshed: the old one still lives");
                self.open(&account).await
            }
            _ => Err(stop),
        }
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
}

/// Why an account has no token that lasts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Unrefreshed {
    /// A stable word for programs.
    pub code: String,
    /// What it waits for, for people.
    pub message: String,
}

impl From<Stop> for Unrefreshed {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Wait { code, message, .. } => Self { code, message },
            Stop::Fail(failure) => Self { code: failure.code, message: failure.message },
            Stop::Store(error) => Self { code: "store_unusable".to_owned(), message: in_full(&error) },
            other => Self { code: "internal_fault".to_owned(), message: format!("{other:?}") },
        }
    }
}

/// The failure of a post for an account that nobody connected.
pub(crate) fn unknown_account(alias: &Alias) -> Stop {
    Stop::Fail(Failure::new(
        "account_unknown",
        format!("no TikTok account is connected as \"{alias}\""),
        "Connect an account under this alias and drop the video again, or drop it into the folder of one that is connected.",
    ))
}
