//! The table of the repost guard: for each account and size in bytes, the posts of videos of that size, which
//! `domain::repost_guard` defines.
//!
//! A record expires when its newest post is older than the guard's term. DynamoDB removes it some days later.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::content::{Checksum, Content, HeaderDigest};
use domain::identity::{Alias, PostId};
use domain::repost_guard::{GuardRecord, GuardedPost};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Millis};
use crate::table::{Condition, Item, Put, RecordError, SaveError, StoreError, Table, revision_of};

/// The table's key: the alias and the size in bytes. No alias contains `#`.
const KEY: &str = "guard_key";
/// The table's time-to-live attribute, in seconds since 1970.
const EXPIRES_AT: &str = "expires_at";

/// The account and the size in bytes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardKey {
    account: Alias,
    bytes: u64,
}

impl GuardKey {
    /// The record of an account's videos of this size.
    pub fn new(account: &Alias, bytes: u64) -> Self {
        Self { account: account.clone(), bytes }
    }

    fn text(&self) -> String {
        format!("{}#{}", self.account, self.bytes)
    }
}

/// A record as it was read, with the condition for the next write. If there is no item, it is empty.
#[derive(Debug, Clone)]
pub struct StoredGuard {
    /// The record.
    pub record: GuardRecord,
    key: GuardKey,
    condition: Condition,
}

impl StoredGuard {
    /// An empty record that was not read. Saving it is a conflict if there is an item.
    pub fn unread(key: GuardKey) -> Self {
        Self { record: GuardRecord::default(), key, condition: Condition::Absent }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct GuardedPostRecord {
    post: PostId,
    retries: u32,
    at: Millis,
    checksums: Vec<Checksum>,
    header: HeaderDigest,
}

#[derive(Debug, Serialize, Deserialize)]
struct GuardItem {
    bytes: u64,
    posts: Vec<GuardedPostRecord>,
    waiting: Vec<PostId>,
}

/// The table of the repost guard.
#[derive(Debug, Clone)]
pub struct RepostGuard {
    table: Table,
}

impl RepostGuard {
    /// Uses the table with this name.
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), KEY) }
    }

    /// Reads a record with a consistent read.
    pub async fn get(&self, key: GuardKey) -> Result<StoredGuard, StoreError> {
        let text = key.text();
        let Some(item) = self.table.get(&text).await? else { return Ok(StoredGuard::unread(key)) };
        let read = || Ok((record_of(&item)?, Condition::At(revision_of(&item)?)));
        let (record, condition) = read().map_err(|error| self.table.invalid(&text, error))?;
        Ok(StoredGuard { record, key, condition })
    }

    /// Stores a changed record, unless another writer changed it after it was read. DynamoDB removes it after
    /// `expires_at`.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if another writer did. After any other error with disposition `Retry`, the record may
    /// have been stored.
    pub async fn save(&self, read: StoredGuard, record: &GuardRecord, expires_at: Timestamp) -> Result<(), SaveError> {
        let StoredGuard { key, condition, .. } = read;
        let text = key.text();
        let mut item = item_of(record, key.bytes).map_err(|error| self.table.invalid(&text, error))?;
        item.insert(KEY.to_owned(), AttributeValue::S(text));
        item.insert(EXPIRES_AT.to_owned(), AttributeValue::N(expires_at.as_second().to_string()));
        match self.table.put(item, condition).await? {
            Put::Written(_) => Ok(()),
            Put::ConditionFailed(_) => Err(SaveError::Conflict),
        }
    }
}

fn item_of(record: &GuardRecord, bytes: u64) -> Result<Item, RecordError> {
    let posts = record.posts.iter().map(|entered| GuardedPostRecord {
        post: entered.post.clone(),
        retries: entered.retries,
        at: Millis::ceil(entered.at),
        checksums: entered.content.checksums.clone(),
        header: entered.content.header.clone(),
    });
    attribute::item_of(&GuardItem { bytes, posts: posts.collect(), waiting: record.waiting.clone() })
}

fn record_of(item: &Item) -> Result<GuardRecord, RecordError> {
    let GuardItem { bytes, posts, waiting } = attribute::record_of(item)?;
    let restore = |GuardedPostRecord { post, retries, at, checksums, header }| {
        let content = Content { bytes, checksums, header };
        Ok(GuardedPost { post, retries, at: at.timestamp("at")?, content })
    };
    Ok(GuardRecord { posts: posts.into_iter().map(restore).collect::<Result<_, _>>()?, waiting })
}

#[cfg(test)]
mod tests {
    use domain::source::ObjectVersion;
    use domain::video::{Container, VideoFacts};
    use serde_json::json;

    use super::*;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, condition_failed, reply};

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_764_000_000_000 + millisecond).unwrap()
    }

    fn key() -> GuardKey {
        GuardKey::new(&Alias::new("anna").unwrap(), 7)
    }

    fn post(version: &str) -> PostId {
        PostId::of_object("intake", "drop/anna/a.mp4", &ObjectVersion::Id(version.to_owned()))
    }

    fn record() -> GuardRecord {
        let facts = VideoFacts { duration_ms: Some(1), ..VideoFacts::unknown(Container::Mp4) };
        let entered = |version: &str, retries| GuardedPost {
            post: post(version),
            retries,
            at: at(5),
            content: Content {
                bytes: 7,
                checksums: vec![Checksum::new("CRC32", "AAAA"), Checksum::new("SHA256", "BBBB-2")],
                header: HeaderDigest::from(&facts),
            },
        };
        GuardRecord { posts: vec![entered("1", 0), entered("2", 3)], waiting: vec![post("3")] }
    }

    #[test]
    fn every_guard_record_round_trips() {
        for record in [record(), GuardRecord::default()] {
            assert_eq!(record_of(&item_of(&record, 7).unwrap()).unwrap(), record);
        }
    }

    #[tokio::test]
    async fn unread_record_is_saved_only_if_absent() {
        let existing = json!({ "guard_key": { "S": "anna#7" }, "write_token": { "S": "of another worker" } });
        let server = ScriptedServer::start([reply(Reply::new(200, "{}")), reply(condition_failed(&existing))]).await;
        let guard = RepostGuard::new(server.dynamodb(), "guard");
        guard.save(StoredGuard::unread(key()), &record(), at(90_000)).await.unwrap();
        let request = server.requests()[0].json();
        assert_eq!(request["ConditionExpression"], "attribute_not_exists(#key)");
        assert_eq!(request["Item"]["guard_key"], json!({ "S": "anna#7" }));
        assert_eq!(request["Item"]["expires_at"], json!({ "N": "1764000090" }));
        let conflict = guard.save(StoredGuard::unread(key()), &record(), at(0)).await;
        assert!(matches!(conflict, Err(SaveError::Conflict)), "{conflict:?}");
    }
}
