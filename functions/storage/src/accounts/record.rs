//! An account as an item.
//!
//! The tokens are binary attributes that contain ciphertext, never the tokens themselves. `updated_at` is for
//! people who read the table in the console; this crate does not read it.

use domain::account::{Account, Connection, Preferences, RefreshLock, Requirement, Scopes, TokenPair};
use domain::identity::{Alias, OpenId};
use domain::options::PostOptions;
use domain::publish_at::Zone;
use domain::title::TitleFrame;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Ciphertext, Millis};
use crate::table::{Item, Record, RecordError};

/// The table's key.
pub(super) const KEY: &str = "alias";
/// The partition key of the index `renewal`. All entries have the same value.
pub(super) const RENEWAL: &str = "renewal";
/// The sort key of the index `renewal`.
pub(super) const RENEW_AT: &str = "renew_at";

/// The value of [`RENEWAL`]. An account that is not connected lacks the attribute, so the index omits the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Renewal {
    Due,
}

impl Renewal {
    /// The stored value.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
        }
    }
}

/// The kind of the connection. Its other data is in the attributes `reconnect_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ConnectionName {
    Connected,
    NeedsReconnect,
}

/// The attributes of an account. A new attribute must be optional or have a default, because existing items lack it.
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
    granted_at: Option<Timestamp>,
    renewal: Option<Renewal>,
    renew_at: Option<Millis>,
    refresh_lock_owner: Option<String>,
    refresh_lock_expires_at: Option<Timestamp>,
    fresh_token_refused_at: Option<Timestamp>,
    defaults: Option<PostOptions>,
    #[serde(default)]
    sidecar: Requirement,
    #[serde(default)]
    review: Requirement,
    title_prefix: Option<String>,
    title_suffix: Option<String>,
    time_zone: Option<Zone>,
    updated_at: Timestamp,
}

/// Converts an account to the attributes of its item.
pub(super) fn item_of(account: &Account, now: Timestamp) -> Result<Item, RecordError> {
    attribute::item_of(&AccountRecord::of(account.clone(), now))
}

impl Record for Account {
    fn key(&self) -> &str {
        self.alias.as_str()
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        attribute::record_of::<AccountRecord>(item)?.restore()
    }
}

impl AccountRecord {
    fn of(account: Account, now: Timestamp) -> Self {
        let (connection, reconnect_since, reconnect_why) = match account.connection {
            Connection::Connected => (ConnectionName::Connected, None, None),
            Connection::NeedsReconnect { since, why } => (ConnectionName::NeedsReconnect, Some(since), Some(why)),
        };
        let lock = account.refreshing;
        let renewal = (connection == ConnectionName::Connected).then_some(Renewal::Due);
        let Preferences { defaults, sidecar, review, title_frame, time_zone } = account.preferences;
        let non_empty = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
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
            granted_at: Some(account.tokens.granted_at),
            renewal,
            renew_at: Some(Millis::ceil(account.tokens.renew_at)),
            refresh_lock_expires_at: lock.as_ref().map(|lock| lock.expires_at),
            refresh_lock_owner: lock.map(|lock| lock.owner),
            fresh_token_refused_at: account.fresh_token_refused_at,
            defaults: Some(defaults).filter(|defaults| *defaults != PostOptions::default()),
            sidecar,
            review,
            title_prefix: non_empty(title_frame.prefix()),
            title_suffix: non_empty(title_frame.suffix()),
            time_zone,
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
        // An older version did not store these two attributes. With the epoch as the time of the grant, the
        // lifetimes appear long, and the time of the renewal follows from the expiry.
        let granted_at = self.granted_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let renew_at = match self.renew_at {
            Some(at) => at.timestamp(RENEW_AT)?,
            None => TokenPair::renewal(granted_at, self.refresh_expires_at),
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
                granted_at,
                renew_at,
            },
            refreshing,
            fresh_token_refused_at: self.fresh_token_refused_at,
            preferences: Preferences {
                defaults: self.defaults.unwrap_or_default(),
                sidecar: self.sidecar,
                review: self.review,
                title_frame: TitleFrame::new(
                    self.title_prefix.as_deref().unwrap_or_default(),
                    self.title_suffix.as_deref().unwrap_or_default(),
                ),
                time_zone: self.time_zone,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::secret::Sealed;

    use super::*;

    fn account() -> Account {
        let at = |second| Timestamp::from_second(second).unwrap();
        Account {
            alias: Alias::new("anna").unwrap(),
            open_id: OpenId::new("open-1").unwrap(),
            username: Some("anna".into()),
            display_name: None,
            scopes: Scopes::parse("video.publish,video.upload"),
            connection: Connection::Connected,
            tokens: TokenPair::granted(
                (Sealed::new(b"access-1".to_vec()), Duration::from_hours(2)),
                (Sealed::new(b"refresh-1".to_vec()), Duration::from_hours(24)),
                at(0),
            ),
            refreshing: None,
            fresh_token_refused_at: None,
            preferences: Preferences { review: Requirement::Required, ..Preferences::default() },
        }
    }

    #[test]
    fn account_round_trips() {
        let at = Timestamp::from_second(90).unwrap();
        let needs_reconnect = Account {
            connection: Connection::NeedsReconnect { since: at, why: "access revoked".into() },
            refreshing: Some(RefreshLock { owner: "status-1".into(), expires_at: at }),
            fresh_token_refused_at: Some(at),
            preferences: Preferences {
                defaults: PostOptions { title: Some("Ü".into()), disable_duet: Some(true), ..PostOptions::default() },
                title_frame: TitleFrame::new("A: ", " #ä"),
                time_zone: Some(Zone::new("Europe/Berlin").unwrap()),
                ..Preferences::default()
            },
            username: None,
            ..account()
        };
        for account in [account(), needs_reconnect] {
            let item = item_of(&account, at).unwrap();
            assert_eq!(Account::from_item(&item).unwrap(), account);
        }
    }

    #[test]
    fn item_of_an_older_version_lacks_optional_attributes() {
        let mut item = item_of(&account(), Timestamp::UNIX_EPOCH).unwrap();
        for attribute in ["granted_at", "renewal", "renew_at", "title_prefix", "title_suffix", "time_zone"] {
            item.remove(attribute);
        }
        let old = Account::from_item(&item).unwrap();
        assert_eq!(old.preferences, account().preferences);
        assert_eq!(old.tokens, account().tokens, "`granted_at` defaults to the epoch, and `renew_at` follows");
    }

    #[test]
    fn only_connected_accounts_are_in_the_renewal_index() {
        let item = item_of(&account(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(item.get(RENEWAL), Some(&AttributeValue::S(Renewal::Due.as_str().to_owned())));
        assert_eq!(
            item.get(RENEW_AT),
            Some(&AttributeValue::N("43200000".to_owned())),
            "half of the refresh token's lifetime of one day"
        );
        let connection = Connection::NeedsReconnect { since: Timestamp::UNIX_EPOCH, why: "revoked".into() };
        let authorization_lost = item_of(&Account { connection, ..account() }, Timestamp::UNIX_EPOCH).unwrap();
        assert!(!authorization_lost.contains_key(RENEWAL));
    }

    #[test]
    fn lock_without_expiry_is_invalid() {
        let lock = RefreshLock { owner: "status-1".into(), expires_at: Timestamp::UNIX_EPOCH };
        let locked = Account { refreshing: Some(lock), ..account() };
        let mut item = item_of(&locked, Timestamp::UNIX_EPOCH).unwrap();
        item.remove("refresh_lock_expires_at");
        let error = Account::from_item(&item).unwrap_err();
        assert_eq!(error.to_string(), "attribute refresh_lock_expires_at is missing");
    }
}
