//! What is said to people: in one line, not too long, without a secret.

use std::error::Error;

use domain::failure::{Failure, error_chain};

/// The most characters of anything that is said: a log line and a post's item
/// have room for it many times over.
const LONGEST: usize = 2000;

/// Holds an error to what people can read.
pub(crate) fn hold_error(error: &dyn Error) {
    hold(&error_chain(error));
}

/// Holds a failure, which is kept with its post, to the same.
pub(crate) fn hold_failure(failure: &Failure) {
    assert!(!failure.code.is_empty() && !failure.advice.is_empty(), "{failure:?}");
    hold(&failure.to_string());
    hold(&failure.code);
}

/// Holds a text that comes from outside to the same.
pub(crate) fn hold(text: &str) {
    let length = text.chars().count();
    assert!(length <= LONGEST, "{length} characters: {}", text.chars().take(100).collect::<String>());
    assert!(!text.chars().any(char::is_control), "it is not one line: {text:?}");
}

/// Holds what is shown of something to the secrets that went into it.
pub(crate) fn hold_secrets(shown: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret:?} is shown: {shown}");
    }
}
