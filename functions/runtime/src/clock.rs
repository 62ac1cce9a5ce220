//! The wall clock. Only this module reads it.

use jiff::Timestamp;

/// The current time.
#[expect(clippy::disallowed_methods, reason = "the only place that may call it")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
