//! The progress of the bucket check (`domain::bucket_check`), as one item of the limits table. DynamoDB does not remove
//! it, because it has no time-to-live attribute. If it is lost, the next check begins at once, and does no harm.
//!
//! Each write is conditional on the revision that was read. Of two invocations that claim the check at the same time,
//! one gets a conflict.

use aws_sdk_dynamodb::Client;
use domain::bucket_check::{Area, BucketCheck, Marker, Position, Progress};
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Millis};
use crate::limits;
use crate::table::{Condition, Item, Record, RecordError, SaveError, StoreError, Table};
use crate::versioned::{Revision, Versioned};

/// The item's key. It is unique, because no account's alias is empty ([`LimitKey`](crate::LimitKey)).
const ITEM: &str = "#bucket_check";

/// The attributes of a check. `area` is a prefix; a complete check has none.
#[derive(Debug, Serialize, Deserialize)]
struct BucketCheckRecord {
    limit_key: String,
    begun_at: Millis,
    area: Option<String>,
    after_key: Option<String>,
    after_version: Option<String>,
    not_before: Option<Millis>,
}

/// The stored progress of the bucket check.
#[derive(Debug, Clone)]
pub struct BucketChecks {
    table: Table,
}

impl BucketChecks {
    /// Uses the limits table, which has this name.
    pub fn new(client: Client, limits_table: impl Into<String>) -> Self {
        Self { table: Table::new(client, limits_table.into(), limits::KEY) }
    }

    /// Reads the newest check with a consistent read; none if there was no check yet.
    pub async fn newest(&self) -> Result<Option<Versioned<BucketCheck>>, StoreError> {
        self.table.load(ITEM).await
    }

    /// Stores a check, unless another invocation stored one after `read` was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if another invocation did: the caller must leave the check to it.
    pub async fn save(&self, read: Option<Revision>, check: BucketCheck) -> Result<Versioned<BucketCheck>, SaveError> {
        let item = item_of(&check);
        self.table.store(read.map_or(Condition::Absent, Condition::At), check, item).await
    }
}

fn item_of(check: &BucketCheck) -> Result<Item, RecordError> {
    let (position, not_before) = match &check.progress {
        Progress::UnderWay { position, not_before } => (Some(position), Some(*not_before)),
        Progress::Complete => (None, None),
    };
    let after = position.and_then(|position| position.after.clone());
    attribute::item_of(&BucketCheckRecord {
        limit_key: ITEM.to_owned(),
        begun_at: Millis::floor(check.begun_at),
        area: position.map(|position| position.area.prefix().to_owned()),
        after_version: after.as_ref().and_then(|after| after.version_id.clone()),
        after_key: after.map(|after| after.key),
        not_before: not_before.map(Millis::ceil),
    })
}

impl Record for BucketCheck {
    fn key(&self) -> &str {
        ITEM
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        let record: BucketCheckRecord = attribute::record_of(item)?;
        let begun_at = record.begun_at.timestamp("begun_at")?;
        let Some(prefix) = record.area else { return Ok(Self { begun_at, progress: Progress::Complete }) };
        let area = Area::ALL.into_iter().find(|area| area.prefix() == prefix);
        let area = area.ok_or_else(|| RecordError::invalid("area", &format!("unknown prefix {prefix:?}")))?;
        let not_before = record.not_before.ok_or(RecordError::Missing { name: "not_before" })?;
        let after = record.after_key.map(|key| Marker { key, version_id: record.after_version });
        let progress =
            Progress::UnderWay { position: Position { area, after }, not_before: not_before.timestamp("not_before")? };
        Ok(Self { begun_at, progress })
    }
}

#[cfg(test)]
mod tests {
    use domain::bucket_check::MAX_INTERVAL;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::scripted_aws::{Reply, Request, ScriptedAws, ScriptedServer, condition_failed, reply};

    fn first() -> BucketCheck {
        BucketCheck::claim(None, MAX_INTERVAL, Timestamp::from_second(1_764_000_000).unwrap()).unwrap()
    }

    #[test]
    fn check_round_trips_at_each_position() {
        let marker = |version: Option<&str>| {
            Some(Marker { key: "drop/a \u{1}.mp4".to_owned(), version_id: version.map(str::to_owned) })
        };
        let complete = first().advance(None, first().begun_at).advance(None, first().begun_at);
        let in_uploads = first().advance(None, first().begun_at);
        let [inside, after_key] = [marker(Some("v1")), marker(None)].map(|it| first().advance(it, first().begun_at));
        for check in [first(), inside, after_key, in_uploads, complete] {
            assert_eq!(BucketCheck::from_item(&item_of(&check).unwrap()).unwrap(), check);
        }
    }

    #[tokio::test]
    async fn first_check_is_stored_only_if_absent() {
        let other = json!({ "limit_key": { "S": ITEM }, "revision": { "N": "1" }, "write_token": { "S": "other" } });
        let script = [Reply::new(200, "{}"), Reply::new(200, "{}"), condition_failed(&other)];
        let server = ScriptedServer::start(script.map(reply)).await;
        let checks = BucketChecks::new(server.dynamodb(), "limits");
        assert!(checks.newest().await.unwrap().is_none());
        let stored = checks.save(None, first()).await.unwrap();
        let late = checks.save(Some((&stored).into()), first().release(first().begun_at)).await.unwrap_err();
        assert!(matches!(late, SaveError::Conflict), "{late}");
        let writes: Vec<_> = server.requests()[1..].iter().map(Request::json).collect();
        assert_eq!(writes[0]["ConditionExpression"], "attribute_not_exists(#key)");
        assert_eq!(writes[1]["ConditionExpression"], "#revision = :read");
        assert_eq!(writes[0]["Item"]["limit_key"], json!({ "S": "#bucket_check" }));
        assert!(writes[0]["Item"]["expires_at"].is_null(), "DynamoDB does not remove the item");
    }
}
