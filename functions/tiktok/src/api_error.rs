//! A refusal in TikTok's own words.

use std::fmt;

use domain::failure::{Failure, single_line};

use crate::reaction;

/// How much of TikTok's message is kept, in characters.
const LONGEST_MESSAGE: usize = 500;
/// How much of a code or log id is kept, in characters.
const LONGEST_WORD: usize = 128;

/// What TikTok answered instead of doing what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The answer's HTTP status. It may be 200.
    pub http: u16,
    /// TikTok's word for why; empty where it gave none.
    pub code: String,
    /// TikTok's sentence for why; may be empty.
    pub message: String,
    /// TikTok's own id of the answer, for its support.
    pub log_id: Option<String>,
}

impl ApiError {
    /// States what is wrong, for people and programs, and what to do about it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let known = reaction::find(&self.code);
        let meaning = known.map_or_else(|| reaction::meaning_of_status(self.http), |row| row.meaning);
        let message = match self.message.as_str() {
            "" => meaning.to_owned(),
            words => format!("{meaning}; TikTok says: {words}"),
        };
        let code = if self.code.is_empty() { format!("http_{}", self.http) } else { self.code.clone() };
        let advice = known.map_or_else(|| reaction::advice_of_status(self.http), |row| row.advice);
        Failure { code, message, log_id: self.log_id.clone(), advice: advice.to_owned() }
    }

    /// Takes TikTok's words, bounded and in one line, without any of these
    /// secrets: an answer may quote what it was sent.
    pub(crate) fn sanitized(mut self, secrets: &[&str]) -> Self {
        let tame = |text: &str, longest: usize| -> String {
            let open = secrets.iter().filter(|secret| !secret.is_empty());
            let hidden = open.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"));
            single_line(&hidden, longest)
        };
        self.code = tame(&self.code, LONGEST_WORD);
        self.message = tame(&self.message, LONGEST_MESSAGE);
        self.log_id = self.log_id.map(|id| tame(&id, LONGEST_WORD));
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = if self.code.is_empty() { "no code" } else { &self.code };
        write!(f, "HTTP {}, {code}", self.http)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match &self.log_id {
            Some(log_id) => write!(f, " (log id {log_id})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, message: &str) -> ApiError {
        ApiError { http: 403, code: code.into(), message: message.into(), log_id: Some("2026A".into()) }
    }

    #[test]
    fn a_known_code_is_explained_and_tiktoks_own_words_are_kept() {
        let failure = refusal("privacy_level_option_mismatch", "see the guidelines").failure();
        assert_eq!(failure.code, "privacy_level_option_mismatch");
        assert!(failure.message.ends_with("; TikTok says: see the guidelines"), "{failure}");
        assert_eq!(failure.log_id.as_deref(), Some("2026A"));
        assert!(!failure.advice.is_empty());
    }

    #[test]
    fn an_answer_without_a_code_is_known_by_its_status() {
        let failure = refusal("", "").failure();
        assert_eq!(failure.code, "http_403");
        assert!(!failure.message.is_empty() && !failure.message.contains("TikTok says"));
    }

    #[test]
    fn secrets_and_line_breaks_in_tiktoks_words_do_not_pass() {
        let heard = refusal("x", "token access-1\nis bad").sanitized(&["access-1", ""]);
        assert_eq!(heard.message, "token [redacted] is bad");
        assert_eq!(refusal("x", &"ü".repeat(900)).sanitized(&[]).message.chars().count(), LONGEST_MESSAGE);
    }

    #[test]
    fn it_reads_as_one_line() {
        assert_eq!(refusal("spam_risk", "no").to_string(), "HTTP 403, spam_risk: no (log id 2026A)");
    }
}
