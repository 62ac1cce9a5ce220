//! What tells a write from every other.
//!
//! This is the one place of this crate that makes something random: no decision
//! depends on which token it is, only on whether it is this write's own.

use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

/// The mark of one write.
#[derive(Debug)]
pub(super) struct WriteToken(String);

impl WriteToken {
    /// Makes a token that no other write has.
    pub(super) fn unique() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The token as it is stored.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether the item with this token was made by this write.
    pub(super) fn made(&self, stored: Option<&AttributeValue>) -> bool {
        matches!(stored, Some(AttributeValue::S(token)) if *token == self.0)
    }
}
