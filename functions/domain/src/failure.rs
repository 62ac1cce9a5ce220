//! Failures, deferrals and rejections: what went wrong, and what to do about it.

use std::fmt;
use std::time::Duration;

use crate::reason::Reason;

/// What to do about a call that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Retry: the call had no effect, or repeating it is harmless.
    Retry {
        /// The minimum wait before the retry.
        after: Duration,
    },
    /// Retry when a limit allows it, however long that takes. A limit never fails a post.
    Defer {
        /// The minimum wait before the retry.
        after: Duration,
    },
    /// Refresh the access token, which was refused, and repeat this one call once.
    Refresh,
    /// Ask TikTok what happened before doing anything: the call may have taken effect, and a retry could post twice.
    Reconcile,
    /// Fail the post with advice: only a person can make it succeed.
    NeedsUser,
    /// Let the account's posts wait until the account is connected again: its authorization is lost.
    NeedsReconnect,
    /// Fail the post: the same request will not succeed.
    GiveUp,
}

/// Why a post failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable reason.
    pub reason: Reason,
    /// What happened, for people.
    pub message: String,
    /// TikTok's log id of its response, which TikTok's support asks for.
    pub log_id: Option<String>,
    /// What the user or the operator can do; empty if there is nothing.
    pub advice: String,
}

impl Disposition {
    /// Returns the disposition with a wait of at least `wait`, if it has a wait.
    #[must_use]
    pub fn at_least(self, wait: Option<Duration>) -> Self {
        let longer = |after: Duration| wait.map_or(after, |wait| wait.max(after));
        match self {
            Self::Retry { after } => Self::Retry { after: longer(after) },
            Self::Defer { after } => Self::Defer { after: longer(after) },
            other => other,
        }
    }
}

impl Failure {
    /// Creates a failure without a log id.
    pub fn new(reason: Reason, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { reason, message: message.into(), log_id: None, advice: advice.into() }
    }

    /// Creates a failure with the advice that its reason always has.
    pub fn of(reason: Reason, message: impl Into<String>) -> Self {
        let advice = reason.advice();
        Self::new(reason, message, advice)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, &self.message, self.reason.code(), self.log_id.as_deref(), &self.advice)
    }
}

/// Why a queued post is not worked on yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferral {
    /// The stable reason.
    pub reason: Reason,
    /// What the post waits for, for people.
    pub message: String,
    /// How many times in a row the post was deferred for this reason, from 1.
    pub count: u32,
}

/// Why the API rejected a request. Its codes concern requests, not posts, so they are no [`Reason`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The stable code.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// TikTok's log id of its response, if TikTok was called.
    pub log_id: Option<String>,
    /// What the caller can do; empty if there is nothing.
    pub advice: String,
}

impl Rejection {
    /// Creates a rejection without a log id.
    pub fn new(code: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), log_id: None, advice: advice.into() }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, &self.message, &self.code, self.log_id.as_deref(), &self.advice)
    }
}

fn sentence(f: &mut fmt::Formatter<'_>, message: &str, code: &str, log_id: Option<&str>, advice: &str) -> fmt::Result {
    write!(f, "{message} ({code}")?;
    if let Some(log_id) = log_id {
        write!(f, ", log id {log_id}")?;
    }
    write!(f, "). {advice}")
}

/// The wait before attempt `count`, counted from 1. It doubles from 2 seconds to 5 minutes.
///
/// TikTok's error pages advise these two values for 5xx responses.
pub fn backoff(count: u32) -> Duration {
    Duration::from_secs(2u64.saturating_pow(count.clamp(1, 9)).min(300))
}

/// Makes text from outside safe for logs, table items and messages: one line of at most `max_chars` characters.
///
/// Control characters become spaces.
pub fn single_line(text: &str, max_chars: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max_chars).collect()
}

/// An error and its causes, in one line, separated by colons.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_five_minutes() {
        let waits: Vec<_> = [0, 1, 2, 3, 8, 9, u32::MAX].iter().map(|&n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [2, 2, 4, 8, 256, 300, 300]);
    }

    #[test]
    fn single_line_replaces_controls_and_cuts_between_characters() {
        assert_eq!(single_line("a\nb\u{7f}ü👍c", 6), "a b ü👍");
    }

    #[test]
    fn failure_displays_message_reason_log_id_and_advice() {
        let reason = Reason::parse("spam_risk_text");
        let mut failure = Failure::new(reason, "TikTok judged the caption to be spam", "Change the title.");
        failure.log_id = Some("2026A".into());
        assert_eq!(
            failure.to_string(),
            "TikTok judged the caption to be spam (spam_risk_text, log id 2026A). Change the title."
        );
    }
}
