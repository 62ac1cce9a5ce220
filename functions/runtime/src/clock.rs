//! The wall clock: the one place that reads it.

use jiff::Timestamp;

/// The time now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that the rule names")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
