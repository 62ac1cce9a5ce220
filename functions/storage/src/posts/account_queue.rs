//! The index `account_queue`: the posts of each account that wait to begin an upload, ordered by drop time.
//!
//! The partition key is the account's alias, so that accounts never share a partition. The index is eventually
//! consistent: it may still contain posts that have left the queue. `domain::post::Post::is_in_account_queue`
//! decides which posts are in it.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{Alias, PostId};
use domain::options::Mode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{ACCOUNT_QUEUE, DROPPED_AT};
use crate::attribute::{self, Millis};
use crate::table::{Item, RecordError, StoreError, Table};

/// The index's name.
const INDEX: &str = "account_queue";
/// After how many entries the read of a queue stops. A post further back is deferred because of these entries. Its next
/// attempt reads the queue again.
const MAX_ENTRIES: usize = 2000;
/// The page size of a search for the next post.
const FRONT_PAGE: i32 = 100;
/// How many entries of a mode are enough to find the next post of that mode. The caller
/// (`posting/src/account_queue.rs`) skips posts that have reserved an upload slot, so this is larger than the number of
/// such posts in the queue.
const ENOUGH_OF_MODE: usize = 20;

/// A post in its account's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The post.
    pub id: PostId,
    /// When its video was dropped.
    pub dropped_at: Timestamp,
    /// Its mode; none until a worker has read the post's options.
    pub mode: Option<Mode>,
    /// The earliest time of the next attempt, if the post is deferred.
    pub queue_not_before: Option<Timestamp>,
}

/// The attributes that the index contains. `template.yaml` must list each of them in the index's projection.
#[derive(Debug, Serialize, Deserialize)]
struct QueueEntryRecord {
    id: PostId,
    dropped_at: Millis,
    queue_mode: Option<Mode>,
    queue_not_before: Option<Millis>,
}

/// Reads the entries that were dropped at `until` or before.
pub(super) async fn read(table: &Table, account: &Alias, until: Timestamp) -> Result<Vec<QueueEntry>, StoreError> {
    pages(table, account, until, None, |_| false).await
}

/// Reads the front of the queue, up to the next post of a mode, however many posts of the other mode are before
/// it. A post without a mode counts as a post of each mode. Without a requested mode, reads one page.
pub(super) async fn front(table: &Table, account: &Alias, mode: Option<Mode>) -> Result<Vec<QueueEntry>, StoreError> {
    let is_enough = |queue: &[QueueEntry]| {
        mode.is_none() || queue.iter().filter(|post| post.mode.is_none() || post.mode == mode).count() >= ENOUGH_OF_MODE
    };
    pages(table, account, Timestamp::MAX, Some(FRONT_PAGE), is_enough).await
}

async fn pages(
    table: &Table,
    account: &Alias,
    until: Timestamp,
    page_size: Option<i32>,
    is_enough: impl Fn(&[QueueEntry]) -> bool,
) -> Result<Vec<QueueEntry>, StoreError> {
    let mut queue = Vec::new();
    let mut start = None;
    loop {
        let query = table
            .query(INDEX)
            .key_condition_expression("#account_queue = :account AND #dropped <= :until")
            .expression_attribute_names("#account_queue", ACCOUNT_QUEUE)
            .expression_attribute_names("#dropped", DROPPED_AT)
            .expression_attribute_values(":account", AttributeValue::S(account.as_str().to_owned()))
            .expression_attribute_values(":until", Millis::floor(until).value())
            .scan_index_forward(true)
            .set_limit(page_size)
            .set_exclusive_start_key(start.take());
        let page = table.send(INDEX, query).await?;
        queue.extend(page.items().iter().filter_map(|item| entry_or_skip(table, item)));
        start = page.last_evaluated_key;
        if start.is_none() || queue.len() >= MAX_ENTRIES || is_enough(&queue) {
            break;
        }
    }
    queue.sort_by(|a: &QueueEntry, b| (a.dropped_at, &a.id).cmp(&(b.dropped_at, &b.id)));
    Ok(queue)
}

/// Reads an entry. An invalid entry is skipped, so that it does not block the posts behind it.
fn entry_or_skip(table: &Table, item: &Item) -> Option<QueueEntry> {
    let warn = |error: &_| tracing::warn!(table = table.name(), index = INDEX, error = %error, "invalid entry skipped");
    entry_of(item).inspect_err(warn).ok()
}

fn entry_of(item: &Item) -> Result<QueueEntry, RecordError> {
    let record: QueueEntryRecord = attribute::record_of(item)?;
    Ok(QueueEntry {
        id: record.id,
        dropped_at: record.dropped_at.timestamp(DROPPED_AT)?,
        mode: record.queue_mode,
        queue_not_before: record.queue_not_before.map(|at| at.timestamp("queue_not_before")).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use domain::post::Post;
    use domain::reason::Reason;
    use domain::source::{ObjectVersion, Source};
    use serde_json::{Value, json};
    use std::time::Duration;

    use super::*;
    use crate::posts::{Posts, record};
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, Step, reply};
    use crate::table::Record;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_764_000_000_000 + millisecond).unwrap()
    }

    fn anna() -> Alias {
        Alias::new("anna").unwrap()
    }

    fn post(version: &str) -> Post {
        let version = ObjectVersion::Id(version.into());
        let source = Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version };
        Post::submit(anna(), source, None, at(90)).with_dropped_at(at(7))
    }

    #[test]
    fn only_posts_in_the_queue_have_its_attributes() {
        let claimed = post("1").claim("worker-1", at(90)).unwrap();
        let queued = claimed.clone().defer(Reason::PostsPerDay, "", Duration::from_secs(5), at(90)).unwrap();
        let item = record::item_of(&queued, at(90)).unwrap();
        assert_eq!(item.get(ACCOUNT_QUEUE), Some(&AttributeValue::S("anna".into())));
        assert_eq!(item.get(DROPPED_AT), Some(&AttributeValue::N("1764000000007".into())));
        assert_eq!(item.get("queue_not_before"), Some(&AttributeValue::N("1764000005090".into())));
        let deferred = claimed.defer(Reason::SourceUnreadable, "", Duration::from_secs(5), at(90)).unwrap();
        let item = record::item_of(&deferred, at(90)).unwrap();
        assert!(!item.contains_key(ACCOUNT_QUEUE) && !item.contains_key("queue_not_before"), "{item:?}");
        assert_eq!(Post::from_item(&item).unwrap().dropped_at, at(7), "it returns to its position in the queue");
    }

    /// An entry that was dropped at [`at(ms)`](at).
    fn entry(id: &PostId, ms: i64, mode: Option<&str>) -> Value {
        let mut item = json!({ "id": { "S": id.as_str() }, "account_queue": { "S": "anna" } });
        item["dropped_at"] = json!({ "N": at(ms).as_millisecond().to_string() });
        if let Some(mode) = mode {
            item["queue_mode"] = json!({ "S": mode });
        }
        item
    }

    /// A page of entries. `next` is the post after which the next page begins, if there is one.
    fn page(items: &[Value], next: Option<&PostId>) -> Step {
        let mut page = json!({ "Items": items });
        if let Some(next) = next {
            page["LastEvaluatedKey"] = json!({ "id": { "S": next.as_str() } });
        }
        reply(Reply::new(200, page.to_string()))
    }

    #[tokio::test]
    async fn queue_is_read_by_page_in_drop_order() {
        let (first, second) = (post("1").id.clone(), post("2").id.clone());
        let pages = [page(&[entry(&first, 1, Some("draft"))], Some(&first)), page(&[entry(&second, 2, None)], None)];
        let server = ScriptedServer::start(pages).await;
        let posts = Posts::new(server.dynamodb(), "posts");
        let queue = posts.account_queue(&anna(), at(5)).await.unwrap();
        assert_eq!(
            queue.iter().map(|it| (&it.id, it.mode)).collect::<Vec<_>>(),
            [(&first, Some(Mode::Draft)), (&second, None)]
        );
        let request = server.requests()[1].json();
        assert_eq!(request["KeyConditionExpression"], "#account_queue = :account AND #dropped <= :until");
        assert_eq!(request["ExpressionAttributeValues"][":until"], json!({ "N": "1764000000005" }));
        assert_eq!(request["ExclusiveStartKey"], json!({ "id": { "S": first.as_str() } }));
    }

    #[tokio::test]
    async fn front_reads_past_posts_of_the_other_mode() {
        let (direct, draft) = (post("1").id.clone(), post("2").id.clone());
        // One full page, `FRONT_PAGE`.
        let directs: Vec<_> = (0..100).map(|n| entry(&direct, n, Some("direct"))).collect();
        let pages = [
            page(&directs, Some(&direct)),
            page(&[entry(&draft, 100, Some("draft"))], None),
            page(&directs, Some(&direct)),
        ];
        let server = ScriptedServer::start(pages).await;
        let posts = Posts::new(server.dynamodb(), "posts");
        let queue = posts.front_of_account_queue(&anna(), Some(Mode::Draft)).await.unwrap();
        assert_eq!(queue.last().map(|it| &it.id), Some(&draft));
        posts.front_of_account_queue(&anna(), Some(Mode::Direct)).await.unwrap();
        assert_eq!(server.requests().len(), 3, "one page is enough if posts of the mode are in front");
    }

    #[tokio::test]
    async fn invalid_entry_does_not_hide_other_entries() {
        let id = post("1").id.clone();
        let invalid = json!({ "id": { "S": id.as_str() }, "account_queue": { "S": "anna" } });
        let server = ScriptedServer::start([page(&[invalid, entry(&id, 2, None)], None)]).await;
        let queue = Posts::new(server.dynamodb(), "posts").account_queue(&anna(), at(5)).await.unwrap();
        assert_eq!(queue.len(), 1);
    }
}
