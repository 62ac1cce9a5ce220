//! Why something could not be kept, or what is kept could not be read.

use domain::failure::Disposition;

use crate::aws::{AFTER_OUTAGE, AwsError, Kind};

/// An item that is not what this version of the crate writes.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An attribute that must be there is not.
    #[error("it has no attribute {name}")]
    Missing {
        /// The attribute.
        name: &'static str,
    },
    /// An attribute's value cannot be.
    #[error("its attribute {name} is wrong: {why}")]
    Invalid {
        /// The attribute.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The attributes do not have the form that they should.
    #[error("its attributes have another form than expected")]
    Form(#[source] serde_dynamo::Error),
}

impl RecordError {
    pub(crate) fn invalid(name: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self::Invalid { name, why: why.to_string() }
    }
}

/// A table that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB is throttling, down, or did not answer. A write may have been
    /// made; as it is conditional, repeating it does no harm.
    #[error("table {table} cannot be reached now")]
    Unavailable {
        /// The table.
        table: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// The function's role is not enough.
    #[error("table {table} is closed to this function: grant its role {permission} on the table")]
    Denied {
        /// The table.
        table: String,
        /// What is missing.
        permission: &'static str,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// There is no such table, or no such index.
    #[error("there is no table {table} with the index that is needed: deploy the stack, or correct the table's name")]
    NoTable {
        /// The table.
        table: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// DynamoDB does not take the call as it is: too large an item, say.
    #[error("table {table} refused the call")]
    Refused {
        /// The table.
        table: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// An item does not hold together.
    #[error("item {key} of table {table} cannot be used: mend it in the console, or delete it")]
    Record {
        /// The table.
        table: String,
        /// The item's key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// Somebody deleted the item while it was being written.
    #[error("item {key} of table {table} was deleted while it was being written")]
    Deleted {
        /// The table.
        table: String,
        /// The item's key.
        key: String,
    },
}

impl StoreError {
    pub(crate) fn of(table: &str, permission: &'static str, source: AwsError) -> Self {
        let table = table.to_owned();
        match source.kind() {
            Kind::Unavailable => Self::Unavailable { table, source },
            Kind::Denied => Self::Denied { table, permission, source },
            Kind::Missing => Self::NoTable { table, source },
            Kind::Condition | Kind::Refused => Self::Refused { table, source },
        }
    }

    pub(crate) fn record(table: &str, key: &str, source: RecordError) -> Self {
        Self::Record { table: table.to_owned(), key: key.to_owned(), source }
    }

    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } | Self::Deleted { .. } => Disposition::Retry { after: AFTER_OUTAGE },
            Self::Denied { .. } | Self::NoTable { .. } => Disposition::NeedsUser,
            Self::Refused { .. } | Self::Record { .. } => Disposition::GiveUp,
        }
    }
}

/// Why a changed value was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Somebody wrote since it was read: what was decided on it is void. Read
    /// it again and decide again, or stop.
    #[error("somebody has written it since it was read")]
    Conflict,
    /// The table could not be written.
    #[error("it could not be stored")]
    Store(#[from] StoreError),
}

impl SaveError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Conflict => Disposition::Retry { after: std::time::Duration::ZERO },
            Self::Store(error) => error.disposition(),
        }
    }
}
