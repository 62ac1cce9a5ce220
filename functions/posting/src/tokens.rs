//! Access tokens: opened for calls, and refreshed by one worker at a time.
//!
//! TikTok may revoke a refresh token the moment it is used. If two workers refreshed at once, the account could lose
//! its authorization. Therefore the worker that refreshes holds the account's refresh lock, which is stored on the
//! account. It stores the new pair of tokens before it uses the pair. Other workers wait, and then read the stored
//! pair. [`refresh`] has the refresh itself.

mod refresh;

use std::sync::Arc;
use std::time::Duration;

use domain::account::{Account, Connection, FRESH_TOKEN_WAIT, RefreshLock, TokenUse};
use domain::failure::{Disposition, Failure, error_chain};
use domain::identity::Alias;
use domain::reason::Reason;
use domain::report::{PublishStatus, StatusReport};
use domain::secret::Sealed;
use storage::{Accounts, AppSecret, KmsCipher, Versioned};
use tiktok::{AccessToken, TikTok};

use crate::compare_and_swap::unless_conflict;
use crate::exit::Exit;
use crate::invocation::{Instruments, Worker};

use refresh::OpenedToken;

/// How long a refresh lock is valid. If a refresh takes longer, another worker may use the same refresh token.
const LOCK_TERM: Duration = Duration::from_secs(90);
/// How often an account is read while another worker refreshes its tokens, 10 s in all; then the post is deferred.
const MAX_LOCK_READS: u32 = 20;
/// The pause between two reads of a locked account.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The remaining lifetime that a token must have to be used after its refresh was due but failed.
const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// The time to store a new pair after TikTok's response, before the worker's deadline. The margin between the deadline and
/// the end of the invocation is added to it.
const STORE_TIME: Duration = Duration::from_secs(2);
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
    /// one. If TikTok refuses that one too, the call is repeated later. If TikTok then refuses a fresh token again, the
    /// account must be connected again.
    pub(crate) async fn call<T, Answer: Future<Output = Result<Result<T, tiktok::Error>, Exit>>>(
        &self,
        bearer: &mut Bearer<'_>,
        mut call: impl FnMut(AccessToken) -> Answer,
    ) -> Result<T, Exit> {
        let (alias, mut refreshed) = (bearer.alias, false);
        loop {
            let error = match call(bearer.opened.token.clone()).await? {
                Err(error) if error.disposition() == Disposition::Refresh => error,
                answer => {
                    if answer.is_ok() && std::mem::take(&mut bearer.opened.fresh_token_was_refused) {
                        Box::pin(self.forget_refusal(alias)).await;
                    }
                    return Ok(answer?);
                }
            };
            if refreshed {
                return Err(Box::pin(self.fresh_token_refused(alias, &bearer.opened.sealed, error.failure())).await?);
            }
            tracing::info!(account = %alias, why = %error.fault, "access token refused: refreshing it once");
            let refused = Known::RefusedToken(&bearer.opened.sealed);
            bearer.opened = Box::pin(self.token(alias, bearer.worker, bearer.token_use, refused)).await?;
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
            Box::pin(self.token(alias, worker, TokenUse::Call, Known::RefusedToken(&refused))).await
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
                Some(account) => account,
                None => self.account(alias).await?,
            };
            let now = self.instruments.now();
            let usable = refused != Some(&account.tokens.access);
            if let Connection::NeedsReconnect { why, .. } = &account.connection {
                let exit = Exit::needs_reconnect(why);
                return self.last_token(account, usable, token_use, exit).await;
            }
            if usable && account.tokens.lasts(token_use, now) {
                return self.open(&account).await;
            }
            if account.refreshing.as_ref().is_some_and(|lock| lock.expires_at > now) {
                tokio::time::sleep(LOCK_POLL_INTERVAL).await;
                continue;
            }
            let fallback = (usable && account.tokens.lives_for(MIN_LIFETIME, now)).then(|| account.value.clone());
            if let Err(exit) = self.check_time_to_refresh(worker) {
                return self.fall_back(fallback, token_use, exit).await;
            }
            let lock = RefreshLock { owner: worker.name.clone(), expires_at: now + LOCK_TERM };
            let locked = account.value.clone().locked(lock, now);
            if let Some(account) = unless_conflict(self.accounts.save(account, locked, now).await)? {
                let refused = if usable { RefusedBefore::Nothing } else { RefusedBefore::AccessToken };
                return match Box::pin(self.refresh(account, refused, worker)).await {
                    Err(exit) => self.fall_back(fallback, token_use, exit).await,
                    refreshed => refreshed,
                };
            }
        }
        let message = "another worker refreshes the account's tokens";
        Err(Exit::defer(Reason::TokenRefreshBusy, message, Duration::from_secs(30)))
    }

    /// Opens the old token after a failed refresh, if there is an old token that still lives (`account`). Otherwise
    /// returns the failure. A renewal uses no token, so it always fails.
    async fn fall_back(&self, account: Option<Account>, token_use: TokenUse, exit: Exit) -> Result<OpenedToken, Exit> {
        match (account, &exit) {
            (Some(account), Exit::Defer { reason, message, .. }) if token_use != TokenUse::Renewal => {
                tracing::warn!(account = %account.alias, code = %reason, message, "tokens not refreshed: using the old one");
                self.open(&account).await
            }
            _ => Err(exit),
        }
    }

    /// Opens the last access token of an account that must be connected again, while it lives. If TikTok has refused it
    /// (`usable` is false), this is stored, and no later call uses it. Otherwise returns `exit`.
    async fn last_token(
        &self,
        account: Versioned<Account>,
        usable: bool,
        token_use: TokenUse,
        exit: Exit,
    ) -> Result<OpenedToken, Exit> {
        let now = self.instruments.now();
        let lives = token_use != TokenUse::Renewal && account.tokens.lives_for(MIN_LIFETIME, now);
        if lives && usable {
            return self.open(&account).await;
        }
        if lives {
            let refused = account.value.clone().access_refused(now);
            unless_conflict(self.accounts.save(account, refused, now).await)?;
        }
        Err(exit)
    }

    /// Checks that a refresh can end before the worker's deadline. If the invocation ended after TikTok has rotated the
    /// pair, the authorization would be lost. To be called immediately before the call to TikTok.
    fn check_time_to_refresh(&self, worker: &Worker) -> Result<(), Exit> {
        if self.instruments.time_until(worker.deadline) >= self.tiktok.refresh_timeout() + STORE_TIME {
            return Ok(());
        }
        Err(Exit::defer(Reason::NoTimeToRefresh, "the invocation ends too soon to refresh the tokens", Duration::ZERO))
    }

    /// Handles TikTok's refusal of an access token that was just refreshed. A new token may not be known to all of
    /// TikTok's servers at once, so only the second refusal ends the authorization (`Account::fresh_token_refused`).
    async fn fresh_token_refused(&self, alias: &Alias, fresh: &Sealed, failure: Failure) -> Result<Exit, Exit> {
        let account = self.account(alias).await?;
        if let Connection::NeedsReconnect { why, .. } = &account.connection {
            return Ok(Exit::needs_reconnect(why));
        }
        // If another worker has refreshed the tokens meanwhile, its token is tried next.
        if account.tokens.access == *fresh {
            let now = self.instruments.now();
            let next = account.value.clone().fresh_token_refused("TikTok refuses even fresh access tokens", now);
            let is_lost = next.connection != account.connection;
            if next != account.value {
                let saved = unless_conflict(self.accounts.save(&account, next, now).await)?;
                if is_lost && saved.is_some() {
                    self.report_authorization_lost(alias, &failure.message);
                    return Ok(Exit::needs_reconnect(&failure.message));
                }
            }
        }
        Ok(Exit::defer(failure.reason, failure.message, FRESH_TOKEN_WAIT))
    }

    /// Removes the mark of a refused fresh token, because TikTok has accepted a token since. If that fails, the next
    /// refusal may count as the second one.
    async fn forget_refusal(&self, alias: &Alias) {
        let forgotten = async {
            let account = self.account(alias).await?;
            let accepted = Account { fresh_token_refused_at: None, ..account.value.clone() };
            unless_conflict(self.accounts.save(account, accepted, self.instruments.now()).await)?;
            Ok::<_, Exit>(())
        };
        if let Err(exit) = forgotten.await {
            tracing::warn!(account = %alias, why = ?exit, "the mark of a refused token was not removed");
        }
    }
}

/// Whether TikTok has refused the account's access token before its refresh.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RefusedBefore {
    Nothing,
    AccessToken,
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
