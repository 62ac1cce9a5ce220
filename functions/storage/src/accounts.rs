//! The accounts: TikTok users who consented, with their tokens sealed.
//!
//! The same rules as for posts: a write is conditional on what was read. That is
//! what makes the lock around a token's refresh one (`domain::account::RefreshLock`).

mod record;
mod renewal;

use aws_sdk_dynamodb::Client;
use domain::account::Account;
use domain::identity::Alias;
use jiff::Timestamp;

use crate::kept::{Kept, Revision};
use crate::table::{Condition, Item, Put, RecordError, SaveError, StoreError, Table, revision_of};

/// The accounts table.
#[derive(Debug, Clone)]
pub struct Accounts {
    table: Table,
}

impl Accounts {
    /// Takes the table by its name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Reads an account as the last write left it.
    pub async fn get(&self, alias: &Alias) -> Result<Option<Kept<Account>>, StoreError> {
        let item = self.table.get(alias.as_str()).await?;
        item.map(|item| self.kept(alias, &item)).transpose()
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`SaveError::Overtaken`] where the alias is taken: nothing was stored.
    pub async fn create(&self, account: Account, now: Timestamp) -> Result<Kept<Account>, SaveError> {
        self.put(Condition::Absent, account, now).await
    }

    /// Stores a changed account, unless somebody wrote since it was read.
    ///
    /// # Errors
    /// [`SaveError::Overtaken`] where somebody did: nothing was stored. With
    /// [`StoreError::Unavailable`] it may have been stored, or not.
    pub async fn save(
        &self,
        was: impl Into<Revision>,
        account: Account,
        now: Timestamp,
    ) -> Result<Kept<Account>, SaveError> {
        self.put(Condition::At(was.into()), account, now).await
    }

    /// Finds connected accounts whose tokens are to be exchanged by now although
    /// nobody needs them, the longest due first, a hundred at most. The index may
    /// lag behind: whoever exchanges reads the account first.
    pub async fn due_for_renewal(&self, now: Timestamp) -> Result<Vec<Alias>, StoreError> {
        renewal::due(&self.table, now).await
    }

    async fn put(&self, condition: Condition, account: Account, now: Timestamp) -> Result<Kept<Account>, SaveError> {
        let item = record::item_of(&account, now).map_err(|error| self.unusable(&account.alias, error))?;
        match self.table.put(item, condition).await? {
            Put::Done(revision) => Ok(Kept::new(account, revision)),
            Put::Refused(_) => Err(SaveError::Overtaken),
        }
    }

    fn kept(&self, alias: &Alias, item: &Item) -> Result<Kept<Account>, StoreError> {
        let read = || Ok(Kept::new(record::account_of(item)?, revision_of(item)?));
        read().map_err(|error| self.unusable(alias, error))
    }

    fn unusable(&self, alias: &Alias, error: RecordError) -> StoreError {
        StoreError::record(self.table.name(), alias.as_str(), error)
    }
}
