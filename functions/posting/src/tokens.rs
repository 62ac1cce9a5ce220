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

use domain::account::{Account, Connection, RefreshLock, TokenUse};
use domain::failure::{Disposition, Failure, error_chain};
use domain::identity::Alias;
use domain::reason::Reason;
use domain::secret::Sealed;
use storage::{EncryptionContext, Purpose, SaveError, Versioned};
use tiktok::AccessToken;

use crate::exit::Exit;
use crate::posting::{Posting, Worker};

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
struct OpenedToken {
    token: AccessToken,
    sealed: Sealed,
}

/// An account's token, had once for calls that follow one another.
pub(crate) struct Bearer<'a> {
    alias: &'a Alias,
    worker: &'a Worker,
    need: TokenUse,
    opened: OpenedToken,
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
        need: TokenUse,
        worker: &'a Worker,
    ) -> Result<Bearer<'a>, Exit> {
        Ok(Bearer { alias, worker, need, opened: self.token(alias, worker, need, AccountRead::Anew).await? })
    }

    /// The same of an account that was read a moment ago.
    pub(crate) async fn bearer_of<'a>(
        &self,
        account: &'a Versioned<Account>,
        need: TokenUse,
        worker: &'a Worker,
    ) -> Result<Bearer<'a>, Exit> {
        let alias = &account.value.alias;
        let opened = self.token(alias, worker, need, AccountRead::At(account)).await?;
        Ok(Bearer { alias, worker, need, opened })
    }

    /// Makes a call with the account's token.
    pub(crate) async fn with_token<T>(
        &self,
        alias: &Alias,
        worker: &Worker,
        call: impl AsyncFnMut(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Exit> {
        let mut bearer = self.bearer(alias, TokenUse::Call, worker).await?;
        self.with_bearer(&mut bearer, call).await
    }

    /// Makes a call with a token that was had; where TikTok refuses the token,
    /// refreshes it once and repeats that one call.
    pub(crate) async fn with_bearer<T>(
        &self,
        bearer: &mut Bearer<'_>,
        mut call: impl AsyncFnMut(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Exit> {
        let (alias, worker) = (bearer.alias, bearer.worker);
        match call(bearer.opened.token.clone()).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                tracing::info!(account = %alias, why = %error.fault, "access token refused: refreshing it once");
            }
            other => return Ok(other?),
        }
        bearer.opened = self.token(alias, worker, bearer.need, AccountRead::Past(&bearer.opened.sealed)).await?;
        match call(bearer.opened.token.clone()).await {
            Err(error) if error.disposition() == Disposition::Refresh => {
                let kept = self.connected(alias).await?;
                if kept.tokens.access == bearer.opened.sealed {
                    self.mark_authorization_lost(kept, "TikTok refuses even a fresh access token").await?;
                }
                Err(Exit::needs_reconnect(&error.failure().message))
            }
            other => Ok(other?),
        }
    }

    /// Finds out whether the creator's consent still stands, after TikTok said
    /// that it was taken away: a creator may have connected again since.
    pub(crate) async fn check_consent(&self, alias: &Alias, worker: &Worker) -> Result<(), Exit> {
        let refused = self.connected(alias).await?.tokens.access.clone();
        self.token(alias, worker, TokenUse::Call, AccountRead::Past(&refused)).await.map(|_| ())
    }

    /// Has an account's pair exchanged where it does not last for the need: it
    /// is what every call begins with.
    ///
    /// # Errors
    /// There is no such account, its consent is gone, or the exchange has to wait.
    /// TikTok's refusal is on the account; nothing else was changed.
    pub async fn keep_alive(&self, alias: &Alias, need: TokenUse, worker: &Worker) -> Result<(), Unrefreshed> {
        self.token(alias, worker, need, AccountRead::Anew).await.map(|_| ()).map_err(Unrefreshed::from)
    }

    /// A token that lives long enough and is not the one that was refused.
    async fn token(
        &self,
        alias: &Alias,
        worker: &Worker,
        need: TokenUse,
        account: AccountRead<'_>,
    ) -> Result<OpenedToken, Exit> {
        let (mut read, refused) = match account {
            AccountRead::Anew => (None, None),
            AccountRead::At(read) => (Some(read.clone()), None),
            AccountRead::Past(refused) => (None, Some(refused)),
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
            if now > worker.deadline {
                // A refresh that is cut off after TikTok has rotated the pair loses the account.
                let stop = Exit::defer("no_time_to_refresh", "the invocation ends", Duration::ZERO);
                return self.use_current_token(living, stop).await;
            }
            let lock = RefreshLock { owner: worker.name.clone(), expires_at: now + LOCK_TERM };
            let locked = kept.value.clone().locked(lock, now);
            match self.accounts.save(kept, locked, now).await {
                Ok(kept) => match Box::pin(self.refresh(kept)).await {
                    Err(stop @ Exit::Defer { .. }) => return self.use_current_token(living, stop).await,
                    refreshed => return refreshed,
                },
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(Exit::Store(error)),
            }
        }
        Err(Exit::defer("token_refresh_busy", "another worker refreshes the account's tokens", Duration::from_secs(30)))
    }

    /// A refresh has to wait: a token that lives a while yet does for now.
    async fn use_current_token(&self, living: Option<Account>, stop: Exit) -> Result<OpenedToken, Exit> {
        match (living, &stop) {
            (Some(account), Exit::Defer { reason, message, .. }) if !reason.resumes_on_reconnect() => {
                tracing::warn!(account = %account.alias, code = reason.code(), message, "tokens not refreshed: the old one still lives");
                self.open(&account).await
            }
            _ => Err(stop),
        }
    }

    async fn connected(&self, alias: &Alias) -> Result<Versioned<Account>, Exit> {
        if_connected(self.accounts.get(alias).await?.ok_or_else(|| unknown_account(alias))?)
    }

    async fn open(&self, account: &Account) -> Result<OpenedToken, Exit> {
        let sealed = account.tokens.access.clone();
        let context = EncryptionContext::new(Purpose::AccessToken, &account.alias);
        Ok(OpenedToken { token: AccessToken::new(self.cipher.open(&context, &sealed).await?), sealed })
    }
}

/// How the account is looked at whose token is wanted.
enum AccountRead<'a> {
    /// It is read.
    Anew,
    /// It was read a moment ago; if that does not do, it is read again.
    At(&'a Versioned<Account>),
    /// It is read, and this token of it was refused.
    Past(&'a Sealed),
}

fn if_connected(kept: Versioned<Account>) -> Result<Versioned<Account>, Exit> {
    match &kept.connection {
        Connection::Connected => Ok(kept),
        Connection::NeedsReconnect { why, .. } => Err(Exit::needs_reconnect(why)),
    }
}

/// Why an account has no token that lasts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({reason})")]
pub struct Unrefreshed {
    /// A stable word for programs.
    pub reason: Reason,
    /// What it waits for, for people.
    pub message: String,
}

impl From<Exit> for Unrefreshed {
    fn from(stop: Exit) -> Self {
        match stop {
            Exit::Defer { reason, message, .. } => Self { reason, message },
            Exit::Fail(failure) => Self { reason: failure.reason, message: failure.message },
            Exit::Store(error) => Self { reason: Reason::StoreUnusable, message: error_chain(&error) },
            other => Self { reason: Reason::InternalFault, message: format!("{other:?}") },
        }
    }
}

/// The failure of a post for an account that nobody connected.
pub(crate) fn unknown_account(alias: &Alias) -> Exit {
    Exit::Fail(Failure::new(
        "account_not_found",
        format!("no TikTok account is connected as \"{alias}\""),
        "Connect an account under this alias and drop the video again, or drop it into the folder of one that is connected.",
    ))
}
