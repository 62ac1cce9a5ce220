//! Why work on a post comes to rest, and what every failing call amounts to.
//!
//! A step of an upload returns `Result<_, Exit>`; one place (`upload::conclude`)
//! turns the stop into the post's next state. So no step can forget to, and a
//! reader finds all outcomes in one list.

use std::time::Duration;

use domain::failure::{Disposition, Failure, error_chain};
use domain::post::{HoldReason, InvalidTransition};
use domain::rate_limit::Wait;
use domain::reason::{RATE_LIMIT_EXCEEDED, Reason};
use domain::report::StatusReport;
use domain::settings::Settings;
use domain::video::VideoFacts;
use jiff::Timestamp;
use storage::{AppSecretError, CipherError, ObjectError, SaveError, StoreError};

use crate::rate_limit::is_rate_limit;

/// Why work on a post rests.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Somebody else has the post now; nothing may be written any more.
    LeaseLost,
    /// The post cannot be written. Its lease runs out, and it is due again.
    Store(StoreError),
    /// It will not succeed as it is.
    Fail(Failure),
    /// It is taken up again after a while.
    Defer {
        /// What it waits for.
        reason: Reason,
        /// The same for people.
        message: String,
        /// The least wait; the back-off may make it longer.
        after: Duration,
    },
    /// One of our own budgets has no room before a certain time.
    RateLimited(Box<Limited>),
    /// It waits for a person.
    Hold(HoldReason),
    /// It waits for its time.
    Schedule(Timestamp),
    /// The invocation ends; the next one goes on at once.
    Yield,
    /// TikTok has every byte.
    Sent,
    /// TikTok may have every byte, and must be asked; and what happened instead
    /// of an answer.
    Unconfirmed(String),
    /// TikTok has come to an end.
    Reported(Box<StatusReport>),
    /// A step was asked for that the post's state does not allow: a fault of ours.
    Bug(InvalidTransition),
}

/// What has no room, and what is known of the post by then.
#[derive(Debug)]
pub(crate) struct Limited {
    /// What it waits for, and until when.
    pub wait: Wait,
    /// What the post goes out with, which says in which line it stands.
    pub described: Option<(Settings, VideoFacts, u64)>,
}

impl Exit {
    pub(crate) fn rate_limited(wait: Wait) -> Self {
        Self::RateLimited(Box::new(Limited { wait, described: None }))
    }

    /// Adds to a wait for a limit what the post goes out with.
    pub(crate) fn described(self, settings: Settings, facts: VideoFacts, bytes: u64) -> Self {
        match self {
            Self::RateLimited(limited) => {
                Self::RateLimited(Box::new(Limited { described: Some((settings, facts, bytes)), ..*limited }))
            }
            other => other,
        }
    }

    pub(crate) fn defer(reason: impl Into<Reason>, message: impl Into<String>, after: Duration) -> Self {
        Self::Defer { reason: reason.into(), message: message.into(), after }
    }

    /// What a disposition and its failure amount to.
    pub(crate) fn from_disposition(disposition: Disposition, failure: Failure) -> Self {
        match disposition {
            Disposition::Retry { after } | Disposition::Defer { after } => {
                Self::Defer { reason: failure.reason, message: failure.message, after }
            }
            // A call that may have happened is asked about by whoever takes the post up.
            Disposition::Reconcile => {
                Self::Defer { reason: failure.reason, message: failure.message, after: Duration::ZERO }
            }
            Disposition::Refresh | Disposition::NeedsReconnect => Self::needs_reconnect(&failure.message),
            Disposition::NeedsUser | Disposition::GiveUp => Self::Fail(failure),
        }
    }

    /// The wait for something that is not the post's fault: an outage, or an
    /// operator's mistake. The post goes on by itself once that is mended.
    pub(crate) fn defer_until_fixed(disposition: Disposition, failure: &Failure) -> Self {
        let after = match disposition {
            Disposition::Retry { after } | Disposition::Defer { after } => after,
            _ => OPERATOR_LOOK,
        };
        Self::defer(failure.reason.clone(), failure.message.clone(), after)
    }

    /// The wait of a post whose account's consent is gone: it goes on by
    /// itself once the account is connected again.
    pub(crate) fn needs_reconnect(why: &str) -> Self {
        let message = format!("TikTok no longer accepts the account's consent ({why}): connect the account again");
        Self::Defer { reason: Reason::NeedsReconnect, message, after: RECONNECT_LOOK }
    }
}

/// How often it is looked whether an operator's mistake was mended.
const OPERATOR_LOOK: Duration = Duration::from_mins(5);
/// How often it is looked whether an account was connected again.
pub(crate) const RECONNECT_LOOK: Duration = Duration::from_mins(15);

impl From<SaveError> for Exit {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Conflict => Self::LeaseLost,
            SaveError::Store(error) => Self::Store(error),
        }
    }
}

impl From<StoreError> for Exit {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<InvalidTransition> for Exit {
    fn from(error: InvalidTransition) -> Self {
        Self::Bug(error)
    }
}

impl From<tiktok::Error> for Exit {
    fn from(error: tiktok::Error) -> Self {
        let mut failure = error.failure();
        let limit = Reason::parse(RATE_LIMIT_EXCEEDED);
        if is_rate_limit(&error) && failure.reason != limit {
            failure.message = format!("{} ({})", failure.message, failure.reason);
            failure.reason = limit;
        }
        Self::from_disposition(error.disposition(), failure)
    }
}

impl From<ObjectError> for Exit {
    fn from(error: ObjectError) -> Self {
        let code = match error {
            ObjectError::Gone { .. } => "source_gone",
            ObjectError::Changed { .. } => "source_changed",
            _ => "source_unreadable",
        };
        let failure = Failure::new(code, error_chain(&error), "Drop the video again.");
        match error.disposition() {
            Disposition::GiveUp => Self::Fail(failure),
            disposition => Self::defer_until_fixed(disposition, &failure),
        }
    }
}

impl From<CipherError> for Exit {
    fn from(error: CipherError) -> Self {
        Self::defer_until_fixed(error.disposition(), &Failure::new("key_unusable", error_chain(&error), ""))
    }
}

impl From<AppSecretError> for Exit {
    fn from(error: AppSecretError) -> Self {
        Self::defer_until_fixed(error.disposition(), &Failure::new("app_secret_unusable", error_chain(&error), ""))
    }
}

#[cfg(test)]
mod tests {
    use tiktok::{ApiError, Endpoint, ErrorKind, InvalidResponse};

    use super::*;

    fn reason_of(fault: ErrorKind) -> Reason {
        match Exit::from(tiktok::Error { call: Endpoint::DirectInit, fault }) {
            Exit::Defer { reason, message, .. } => {
                assert!(!message.is_empty());
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    fn refused(http: u16, code: &str) -> ErrorKind {
        ErrorKind::Refused(ApiError { http, code: code.into(), message: String::new(), log_id: None })
    }

    #[test]
    fn too_many_calls_are_the_accounts_limit_whoever_says_so_and_in_whatever_words() {
        for fault in [
            refused(429, RATE_LIMIT_EXCEEDED),
            refused(429, "slow_down"),
            refused(429, ""),
            ErrorKind::InvalidResponse { http: 429, why: InvalidResponse::NotJson },
        ] {
            let reason = reason_of(fault);
            assert!(reason.code() == RATE_LIMIT_EXCEEDED && reason.is_limit(), "{reason}");
        }
    }

    #[test]
    fn a_cap_keeps_its_name_and_an_outage_is_no_limit() {
        assert_eq!(reason_of(refused(429, "spam_risk_too_many_posts")).code(), "spam_risk_too_many_posts");
        assert!(!reason_of(ErrorKind::InvalidResponse { http: 502, why: InvalidResponse::NotJson }).is_limit());
    }
}
