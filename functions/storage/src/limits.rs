//! The limits table: the counters of TikTok's rate limits and quotas, which `domain::rate_limit` defines.
//!
//! Each account has one item per kind of call and per mode, so that accounts do not wait for each other's writes. The
//! counter of the app's posting users is a single item for all accounts: every upload reads it, but few write it.
//! The item `#bucket_check` of this table is no counter ([`BucketChecks`](crate::BucketChecks)).
//! Counters expire: DynamoDB removes an item that was not written for two days.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>

mod counter;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::Alias;
use domain::options::Mode;
use domain::rate_limit::CallKind;
use jiff::Timestamp;

pub use counter::Counter;
pub(crate) use counter::KEY;

use crate::table::{Condition, Put, SaveError, StoreError, Table, revision_of};

/// How long an item is kept after its last write. It must be longer than the longest window of any counter, which is
/// one day: a removed item counts as empty, and TikTok's limit would be exceeded.
const RETENTION: Duration = Duration::from_hours(48);
/// The table's time-to-live attribute, in seconds since 1970.
const EXPIRES_AT: &str = "expires_at";

/// The key of one counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitKey(String);

impl LimitKey {
    /// The counter of an account's calls of one kind.
    pub fn calls(account: &Alias, kind: CallKind) -> Self {
        Self(format!("{account}#{}", kind.as_str()))
    }

    /// An account's upload quota in one mode. No [`CallKind`] has the name of a mode, so the keys are distinct.
    pub fn upload_quota(account: &Alias, mode: Mode) -> Self {
        let mode = match mode {
            Mode::Direct => "direct",
            Mode::Draft => "draft",
        };
        Self(format!("{account}#{mode}"))
    }

    /// The users for which the app has posted. The key is unique, because no account's alias is empty.
    pub fn posting_users() -> Self {
        Self("#users".to_owned())
    }
}

/// A counter as it was read, with the condition for the next write. If there is no item, its value is the default.
#[derive(Debug, Clone)]
pub struct StoredCounter<C> {
    /// The counter.
    pub value: C,
    key: LimitKey,
    condition: Condition,
}

/// The limits table.
#[derive(Debug, Clone)]
pub struct Limits {
    table: Table,
}

impl Limits {
    /// Uses the table with this name.
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), counter::KEY) }
    }

    /// Reads a counter with a consistent read.
    pub async fn get<C: Counter>(&self, key: LimitKey) -> Result<StoredCounter<C>, StoreError> {
        let Some(item) = self.table.get(&key.0).await? else {
            return Ok(StoredCounter { value: C::default(), key, condition: Condition::Absent });
        };
        let read = || Ok((C::from_item(&item)?, Condition::At(revision_of(&item)?)));
        let (value, condition) = read().map_err(|error| self.table.invalid(&key.0, error))?;
        Ok(StoredCounter { value, key, condition })
    }

    /// Stores a changed counter, unless another writer changed it after it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if another writer did. After any other error with disposition `Retry`, the counter may
    /// have been stored.
    pub async fn save<C: Counter>(&self, read: StoredCounter<C>, value: &C, now: Timestamp) -> Result<(), SaveError> {
        let StoredCounter { key, condition, .. } = read;
        let mut item = value.to_item().map_err(|error| self.table.invalid(&key.0, error))?;
        let expires_at = (now + RETENTION).as_second().to_string();
        item.insert(counter::KEY.to_owned(), AttributeValue::S(key.0));
        item.insert(EXPIRES_AT.to_owned(), AttributeValue::N(expires_at));
        match self.table.put(item, condition).await? {
            Put::Written(_) => Ok(()),
            Put::ConditionFailed(_) => Err(SaveError::Conflict),
        }
    }
}

#[cfg(test)]
mod tests;
