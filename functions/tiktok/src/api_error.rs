//! An error response of TikTok's, from the v2 API or from OAuth, with TikTok's own code and message.

use std::fmt;

use domain::failure::{Failure, single_line};
use domain::reason::Reason;

use crate::error_codes;

/// The longest message that [`ApiError::sanitized`] keeps, in characters.
const MAX_MESSAGE: usize = 500;
/// The longest code or log id that it keeps, in characters.
const MAX_CODE: usize = 128;

/// An error response of TikTok's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The response's HTTP status. It may be 200.
    pub http: u16,
    /// TikTok's error code; empty if the response has none.
    pub code: String,
    /// TikTok's message; may be empty.
    pub message: String,
    /// TikTok's id of the response, for its support.
    pub log_id: Option<String>,
}

impl ApiError {
    /// Returns an error of the v2 API as a failure, with meaning and advice from [`error_codes`]. For an error of
    /// OAuth, see `oauth::error_codes::failure`.
    pub fn failure(&self) -> Failure {
        let known = error_codes::find(&self.code).map(|row| (row.meaning, row.advice));
        let (meaning, advice) = known.unwrap_or_else(|| error_codes::text_of_status(self.http));
        self.failure_with(meaning, advice)
    }

    /// Returns the error as a failure with this meaning and advice. TikTok's own message is appended to the meaning.
    pub(crate) fn failure_with(&self, meaning: &str, advice: &str) -> Failure {
        let message = match self.message.as_str() {
            "" => meaning.to_owned(),
            message => format!("{meaning}; TikTok says: {message}"),
        };
        let code = if self.code.is_empty() { format!("http_{}", self.http) } else { self.code.clone() };
        Failure { reason: Reason::parse(&code), message, log_id: self.log_id.clone(), advice: advice.to_owned() }
    }

    /// Bounds TikTok's texts, makes each a single line, and removes these secrets: a response may quote its request.
    pub(crate) fn sanitized(mut self, secrets: &[&str]) -> Self {
        let sanitize = |text: &str, max: usize| -> String {
            let secrets = secrets.iter().filter(|secret| !secret.is_empty());
            let redacted = secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"));
            single_line(&redacted, max)
        };
        self.code = sanitize(&self.code, MAX_CODE);
        self.message = sanitize(&self.message, MAX_MESSAGE);
        self.log_id = self.log_id.map(|id| sanitize(&id, MAX_CODE));
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

    fn api_error(code: &str, message: &str) -> ApiError {
        ApiError { http: 403, code: code.into(), message: message.into(), log_id: Some("2026A".into()) }
    }

    #[test]
    fn known_code_is_explained_and_keeps_tiktoks_message() {
        let failure = api_error("privacy_level_option_mismatch", "see the guidelines").failure();
        assert_eq!(failure.reason.code(), "privacy_level_option_mismatch");
        assert!(failure.message.ends_with("; TikTok says: see the guidelines"), "{failure}");
        assert_eq!(failure.log_id.as_deref(), Some("2026A"));
        assert!(!failure.advice.is_empty());
    }

    #[test]
    fn error_without_code_is_named_by_its_status() {
        let failure = api_error("", "").failure();
        assert_eq!(failure.reason.code(), "http_403");
        assert!(!failure.message.is_empty() && !failure.message.contains("TikTok says"));
    }

    #[test]
    fn sanitizing_removes_secrets_and_line_breaks_and_truncates() {
        let sanitized = api_error("x", "token access-1\nis bad").sanitized(&["access-1", ""]);
        assert_eq!(sanitized.message, "token [redacted] is bad");
        assert_eq!(api_error("x", &"ü".repeat(900)).sanitized(&[]).message.chars().count(), MAX_MESSAGE);
    }

    #[test]
    fn display_is_one_line() {
        assert_eq!(api_error("spam_risk", "no").to_string(), "HTTP 403, spam_risk: no (log id 2026A)");
    }
}
