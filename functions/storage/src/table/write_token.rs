//! The random token that identifies one write of an item. `table.rs` explains its use.
//!
//! This is the only randomness in this crate, and the only one outside of the crate
//! `runtime`. No decision depends on the token's value, only on whether a stored token equals it.

use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

/// The token of one write.
#[derive(Debug)]
pub(super) struct WriteToken(String);

impl WriteToken {
    /// Makes a new token.
    pub(super) fn unique() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The token as it is stored.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a stored attribute is this token.
    pub(super) fn matches(&self, stored: Option<&AttributeValue>) -> bool {
        matches!(stored, Some(AttributeValue::S(token)) if *token == self.0)
    }
}
