//! Access tokens: opened for calls, and refreshed by one worker at a time.
//!
//! TikTok may revoke a refresh token the moment it is used. If two workers refreshed at once, the account could lose
//! its authorization. Therefore the worker that refreshes holds the account's refresh lock, which is stored on the
//! account. It stores the new pair of tokens before it uses the pair. Other workers wait, and then read the stored
//! pair. [`refresh`] has the refresh itself.

mod refresh;

use std::sync::Arc;
use std::time::Duration;

use domain::account::{Account, RefreshLock, TokenUse};
use domain::failure::{Disposition, error_chain};
use domain::identity::Alias;
use domain::reason::Reason;
use domain::report::{PublishStatus, StatusReport};
use domain::secret::Sealed;
use storage::{Accounts, AppSecret, KmsCipher, Versioned};
use tiktok::{AccessToken, TikTok};

use crate::compare_and_swap::unless_conflict;
use crate::exit::Exit;
use crate::invocation::{Instruments, Worker};

use refresh::{OpenedToken, if_connected};

/// How long a refresh lock is valid. If a refresh takes longer, another worker may use the same refresh token.
const LOCK_TERM: Duration = Duration::from_secs(90);
/// How often an account is read while another worker refreshes its tokens, 10 s in all; then the post is deferred.
const MAX_LOCK_READS: u32 = 20;
/// The pause between two reads of a locked account.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The remaining lifetime that a token must have to be used after its refresh was due but failed.
const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// TikTok's reason for a publish that failed because the creator revoked the app's authorization.
const AUTHORIZATION_REVOKED: &str = "auth_removed";

/// An account's access token, used for several calls in a row.
pub(crate) struct Bearer<'a> {
    pub(crate) alias: &'a Alias,
    worker: &'a Worker,
    token_use: TokenUse,
    opened: OpenedToken,
}

from_dependencies! {
    /// The access tokens of the accounts.
    pub struct Tokens {
        accounts: Accounts, cipher: KmsCipher, app: Arc<AppSecret>, tiktok: TikTok, instruments: Instruments,
    }
}

impl Tokens {
    /// Opens an account's token, after a refresh if its remaining lifetime is too short for `token_use`. `account` is
    /// the account if it was just read.
    pub(crate) async fn bearer<'a>(
        &self,
        (alias, account): (&'a Alias, Option<&Versioned<Account>>),
        token_use: TokenUse,
        worker: &'a Worker,
    ) -> Result<Bearer<'a>, Exit> {
        let opened = self.token(alias, worker, token_use, account.map_or(Known::Nothing, Known::Account)).await?;
        Ok(Bearer { alias, worker, token_use, opened })
    }

    /// Makes a call with the bearer's token. If TikTok refuses the token, the call is repeated once with a refreshed
    /// one. If TikTok refuses that one too, the account must be connected again.
    pub(crate) async fn call<T, Answer: Future<Output = Result<Result<T, tiktok::Error>, Exit>>>(
        &self,
        bearer: &mut Bearer<'_>,
        mut call: impl FnMut(AccessToken) -> Answer,
    ) -> Result<T, Exit> {
        let (alias, mut refreshed) = (bearer.alias, false);
        loop {
            let error = match call(bearer.opened.token.clone()).await? {
                Err(error) if error.disposition() == Disposition::Refresh => error,
                answer => return Ok(answer?),
            };
            if refreshed {
                let account = self.connected(alias).await?;
                if account.tokens.access == bearer.opened.sealed {
                    self.mark_authorization_lost(account, "TikTok refuses even a fresh access token").await?;
                }
                return Err(Exit::needs_reconnect(&error.failure().message));
            }
            tracing::info!(account = %alias, why = %error.fault, "access token refused: refreshing it once");
            let refused = Known::RefusedToken(&bearer.opened.sealed);
            bearer.opened = self.token(alias, bearer.worker, bearer.token_use, refused).await?;
            refreshed = true;
        }
    }

    /// Checks an account's authorization if TikTok reports that a publish failed because the creator revoked it. The
    /// creator may have connected the account again since. So its token is refreshed, and the account is marked as to
    /// be connected again only if TikTok refuses the refresh.
    pub(crate) async fn check_authorization(&self, report: &StatusReport, alias: &Alias, worker: &Worker) {
        if !matches!(&report.status, PublishStatus::Failed { reason } if reason == AUTHORIZATION_REVOKED) {
            return;
        }
        let refreshed = async {
            let refused = self.connected(alias).await?.tokens.access.clone();
            self.token(alias, worker, TokenUse::Call, Known::RefusedToken(&refused)).await
        };
        if let Err(exit) = refreshed.await {
            tracing::error!(account = %alias, why = ?exit, "the creator revoked the app's authorization");
        }
    }

    /// Refreshes an account's tokens if they do not live long enough for a use.
    ///
    /// # Errors
    /// The account does not exist, must be connected again, or cannot be refreshed now. If TikTok refused the refresh
    /// token for good, the account is marked; otherwise nothing was changed.
    pub async fn keep_alive(&self, alias: &Alias, token_use: TokenUse, worker: &Worker) -> Result<(), RefreshError> {
        self.token(alias, worker, token_use, Known::Nothing).await.map(|_| ()).map_err(RefreshError::from)
    }

    /// Opens a token whose lifetime suffices for the use and that TikTok has not refused, after a refresh if needed.
    async fn token(
        &self,
        alias: &Alias,
        worker: &Worker,
        token_use: TokenUse,
        known: Known<'_>,
    ) -> Result<OpenedToken, Exit> {
        let (mut read, refused) = match known {
            Known::Nothing => (None, None),
            Known::Account(account) => (Some(account.clone()), None),
            Known::RefusedToken(refused) => (None, Some(refused)),
        };
        for _ in 0..MAX_LOCK_READS {
            let account = match read.take() {
                Some(account) => if_connected(account)?,
                None => self.connected(alias).await?,
            };
            let now = self.instruments.now();
            let usable = refused != Some(&account.tokens.access);
            if usable && account.tokens.lasts(token_use, now) {
                return self.open(&account).await;
            }
            if account.refreshing.as_ref().is_some_and(|lock| lock.expires_at > now) {
                tokio::time::sleep(LOCK_POLL_INTERVAL).await;
                continue;
            }
            let fallback = (usable && account.tokens.lives_for(MIN_LIFETIME, now)).then(|| account.value.clone());
            if now > worker.deadline {
                // If the invocation ended after TikTok has rotated the pair, the account would be lost.
                let exit = Exit::defer(Reason::NoTimeToRefresh, "the invocation ends", Duration::ZERO);
                return self.fall_back(fallback, exit).await;
            }
            let lock = RefreshLock { owner: worker.name.clone(), expires_at: now + LOCK_TERM };
            let locked = account.value.clone().locked(lock, now);
            if let Some(account) = unless_conflict(self.accounts.save(account, locked, now).await)? {
                return match Box::pin(self.refresh(account)).await {
                    Err(exit) => self.fall_back(fallback, exit).await,
                    refreshed => refreshed,
                };
            }
        }
        let message = "another worker refreshes the account's tokens";
        Err(Exit::defer(Reason::TokenRefreshBusy, message, Duration::from_secs(30)))
    }

    /// Opens the old token after a failed refresh, if the failure was temporary and there is an old token that still
    /// lives (`account`). Otherwise returns the failure.
    async fn fall_back(&self, account: Option<Account>, exit: Exit) -> Result<OpenedToken, Exit> {
        match (account, &exit) {
            (Some(account), Exit::Defer { reason, message, .. }) if *reason != Reason::NeedsReconnect => {
                tracing::warn!(account = %account.alias, code = %reason, message, "tokens not refreshed: using the old one");
                self.open(&account).await
            }
            _ => Err(exit),
        }
    }
}

/// What the caller knows about the account whose token is opened.
enum Known<'a> {
    Nothing,
    /// The account, which was just read. It is read again only if its token is not usable.
    Account(&'a Versioned<Account>),
    /// The account's token that TikTok has refused. It is refreshed unless the account has another one by now.
    RefusedToken(&'a Sealed),
}

/// Why an account's tokens could not be refreshed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({reason})")]
pub struct RefreshError {
    /// The stable reason.
    pub reason: Reason,
    /// What the account waits for, for people.
    pub message: String,
}

impl From<Exit> for RefreshError {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Defer { reason, message, .. } => Self { reason, message },
            Exit::Fail(failure) => Self { reason: failure.reason, message: failure.message },
            Exit::Store(error) => Self { reason: Reason::StoreUnusable, message: error_chain(&error) },
            other => Self { reason: Reason::InternalFault, message: format!("{other:?}") },
        }
    }
}
