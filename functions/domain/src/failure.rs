//! What went wrong, and what is to be done about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What to do about a call that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It did not take effect, or repeating it is harmless: the same again,
    /// not before this long.
    Retry {
        /// The least wait.
        after: Duration,
    },
    /// A limit was met: the same again when there is room, however long that
    /// takes. A limit never fails a post.
    Defer {
        /// The least wait.
        after: Duration,
    },
    /// The access token was refused: refresh it once and repeat that one call.
    Refresh,
    /// It may have happened: ask before acting.
    Reconcile,
    /// Only a person can go on; until then the post has failed, and says what to do.
    NeedsUser,
    /// The account's consent is gone; its posts wait until it is connected again.
    NeedsReconnect,
    /// It will not succeed as it is.
    GiveUp,
}

/// Why a post failed: what happened, TikTok's words for it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for programs: TikTok's code where TikTok refused.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// TikTok's own id of the answer, for its support.
    pub log_id: Option<String>,
    /// What the user can do.
    pub advice: String,
}

impl Failure {
    /// States a failure that TikTok had no part in.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), log_id: None, advice: advice.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}", self.message, self.code)?;
        if let Some(log_id) = &self.log_id {
            write!(f, ", log id {log_id}")?;
        }
        write!(f, "). {}", self.advice)
    }
}

/// Why a post waits, and how long it has been waiting for this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferral {
    /// A stable word for programs: TikTok's code, or ours.
    pub code: String,
    /// What it waits for, for people.
    pub message: String,
    /// How many times in a row work on it ended so.
    pub count: u32,
}

/// The wait before try `count` (from 1): doubling, from two seconds to five minutes.
///
/// The two ends are those that tiktok-api's error pages advise for 5xx answers.
#[must_use]
pub fn backoff(count: u32) -> Duration {
    Duration::from_secs(2u64.saturating_pow(count.clamp(1, 9)).min(300))
}

/// Words from outside, in one line and at most so many characters: whoever wrote
/// them, they go into logs, items and messages.
#[must_use]
pub fn single_line(words: &str, most: usize) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

/// An error and its causes, in one line.
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_is_bounded() {
        let waits: Vec<_> = [0, 1, 2, 3, 8, 9, u32::MAX].iter().map(|&n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [2, 2, 4, 8, 256, 300, 300]);
    }

    #[test]
    fn words_from_outside_are_one_line_and_cut_between_characters() {
        assert_eq!(single_line("a\nb\u{7f}ü👍c", 6), "a b ü👍");
    }

    #[test]
    fn a_failure_reads_as_what_why_and_what_to_do() {
        let mut failure = Failure::new("spam_risk_text", "TikTok judged the caption to be spam", "Change the title.");
        failure.log_id = Some("2026A".into());
        assert_eq!(
            failure.to_string(),
            "TikTok judged the caption to be spam (spam_risk_text, log id 2026A). Change the title."
        );
    }
}
