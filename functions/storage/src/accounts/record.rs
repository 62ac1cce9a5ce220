//! An account as an item.
//!
//! `updated_at` is there for people alone. The tokens are binary attributes:
//! what the vault sealed, never the tokens themselves.

use domain::account::{Account, Connection, RefreshLock, Requirement, Scopes, TokenPair};
use domain::identity::{Alias, OpenId};
use domain::options::PostOptions;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Ciphertext};
use crate::table::{Item, RecordError};

/// The table's key.
pub(super) const KEY: &str = "alias";

/// The connection's name; the rest of it is in the attributes `reconnect_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ConnectionName {
    Connected,
    NeedsReconnect,
}

#[derive(Debug, Serialize, Deserialize)]
struct AccountRecord {
    alias: Alias,
    open_id: OpenId,
    username: Option<String>,
    display_name: Option<String>,
    scopes: Scopes,
    connection: ConnectionName,
    reconnect_since: Option<Timestamp>,
    reconnect_why: Option<String>,
    access_token: Ciphertext,
    access_expires_at: Timestamp,
    refresh_token: Ciphertext,
    refresh_expires_at: Timestamp,
    refresh_lock_owner: Option<String>,
    refresh_lock_expires_at: Option<Timestamp>,
    defaults: Option<PostOptions>,
    #[serde(default)]
    sidecar: Requirement,
    #[serde(default)]
    review: Requirement,
    updated_at: Timestamp,
}

/// Writes an account as the attributes of its item.
pub(super) fn item_of(account: &Account, now: Timestamp) -> Result<Item, RecordError> {
    attribute::item_of(&AccountRecord::of(account.clone(), now))
}

/// Reads an account from the attributes of its item.
pub(super) fn account_of(item: &Item) -> Result<Account, RecordError> {
    attribute::record_of::<AccountRecord>(item)?.restore()
}

impl AccountRecord {
    fn of(account: Account, now: Timestamp) -> Self {
        let (connection, reconnect_since, reconnect_why) = match account.connection {
            Connection::Connected => (ConnectionName::Connected, None, None),
            Connection::NeedsReconnect { since, why } => (ConnectionName::NeedsReconnect, Some(since), Some(why)),
        };
        let lock = account.refreshing;
        Self {
            alias: account.alias,
            open_id: account.open_id,
            username: account.username,
            display_name: account.display_name,
            scopes: account.scopes,
            connection,
            reconnect_since,
            reconnect_why,
            access_token: Ciphertext::from(&account.tokens.access),
            access_expires_at: account.tokens.access_expires_at,
            refresh_token: Ciphertext::from(&account.tokens.refresh),
            refresh_expires_at: account.tokens.refresh_expires_at,
            refresh_lock_expires_at: lock.as_ref().map(|lock| lock.expires_at),
            refresh_lock_owner: lock.map(|lock| lock.owner),
            defaults: Some(account.defaults).filter(|defaults| *defaults != PostOptions::default()),
            sidecar: account.sidecar,
            review: account.review,
            updated_at: now,
        }
    }

    fn restore(self) -> Result<Account, RecordError> {
        let connection = match (self.connection, self.reconnect_since) {
            (ConnectionName::Connected, _) => Connection::Connected,
            (ConnectionName::NeedsReconnect, Some(since)) => {
                Connection::NeedsReconnect { since, why: self.reconnect_why.unwrap_or_default() }
            }
            (ConnectionName::NeedsReconnect, None) => return Err(RecordError::Missing { name: "reconnect_since" }),
        };
        let refreshing = match (self.refresh_lock_owner, self.refresh_lock_expires_at) {
            (Some(owner), Some(expires_at)) => Some(RefreshLock { owner, expires_at }),
            (None, None) => None,
            (Some(_), None) => return Err(RecordError::Missing { name: "refresh_lock_expires_at" }),
            (None, Some(_)) => return Err(RecordError::Missing { name: "refresh_lock_owner" }),
        };
        Ok(Account {
            alias: self.alias,
            open_id: self.open_id,
            username: self.username,
            display_name: self.display_name,
            scopes: self.scopes,
            connection,
            tokens: TokenPair {
                access: self.access_token.into(),
                access_expires_at: self.access_expires_at,
                refresh: self.refresh_token.into(),
                refresh_expires_at: self.refresh_expires_at,
            },
            refreshing,
            defaults: self.defaults.unwrap_or_default(),
            sidecar: self.sidecar,
            review: self.review,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::secret::Sealed;

    fn account() -> Account {
        let at = |second| Timestamp::from_second(second).unwrap();
        Account {
            alias: Alias::new("anna").unwrap(),
            open_id: OpenId::new("open-1").unwrap(),
            username: Some("anna".into()),
            display_name: None,
            scopes: Scopes::parse("video.publish,video.upload"),
            connection: Connection::Connected,
            tokens: TokenPair {
                access: Sealed::new(b"access-1".to_vec()),
                access_expires_at: at(7200),
                refresh: Sealed::new(b"refresh-1".to_vec()),
                refresh_expires_at: at(86_400),
            },
            refreshing: None,
            defaults: PostOptions::default(),
            sidecar: Requirement::Optional,
            review: Requirement::Required,
        }
    }

    #[test]
    fn an_account_comes_back_as_it_was() {
        let at = Timestamp::from_second(90).unwrap();
        let broken = Account {
            connection: Connection::NeedsReconnect { since: at, why: "access revoked".into() },
            refreshing: Some(RefreshLock { owner: "status-1".into(), expires_at: at }),
            defaults: PostOptions { title: Some("Ü".into()), disable_duet: Some(true), ..PostOptions::default() },
            username: None,
            ..account()
        };
        for account in [account(), broken] {
            let item = item_of(&account, at).unwrap();
            assert_eq!(account_of(&item).unwrap(), account);
        }
    }

    #[test]
    fn half_a_lock_is_none_that_can_be_trusted() {
        let lock = RefreshLock { owner: "status-1".into(), expires_at: Timestamp::UNIX_EPOCH };
        let locked = Account { refreshing: Some(lock), ..account() };
        let mut item = item_of(&locked, Timestamp::UNIX_EPOCH).unwrap();
        item.remove("refresh_lock_expires_at");
        let error = account_of(&item).unwrap_err();
        assert_eq!(error.to_string(), "it has no attribute refresh_lock_expires_at");
    }
}
