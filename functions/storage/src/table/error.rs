//! The errors of reading and writing items.

use std::time::Duration;

use domain::failure::Disposition;

use crate::aws::{AwsError, RETRY_DELAY};

/// An item that cannot be converted to or from its value, such as a post: its attributes are not those that this
/// version of the crate writes.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A required attribute is missing.
    #[error("attribute {name} is missing")]
    Missing {
        /// The attribute.
        name: &'static str,
    },
    /// An attribute has an invalid value.
    #[error("attribute {name} is invalid: {why}")]
    Invalid {
        /// The attribute.
        name: &'static str,
        /// Why the value is invalid.
        why: String,
    },
    /// The attributes cannot be converted to or from the value.
    #[error("the attributes do not have the expected form")]
    Form(#[source] serde_dynamo::Error),
}

impl RecordError {
    pub(crate) fn invalid(name: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self::Invalid { name, why: why.to_string() }
    }
}

/// A table or an item that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The call to DynamoDB failed. If the disposition is to retry, a write may have taken effect. A retry is
    /// harmless, because every write is conditional.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An item cannot be converted to or from its attributes.
    #[error("item {key} of table {table} is invalid: correct or delete it in the DynamoDB console")]
    Record {
        /// The table.
        table: String,
        /// The item's key.
        key: String,
        /// What is invalid.
        #[source]
        source: RecordError,
    },
    /// A write failed because the item existed, and then the item was deleted before it could be read.
    #[error("item {key} of table {table} was deleted during a write")]
    Deleted {
        /// The table.
        table: String,
        /// The item's key.
        key: String,
    },
}

impl StoreError {
    /// What the caller may do after the failure.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Aws(error) => error.disposition(),
            Self::Deleted { .. } => Disposition::Retry { after: RETRY_DELAY },
            Self::Record { .. } => Disposition::GiveUp,
        }
    }
}

/// A changed value that was not stored.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Another writer changed the item after it was read, so this write was not stored. One exception: its
    /// response was lost, and the other writer replaced what it had stored (`Table::put`). The caller must read the
    /// item again and decide again, or stop. The same content with a newer revision would undo the other change.
    #[error("another writer changed the item after it was read")]
    Conflict,
    /// The item could not be written.
    #[error("the item could not be stored")]
    Store(#[from] StoreError),
}

impl SaveError {
    /// What the caller may do after the failure. After a conflict, a retry begins with a new read.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Conflict => Disposition::Retry { after: Duration::ZERO },
            Self::Store(error) => error.disposition(),
        }
    }
}
