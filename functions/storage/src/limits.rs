//! The budgets: one item for each book, so that accounts never share one, and
//! calls of different kinds do not either.
//!
//! The app's one book is read by every upload and hardly ever written, so it
//! needs no partition of its own. Nothing here has to be kept for long: an item
//! that nobody writes goes after two days, by the table's time to live.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>

mod record;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::Alias;
use domain::options::Mode;
use domain::rate_limit::CallKind;
use jiff::Timestamp;

pub use record::Counter;

use crate::table::{Condition, Put, SaveError, StoreError, Table, revision_of};

/// How long an item stays after its last write: longer than anything in it counts.
const KEPT: Duration = Duration::from_hours(48);
/// The attribute of the table's time to live, in seconds since 1970.
const EXPIRES_AT: &str = "expires_at";

/// Which book is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitKey(String);

impl LimitKey {
    /// An account's calls of a kind.
    #[must_use]
    pub fn calls(account: &Alias, kind: CallKind) -> Self {
        Self(format!("{account}#{}", kind.as_str()))
    }

    /// An account's turns in a mode.
    #[must_use]
    pub fn turns(account: &Alias, mode: Mode) -> Self {
        let mode = match mode {
            Mode::Direct => "direct",
            Mode::Draft => "draft",
        };
        Self(format!("{account}#{mode}"))
    }

    /// The app's posting users. No account's alias is empty.
    #[must_use]
    pub fn users() -> Self {
        Self("#users".to_owned())
    }
}

/// A book as it was read; an empty one, where there was none.
#[derive(Debug, Clone)]
pub struct StoredCounter<B> {
    /// What it says.
    pub book: B,
    key: LimitKey,
    condition: Condition,
}

/// The budgets table.
#[derive(Debug, Clone)]
pub struct Limits {
    table: Table,
}

impl Limits {
    /// Takes the table by its name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Reads a book as the last write left it.
    pub async fn open<B: Counter>(&self, key: LimitKey) -> Result<StoredCounter<B>, StoreError> {
        let Some(item) = self.table.get(&key.0).await? else {
            return Ok(StoredCounter { book: B::default(), key, condition: Condition::Absent });
        };
        let read = || Ok((B::of_item(&item)?, Condition::At(revision_of(&item)?)));
        let (book, condition) = read().map_err(|error| StoreError::record(self.table.name(), &key.0, error))?;
        Ok(StoredCounter { book, key, condition })
    }

    /// Writes a book, unless somebody did since it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] where somebody did: nothing was stored. With
    /// [`StoreError::Unavailable`] it may have been stored, or not.
    pub async fn write<B: Counter>(&self, was: StoredCounter<B>, book: &B, now: Timestamp) -> Result<(), SaveError> {
        let StoredCounter { key, condition, .. } = was;
        let mut item = book.item().map_err(|error| StoreError::record(self.table.name(), &key.0, error))?;
        let expires_at = (now + KEPT).as_second().to_string();
        item.insert(record::KEY.to_owned(), AttributeValue::S(key.0));
        item.insert(EXPIRES_AT.to_owned(), AttributeValue::N(expires_at));
        match self.table.put(item, condition).await? {
            Put::Done(_) => Ok(()),
            Put::Refused(_) => Err(SaveError::Conflict),
        }
    }
}

#[cfg(test)]
mod tests;
