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

/// An account's token, had once for calls that follow one another.
pub(crate) struct Bearer<'a> {
    alias: &'a Alias,
    worker: &'a Worker,
    need: Need,
    opened: Opened,
}

impl<'a> Bearer<'a> {
    /// Whose it is.
    pub(crate) fn alias(&self) -> &'a Alias {
        self.alias
    }
}

impl Posting {
    /// The account's token for calls of one kind of need: one that lives as long,
    /// where TikTok's lifetimes allow.
    pub(crate) async fn bearer<'a>(
        &self,
        alias: &'a Alias,
        need: Need,
        worker: &'a Worker,
    ) -> Result<Bearer<'a>, Stop> {
        Ok(Bearer { alias, worker, need, opened: self.token(alias, worker, need, Look::Anew).await? })
    }

    /// The same of an account that was read a moment ago.
    pub(crate) async fn bearer_of<'a>(
        &self,
        account: &'a Kept<Account>,
        need: Need,
        worker: &'a Worker,
    ) -> Result<Bearer<'a>, Stop> {
        let alias = &account.value.alias;
        let opened = self.token(alias, worker, need, Look::At(account)).await?;
        Ok(Bearer { alias, worker, need, opened })
    }

    /// Makes a call with the account's token.
    pub(crate) async fn with_token<T>(
        &self,
        alias: &Alias,
        worker: &Worker,
        call: impl AsyncFnMut(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Stop> {
        let mut bearer = self.bearer(alias, Need::Call, worker).await?;
        self.with_bearer(&mut bearer, call).await
    }

    /// Makes a call with a token that was had; where TikTok refuses the token,
    /// refreshes it once and repeats that one call.
    pub(crate) async fn with_bearer<T>(
        &self,
        bearer: &mut Bearer<'_>,
        mut call: impl AsyncFnMut(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Stop> {
        let (alias, worker) = (bearer.alias, bearer.worker);
        match call(bearer.opened.token.clone()).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                tracing::info!(account = %alias, why = %error.fault, "access token refused: refreshing it once");
            }
            other => return Ok(other?),
        }
        bearer.opened = self.token(alias, worker, bearer.need, Look::Past(&bearer.opened.sealed)).await?;
        match call(bearer.opened.token.clone()).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                let kept = self.connected(alias).await?;
                if kept.tokens.access == bearer.opened.sealed {
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
        self.token(alias, worker, Need::Call, Look::Past(&refused)).await.map(|_| ())
    }

    /// Has an account's pair exchanged where it does not last for the need: it
    /// is what every call begins with.
    ///
    /// # Errors
    /// There is no such account, its consent is gone, or the exchange has to wait.
    /// TikTok's refusal is on the account; nothing else was changed.
    pub async fn keep_alive(&self, alias: &Alias, need: Need, worker: &Worker) -> Result<(), Unrefreshed> {
        self.token(alias, worker, need, Look::Anew).await.map(|_| ()).map_err(Unrefreshed::from)
    }

    /// A token that lives long enough and is not the one that was refused.
    async fn token(&self, alias: &Alias, worker: &Worker, need: Need, account: Look<'_>) -> Result<Opened, Stop> {
        let (mut read, refused) = match account {
            Look::Anew => (None, None),
            Look::At(read) => (Some(read.clone()), None),
            Look::Past(refused) => (None, Some(refused)),
        };
        for _ in 0..PATIENCE {
            let kept = match read.take() {
                Some(kept) => if_connected(kept)?,
                None => self.connected(alias).await?,
            };
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
            let locked = kept.value.clone().locked(lock, now);
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
        if_connected(self.accounts.get(alias).await?.ok_or_else(|| unknown_account(alias))?)
    }

    async fn open(&self, account: &Account) -> Result<Opened, Stop> {
        let sealed = account.tokens.access.clone();
        let context = SealContext::new(Purpose::AccessToken, &account.alias);
        Ok(Opened { token: AccessToken::new(self.vault.open(&context, &sealed).await?), sealed })
    }
}

/// How the account is looked at whose token is wanted.
enum Look<'a> {
    /// It is read.
    Anew,
    /// It was read a moment ago; if that does not do, it is read again.
    At(&'a Kept<Account>),
    /// It is read, and this token of it was refused.
    Past(&'a Sealed),
}

fn if_connected(kept: Kept<Account>) -> Result<Kept<Account>, Stop> {
    match &kept.connection {
        Connection::Connected => Ok(kept),
        Connection::NeedsReconnect { why, .. } => Err(Stop::needs_reconnect(why)),
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
