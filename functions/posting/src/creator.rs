//! Asking what a creator may post at this moment, for whoever wants to show it
//! before a post is made. TikTok limits the question, so it goes by the account's
//! budget like every other.

use std::time::Duration;

use domain::creator::Creator;
use domain::failure::Failure;
use domain::identity::Alias;
use domain::rate_limit::CallKind;
use domain::reason::RATE_LIMIT_EXCEEDED;
use storage::StoreError;

use crate::exit::Exit;
use crate::posting::{Posting, Worker};

/// Why it is not known what a creator may post.
#[derive(Debug, thiserror::Error)]
pub enum CreatorError {
    /// Nobody connected an account under this alias.
    #[error("there is no account \"{0}\"")]
    Unknown(Alias),
    /// Its consent is gone.
    #[error("the account \"{0}\" must be connected again")]
    NeedsReconnect(Alias),
    /// The account's calls are used up for now.
    #[error("{why}")]
    Limited {
        /// What there is no room in.
        why: String,
        /// The least wait.
        after: Duration,
    },
    /// TikTok answered, and not with what was asked for.
    #[error("TikTok says: {}", .0.message)]
    Refused(Failure),
    /// TikTok, or what is needed to ask it, cannot be had now.
    #[error("TikTok cannot be asked now: {why}")]
    Unavailable {
        /// What is the matter.
        why: String,
        /// The least wait.
        after: Duration,
    },
    /// The account or its budget could not be read or written.
    #[error("the account could not be read")]
    Store(#[from] StoreError),
}

/// The wait of who came upon something that is none of these.
const A_MOMENT: Duration = Duration::from_secs(5);

impl Posting {
    /// Asks TikTok what an account's creator may post now.
    ///
    /// # Errors
    /// Nothing was changed but, where TikTok refused it for good, the account.
    pub async fn creator(&self, alias: &Alias, worker: &Worker) -> Result<Creator, CreatorError> {
        if self.accounts.get(alias).await?.is_none() {
            return Err(CreatorError::Unknown(alias.clone()));
        }
        let ask = async |token| self.tiktok.creator(&token).await;
        let asked = self.rate_limited(CallKind::CreatorInfo, alias, worker, ask).await;
        asked.map_err(|stop| match stop {
            Exit::Fail(failure) => CreatorError::Refused(failure),
            Exit::Store(error) => CreatorError::Store(error),
            Exit::RateLimited(limited) => {
                let after = Duration::try_from(limited.wait.until.duration_since(self.now())).unwrap_or_default();
                CreatorError::Limited { why: limited.wait.message, after }
            }
            Exit::Defer { reason, .. } if reason.resumes_on_reconnect() => CreatorError::NeedsReconnect(alias.clone()),
            Exit::Defer { reason, message, after } if reason.code() == RATE_LIMIT_EXCEEDED => {
                CreatorError::Limited { why: message, after }
            }
            Exit::Defer { message, after, .. } => CreatorError::Unavailable { why: message, after },
            other => CreatorError::Unavailable { why: format!("{other:?}"), after: A_MOMENT },
        })
    }
}
