//! Asks TikTok what a creator may post now (`creator_info`). A caller shows the answer before it creates a post. The
//! call counts against the account's rate limit, like the same call of a worker.

use std::time::Duration;

use domain::account::TokenUse;
use domain::creator::Creator;
use domain::failure::Failure;
use domain::identity::Alias;
use domain::reason::{RATE_LIMIT_EXCEEDED, Reason};
use storage::{Accounts, StoreError};

use crate::account_names::AccountNames;
use crate::exit::Exit;
use crate::invocation::{Instruments, Worker};
use crate::limited_calls::LimitedCalls;

/// Why TikTok was not asked, or did not answer.
#[expect(missing_docs, reason = "the message of each undocumented variant says what it means")]
#[derive(Debug, thiserror::Error)]
pub enum CreatorError {
    #[error("account \"{0}\" not found")]
    NotFound(Alias),
    #[error("account \"{0}\" must be connected again")]
    NeedsReconnect(Alias),
    /// The account's calls are used up for now.
    #[error("{why}")]
    Limited {
        why: String,
        /// The minimum wait.
        after: Duration,
    },
    #[error("TikTok refused: {}", .0.message)]
    Refused(Failure),
    /// TikTok, the KMS key, the app's secret or the account's refresh lock is not available now.
    #[error("TikTok cannot be asked now: {why}")]
    Unavailable {
        why: String,
        /// The minimum wait.
        after: Duration,
    },
    #[error("the account could not be read")]
    Store(#[from] StoreError),
}

/// The wait after an exit that does not state one.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

from_dependencies! {
    /// Asks TikTok about creators.
    pub struct Creators { accounts: Accounts, calls: LimitedCalls, names: AccountNames, instruments: Instruments, }
}

impl Creators {
    /// Asks TikTok what an account's creator may post now.
    ///
    /// # Errors
    /// If TikTok refused the account's authorization for good, the account is marked; nothing else was changed.
    pub async fn creator(&self, alias: &Alias, worker: &Worker) -> Result<Creator, CreatorError> {
        let Some(account) = self.accounts.get(alias).await? else {
            return Err(CreatorError::NotFound(alias.clone()));
        };
        let ask = async {
            let mut bearer = self.calls.tokens.bearer((alias, None), TokenUse::Call, worker).await?;
            let creator = self.calls.creator(&mut bearer).await?;
            self.names.remember(&account, &creator).await;
            Ok(creator)
        };
        ask.await.map_err(|exit| match exit {
            Exit::Fail(failure) => CreatorError::Refused(failure),
            Exit::Store(error) => CreatorError::Store(error),
            Exit::RateLimited(limited) => {
                let after = self.instruments.time_until(limited.wait.until);
                CreatorError::Limited { why: limited.wait.message, after }
            }
            Exit::Defer { reason: Reason::NeedsReconnect, .. } => CreatorError::NeedsReconnect(alias.clone()),
            Exit::Defer { reason, message, after } if reason.code() == RATE_LIMIT_EXCEEDED => {
                CreatorError::Limited { why: message, after }
            }
            Exit::Defer { message, after, .. } => CreatorError::Unavailable { why: message, after },
            other => CreatorError::Unavailable { why: format!("{other:?}"), after: DEFAULT_WAIT },
        })
    }
}
