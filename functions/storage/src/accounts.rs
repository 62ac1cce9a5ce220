//! The accounts table: connected TikTok users, with their tokens sealed.
//!
//! Each write is conditional on the revision that the caller read. The lock around a token refresh
//! (`domain::account::RefreshLock`) relies on this: of two workers that write the lock, one gets a conflict.

mod lookup;
mod record;
mod renewal;

use aws_sdk_dynamodb::Client;
use domain::account::Account;
use domain::identity::{Alias, OpenId};
use jiff::Timestamp;

use crate::table::{Condition, SaveError, StoreError, Table};
use crate::versioned::{Revision, Versioned};

/// The accounts table.
#[derive(Debug, Clone)]
pub struct Accounts {
    table: Table,
}

impl Accounts {
    /// Uses the table with this name.
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Reads an account with a consistent read.
    pub async fn get(&self, alias: &Alias) -> Result<Option<Versioned<Account>>, StoreError> {
        self.table.load(alias.as_str()).await
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if the alias is in use. Nothing was stored.
    pub async fn create(&self, account: Account, now: Timestamp) -> Result<Versioned<Account>, SaveError> {
        let item = record::item_of(&account, now);
        self.table.store(Condition::Absent, account, item).await
    }

    /// Stores a changed account, unless another writer changed it after it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if another writer did. After any other error with disposition `Retry`, the account may
    /// have been stored.
    pub async fn save(
        &self,
        read_revision: impl Into<Revision>,
        account: Account,
        now: Timestamp,
    ) -> Result<Versioned<Account>, SaveError> {
        let item = record::item_of(&account, now);
        self.table.store(Condition::At(read_revision.into()), account, item).await
    }

    /// Reads all accounts, ordered by alias.
    pub async fn list(&self) -> Result<Vec<Versioned<Account>>, StoreError> {
        let mut accounts: Vec<Versioned<Account>> = Vec::new();
        for item in lookup::all(&self.table).await? {
            accounts.push(self.table.value_of(lookup::alias_of(&self.table, &item)?.as_str(), &item)?);
        }
        accounts.sort_by(|a, b| a.alias.cmp(&b.alias));
        Ok(accounts)
    }

    /// Finds the aliases of a TikTok user. The index is eventually consistent, so a new account may be missing.
    pub async fn aliases_of(&self, user: &OpenId) -> Result<Vec<Alias>, StoreError> {
        lookup::aliases_of(&self.table, user).await
    }

    /// Finds connected accounts whose tokens are due for renewal although no call needs them: at most 100, the
    /// longest due first. The index is eventually consistent, so the caller must read each account first.
    pub async fn due_for_renewal(&self, now: Timestamp) -> Result<Vec<Alias>, StoreError> {
        renewal::due(&self.table, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, reply};
    use serde_json::json;

    #[tokio::test]
    async fn user_is_found_by_the_open_id_index() {
        let found = json!({ "Items": [{ "alias": { "S": "anna" }, "open_id": { "S": "open-1" } }] });
        let server = ScriptedServer::start([reply(Reply::new(200, found.to_string()))]).await;
        let accounts = Accounts::new(server.dynamodb(), "accounts");
        let aliases = accounts.aliases_of(&OpenId::new("open-1").unwrap()).await.unwrap();
        assert_eq!(aliases, [Alias::new("anna").unwrap()]);
        let request = server.requests()[0].json();
        assert_eq!(request["IndexName"], "open_id");
        assert_eq!(request["ExpressionAttributeValues"], json!({ ":user": { "S": "open-1" } }));
    }

    #[tokio::test]
    async fn list_reads_all_pages_and_names_an_invalid_item() {
        let first = json!({ "Items": [], "LastEvaluatedKey": { "alias": { "S": "m" } } });
        let second = json!({ "Items": [{ "alias": { "S": "zoe" } }] });
        let pages = [first, second].map(|page| reply(Reply::new(200, page.to_string())));
        let server = ScriptedServer::start(pages).await;
        let error = Accounts::new(server.dynamodb(), "accounts").list().await.unwrap_err();
        assert!(error.to_string().contains("zoe"), "{error}");
        assert_eq!(server.requests()[1].json()["ExclusiveStartKey"], json!({ "alias": { "S": "m" } }));
    }
}
