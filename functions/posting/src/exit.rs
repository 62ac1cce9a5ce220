//! Why a worker stops working on a post, and which of these reasons each failed call becomes.
//!
//! A step of an upload returns `Result<_, Exit>`. Only `upload::conclusion` turns an [`Exit`] into the post's next
//! state, so this list has every outcome, and no step can forget to store one.

use std::time::Duration;

use domain::failure::{Disposition, Failure, error_chain, single_line};
use domain::identity::Alias;
use domain::post::{HoldReason, InvalidTransition};
use domain::rate_limit::Wait;
use domain::reason::{RATE_LIMIT_EXCEEDED, Reason};
use domain::report::StatusReport;
use domain::settings::Settings;
use domain::video::VideoFacts;
use jiff::Timestamp;
use storage::{AppSecretError, CipherError, ObjectError, SaveError, StoreError};

/// Why a worker stops working on a post.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Another worker has the post now; this one must not write it any more.
    LeaseLost,
    /// The post cannot be written. Its lease expires, and then it is due again.
    Store(StoreError),
    /// The post fails for good, unless TikTok may have every byte (`upload::conclusion`).
    Fail(Failure),
    /// The post is retried later.
    Defer {
        reason: Reason,
        /// What the post waits for, for people.
        message: String,
        /// The minimum wait; the back-off may make it longer.
        after: Duration,
    },
    /// One of our own counters has no room before a certain time.
    RateLimited(Box<RateLimited>),
    /// The post waits for a person.
    Hold(HoldReason),
    /// The post is cancelled, because its object has no content and was replaced. The text says what happened.
    Withdraw(String),
    /// The post waits for its publish time.
    Schedule(Timestamp),
    /// The invocation has too little time left. Another worker is woken and continues at once.
    Yield,
    /// TikTok has confirmed that it has every byte.
    Sent,
    /// TikTok may have every byte but did not confirm it. The poller asks TikTok; no new upload may begin, because it
    /// could post the video twice. The text says why there is no confirmation.
    Unconfirmed(String),
    /// TikTok reports the final status of the publish.
    Reported(Box<StatusReport>),
    /// The post's state does not allow a step: a bug in Dropcast. The post is deferred.
    Bug(InvalidTransition),
}

/// A limit without room, and what the worker has learned about the post.
#[derive(Debug)]
pub(crate) struct RateLimited {
    /// Which limit, and until when.
    pub wait: Wait,
    /// The post's settings, its video and its size in bytes. The post stores them, because its mode decides in which
    /// of the account's queues it waits.
    pub described: Option<(Settings, VideoFacts, u64)>,
}

/// How many characters of a folder's name a message quotes.
const MAX_QUOTED_CHARS: usize = 80;
/// How often a post that waits for the operator is retried.
const OPERATOR_RETRY: Duration = Duration::from_mins(5);
/// How often a post is retried whose account must be connected again. Connecting it resumes the post at once.
pub(crate) const RECONNECT_RETRY: Duration = Duration::from_mins(15);

impl Exit {
    pub(crate) fn rate_limited(wait: Wait) -> Self {
        Self::RateLimited(Box::new(RateLimited { wait, described: None }))
    }

    /// Adds to [`Exit::RateLimited`] what the worker has learned about the post; other exits stay as they are.
    pub(crate) fn described(self, settings: Settings, facts: VideoFacts, bytes: u64) -> Self {
        match self {
            Self::RateLimited(limited) => {
                Self::RateLimited(Box::new(RateLimited { described: Some((settings, facts, bytes)), ..*limited }))
            }
            other => other,
        }
    }

    pub(crate) fn defer(reason: Reason, message: impl Into<String>, after: Duration) -> Self {
        Self::Defer { reason, message: message.into(), after }
    }

    /// The exit for a post that fails, with the advice that its reason always has.
    pub(crate) fn fail(reason: Reason, message: impl Into<String>) -> Self {
        Self::Fail(Failure::of(reason, message))
    }

    /// The exit for a problem that is not the post's fault: an outage, or a mistake of the operator. The post is
    /// deferred until the problem is fixed, and never fails.
    pub(crate) fn defer_until_fixed(disposition: Disposition, reason: Reason, message: impl Into<String>) -> Self {
        let after = match disposition {
            Disposition::Retry { after } | Disposition::Defer { after } => after,
            _ => OPERATOR_RETRY,
        };
        Self::defer(reason, message, after)
    }

    /// The exit for a post whose account must be connected again. Connecting the account resumes the post.
    pub(crate) fn needs_reconnect(why: &str) -> Self {
        let message =
            format!("TikTok no longer accepts the account's authorization ({why}): connect the account again");
        Self::defer(Reason::NeedsReconnect, message, RECONNECT_RETRY)
    }

    pub(crate) fn account_not_found(alias: &Alias) -> Self {
        if alias.is_valid() {
            return Self::fail(Reason::AccountNotFound, format!("no TikTok account is connected as \"{alias}\""));
        }
        let folder = single_line(alias.as_str(), MAX_QUOTED_CHARS);
        Self::fail(Reason::FolderInvalid, format!("\"{folder}\" is no valid alias, so no account has this folder"))
    }

    /// Adds to the message of [`Exit::Fail`] the aliases that may have been meant; other exits stay as they are.
    pub(crate) fn with_similar(self, aliases: &[&Alias]) -> Self {
        match self {
            Self::Fail(mut failure) if !aliases.is_empty() => {
                let names = aliases.iter().map(|alias| format!("\"{alias}\"")).collect::<Vec<_>>().join(", ");
                failure.message = format!("{}; a similar alias is {names}", failure.message);
                Self::Fail(failure)
            }
            other => other,
        }
    }
}

/// Tells whether TikTok, or a gateway in front of it, rejected a call because of too many calls per minute. TikTok's
/// other limits have codes of their own.
pub(crate) fn is_rate_limit(error: &tiktok::Error) -> bool {
    let reason = error.failure().reason;
    let other_limit = reason.is_platform_limit() && reason.code() != RATE_LIMIT_EXCEEDED;
    matches!(error.disposition(), Disposition::Defer { .. }) && !other_limit
}

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
        if is_rate_limit(&error) && failure.reason.code() != RATE_LIMIT_EXCEEDED {
            failure.message = format!("{} ({})", failure.message, failure.reason);
            failure.reason = Reason::parse(RATE_LIMIT_EXCEEDED);
        }
        match error.disposition() {
            Disposition::Retry { after } | Disposition::Defer { after } => {
                Self::defer(failure.reason, failure.message, after)
            }
            // The call may have taken effect. The next worker asks TikTok first.
            Disposition::Reconcile => Self::defer(failure.reason, failure.message, Duration::ZERO),
            Disposition::Refresh | Disposition::NeedsReconnect => Self::needs_reconnect(&failure.message),
            Disposition::NeedsUser | Disposition::GiveUp => Self::Fail(failure),
        }
    }
}

impl From<ObjectError> for Exit {
    fn from(error: ObjectError) -> Self {
        let reason = match error {
            ObjectError::Gone { .. } => Reason::SourceGone,
            ObjectError::Changed { .. } => Reason::SourceChanged,
            ObjectError::Archived { .. } => Reason::SourceArchived,
            ObjectError::Restoring { .. } => Reason::SourceRestoring,
            ObjectError::KeyDenied { .. } => Reason::SourceKeyDenied,
            ObjectError::KeyUnusable { .. } => Reason::SourceKeyUnusable,
            _ if error.is_denied() => Reason::SourceDenied,
            _ => Reason::SourceUnreadable,
        };
        match error.disposition() {
            Disposition::GiveUp => Self::fail(reason, error_chain(&error)),
            disposition => Self::defer_until_fixed(disposition, reason, error_chain(&error)),
        }
    }
}

impl From<CipherError> for Exit {
    fn from(error: CipherError) -> Self {
        Self::defer_until_fixed(error.disposition(), Reason::KeyUnusable, error_chain(&error))
    }
}

impl From<AppSecretError> for Exit {
    fn from(error: AppSecretError) -> Self {
        Self::defer_until_fixed(error.disposition(), Reason::AppSecretUnusable, error_chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use tiktok::{ApiError, Endpoint, ErrorKind, InvalidResponse};

    use super::*;

    fn reason_of(fault: ErrorKind) -> Reason {
        match Exit::from(tiktok::Error::new(Endpoint::DirectInit, fault)) {
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
    fn missing_account_is_named_with_similar_aliases() {
        let [ceo, anna] = ["ceo", "anna"].map(|text| Alias::new(text).unwrap());
        let message = |folder: &str, similar: &[&Alias]| match Exit::account_not_found(&Alias::of_folder(folder))
            .with_similar(similar)
        {
            Exit::Fail(failure) => (failure.reason, failure.message),
            other => panic!("{other:?}"),
        };
        let (reason, text) = message("anne", &[&anna]);
        assert_eq!((reason, text.contains("\"anne\"")), (Reason::AccountNotFound, true));
        assert!(text.ends_with("a similar alias is \"anna\""), "{text}");
        let (reason, text) = message("CEO\n", &[&ceo, &anna]);
        assert_eq!((reason, text.contains("\"CEO \" is no valid alias")), (Reason::FolderInvalid, true), "{text}");
        assert!(text.ends_with("\"ceo\", \"anna\""), "{text}");
        assert!(!message("zoe", &[]).1.contains("similar"));
    }

    #[test]
    fn every_http_429_is_the_rate_limit() {
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
    fn other_limits_keep_their_code_and_outages_are_no_limit() {
        assert_eq!(reason_of(refused(429, "spam_risk_too_many_posts")).code(), "spam_risk_too_many_posts");
        let outage = ErrorKind::InvalidResponse { http: 502, why: InvalidResponse::NotJson };
        assert!(!reason_of(outage).is_limit());
    }

    #[test]
    fn refused_object_has_reason_of_its_own() {
        let path = || "s3://b/drop/clip.mp4".to_owned();
        match Exit::from(ObjectError::Archived { path: path(), storage: Some("GLACIER".into()) }) {
            Exit::Fail(failure) => {
                assert_eq!(failure.reason, Reason::SourceArchived);
                assert!(failure.advice.contains("restore-object"), "{failure}");
            }
            other => panic!("{other:?}"),
        }
        match Exit::from(ObjectError::Restoring { path: path() }) {
            Exit::Defer { reason, after, .. } => {
                assert_eq!((reason, after), (Reason::SourceRestoring, Duration::from_mins(15)));
            }
            other => panic!("{other:?}"),
        }
    }
}
