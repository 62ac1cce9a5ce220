//! The accounts: TikTok users who authorized, with their tokens sealed.
//!
//! The same rules as for posts: a write is conditional on what was read. That is
//! what makes the lock around a token's refresh one (`domain::account::RefreshLock`).

mod lookup;
mod record;
mod renewal;

use aws_sdk_dynamodb::Client;
use domain::account::Account;
use domain::identity::{Alias, OpenId};
use jiff::Timestamp;

use crate::table::{Condition, Item, Put, RecordError, SaveError, StoreError, Table, revision_of};
use crate::versioned::{Revision, Versioned};

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
    pub async fn get(&self, alias: &Alias) -> Result<Option<Versioned<Account>>, StoreError> {
        let item = self.table.get(alias.as_str()).await?;
        item.map(|item| self.kept(alias, &item)).transpose()
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] where the alias is taken: nothing was stored.
    pub async fn create(&self, account: Account, now: Timestamp) -> Result<Versioned<Account>, SaveError> {
        self.put(Condition::Absent, account, now).await
    }

    /// Stores a changed account, unless somebody wrote since it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] where somebody did: nothing was stored. With
    /// [`StoreError::Unavailable`] it may have been stored, or not.
    pub async fn save(
        &self,
        was: impl Into<Revision>,
        account: Account,
        now: Timestamp,
    ) -> Result<Versioned<Account>, SaveError> {
        self.put(Condition::At(was.into()), account, now).await
    }

    /// Reads every account, by alias.
    pub async fn list(&self) -> Result<Vec<Versioned<Account>>, StoreError> {
        let mut accounts = Vec::new();
        for item in lookup::all(&self.table).await? {
            accounts.push(self.kept(&lookup::alias_of(&self.table, &item)?, &item)?);
        }
        accounts.sort_by(|a, b| a.alias.cmp(&b.alias));
        Ok(accounts)
    }

    /// Finds the aliases under which a user is known. What was written a moment
    /// ago may be missing.
    pub async fn aliases_of(&self, user: &OpenId) -> Result<Vec<Alias>, StoreError> {
        lookup::aliases_of(&self.table, user).await
    }

    /// Finds connected accounts whose tokens are to be exchanged by now although
    /// nobody needs them, the longest due first, a hundred at most. The index may
    /// lag behind: whoever exchanges reads the account first.
    pub async fn due_for_renewal(&self, now: Timestamp) -> Result<Vec<Alias>, StoreError> {
        renewal::due(&self.table, now).await
    }

    async fn put(
        &self,
        condition: Condition,
        account: Account,
        now: Timestamp,
    ) -> Result<Versioned<Account>, SaveError> {
        let item = record::item_of(&account, now).map_err(|error| self.unusable(&account.alias, error))?;
        match self.table.put(item, condition).await? {
            Put::Done(revision) => Ok(Versioned::new(account, revision)),
            Put::Refused(_) => Err(SaveError::Conflict),
        }
    }

    fn kept(&self, alias: &Alias, item: &Item) -> Result<Versioned<Account>, StoreError> {
        let read = || Ok(Versioned::new(record::account_of(item)?, revision_of(item)?));
        read().map_err(|error| self.unusable(alias, error))
    }

    fn unusable(&self, alias: &Alias, error: RecordError) -> StoreError {
        StoreError::record(self.table.name(), alias.as_str(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::{Answer, ScriptedServer, say};
    use serde_json::json;

    #[tokio::test]
    async fn a_user_is_looked_for_in_the_index_by_user() {
        let found = json!({ "Items": [{ "alias": { "S": "anna" }, "open_id": { "S": "open-1" } }] });
        let server = ScriptedServer::start([say(Answer::new(200, found.to_string()))]).await;
        let accounts = Accounts::new(server.dynamodb(), "accounts");
        let aliases = accounts.aliases_of(&OpenId::new("open-1").unwrap()).await.unwrap();
        assert_eq!(aliases, [Alias::new("anna").unwrap()]);
        let asked = server.requests()[0].json();
        assert_eq!(asked["IndexName"], "open_id");
        assert_eq!(asked["ExpressionAttributeValues"], json!({ ":user": { "S": "open-1" } }));
    }

    #[tokio::test]
    async fn the_table_is_listed_to_its_end_and_a_broken_item_is_named() {
        let first = json!({ "Items": [], "LastEvaluatedKey": { "alias": { "S": "m" } } });
        let second = json!({ "Items": [{ "alias": { "S": "zoe" } }] });
        let script = [say(Answer::new(200, first.to_string())), say(Answer::new(200, second.to_string()))];
        let server = ScriptedServer::start(script).await;
        let error = Accounts::new(server.dynamodb(), "accounts").list().await.unwrap_err();
        assert!(error.to_string().contains("zoe"), "{error}");
        assert_eq!(server.requests()[1].json()["ExclusiveStartKey"], json!({ "alias": { "S": "m" } }));
    }
}
