//! Checks of texts that people read, for all targets: one line, limited in length,
//! without a secret.

use std::error::Error;

use domain::failure::{Failure, error_chain};

/// The maximum number of characters of a text. It is a choice: a log line and a
/// post's item in DynamoDB could hold many times as much.
const MAX_CHARS: usize = 2000;

/// Checks an error with its sources.
pub(crate) fn check_error(error: &dyn Error) {
    check_text(&error_chain(error));
}

/// Checks a failure, which is stored with its post.
pub(crate) fn check_failure(failure: &Failure) {
    assert!(!failure.reason.code().is_empty() && !failure.advice.is_empty(), "{failure:?}");
    check_text(&failure.to_string());
    check_text(failure.reason.code());
}

/// Checks a text that may contain external input.
pub(crate) fn check_text(text: &str) {
    let length = text.chars().count();
    assert!(length <= MAX_CHARS, "{length} characters: {}", text.chars().take(100).collect::<String>());
    assert!(!text.chars().any(char::is_control), "control character, or more than one line: {text:?}");
}

/// Checks that a displayed text contains none of the secrets.
pub(crate) fn check_no_secret(displayed: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!displayed.contains(secret), "the secret {secret:?} is displayed: {displayed}");
    }
}
