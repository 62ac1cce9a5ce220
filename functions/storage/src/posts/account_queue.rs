//! The line index: an account's posts that could be begun, the first dropped
//! first, under the account's own key, so that accounts never share a partition.
//!
//! Like `due` it may lag behind, and names posts that have just gone.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{Alias, PostId};
use domain::options::Mode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{ACCOUNT_QUEUE, DROPPED_AT};
use crate::attribute::{self, Millis};
use crate::aws::AwsError;
use crate::table::{Item, RecordError, StoreError, Table};

/// The index's name.
const INDEX: &str = "account_queue";
/// How many posts of a line are read at most. Who stands further behind is told
/// to come when these have gone, and sees further then.
const MOST: usize = 2000;
/// How many are read at once where only who goes next is looked for.
const FRONT: i32 = 100;
/// How many of a mode are enough to find who goes next in it: more than can have
/// taken their turns and not left the line yet.
const ENOUGH: usize = 20;

/// A post that stands in its account's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The post.
    pub id: PostId,
    /// When its video was dropped.
    pub dropped_at: Timestamp,
    /// Its mode; unknown until its options have been read.
    pub mode: Option<Mode>,
    /// When it tries next, where it sleeps until then.
    pub queue_not_before: Option<Timestamp>,
}

/// What the index has of a post beside its keys.
#[derive(Debug, Serialize, Deserialize)]
struct QueueEntryRecord {
    id: PostId,
    dropped_at: Millis,
    queue_mode: Option<Mode>,
    queue_not_before: Option<Millis>,
}

/// Reads the line from its head up to those who were dropped at `until`.
pub(super) async fn read(table: &Table, account: &Alias, until: Timestamp) -> Result<Vec<QueueEntry>, StoreError> {
    pages(table, account, until, None, |_| false).await
}

/// Reads the front of the line: as far as whoever goes next in a mode stands,
/// however many of the other mode stand before; in either mode, the first of all.
pub(super) async fn front(table: &Table, account: &Alias, mode: Option<Mode>) -> Result<Vec<QueueEntry>, StoreError> {
    let enough = |line: &[QueueEntry]| {
        mode.is_none() || line.iter().filter(|post| post.mode.is_none() || post.mode == mode).count() >= ENOUGH
    };
    pages(table, account, Timestamp::MAX, Some(FRONT), enough).await
}

async fn pages(
    table: &Table,
    account: &Alias,
    until: Timestamp,
    limit: Option<i32>,
    enough: impl Fn(&[QueueEntry]) -> bool,
) -> Result<Vec<QueueEntry>, StoreError> {
    let mut line = Vec::new();
    let mut after = None;
    loop {
        let query = table.client().query().table_name(table.name()).index_name(INDEX);
        let query = query
            .key_condition_expression("#account_queue = :account AND #dropped <= :until")
            .expression_attribute_names("#account_queue", ACCOUNT_QUEUE)
            .expression_attribute_names("#dropped", DROPPED_AT)
            .expression_attribute_values(":account", AttributeValue::S(account.as_str().to_owned()))
            .expression_attribute_values(":until", Millis::floor(until).value())
            .scan_index_forward(true)
            .set_limit(limit)
            .set_exclusive_start_key(after.take());
        let answer = query.send().await.map_err(|error| {
            let permission = "dynamodb:Query (on index account_queue)";
            StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
        })?;
        line.extend(answer.items().iter().filter_map(|item| readable(table, item)));
        after = answer.last_evaluated_key;
        if after.is_none() || line.len() >= MOST || enough(&line) {
            break;
        }
    }
    line.sort_by(|a: &QueueEntry, b| (a.dropped_at, &a.id).cmp(&(b.dropped_at, &b.id)));
    Ok(line)
}

/// Reads an entry. One that is none is passed over, so that it cannot keep those
/// behind it from their turns.
fn readable(table: &Table, item: &Item) -> Option<QueueEntry> {
    in_line(item)
        .inspect_err(
            |error| tracing::warn!(table = table.name(), error = %error, "an item of the line index is no post"),
        )
        .ok()
}

fn in_line(item: &Item) -> Result<QueueEntry, RecordError> {
    let record: QueueEntryRecord = attribute::record_of(item)?;
    Ok(QueueEntry {
        id: record.id,
        dropped_at: record.dropped_at.instant(DROPPED_AT)?,
        mode: record.queue_mode,
        queue_not_before: record.queue_not_before.map(|at| at.instant("queue_not_before")).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use domain::post::Post;
    use domain::rate_limit::POSTS;
    use domain::source::{ObjectVersion, Source};
    use serde_json::{Value, json};
    use std::time::Duration;

    use super::*;
    use crate::posts::{Posts, record};
    use crate::scripted_server::{Answer, Line, ScriptedServer, say};

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_764_000_000_000 + millisecond).unwrap()
    }

    fn anna() -> Alias {
        Alias::new("anna").unwrap()
    }

    fn post(version: &str) -> Post {
        let version = ObjectVersion::Id(version.into());
        let source = Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version };
        Post::submit(anna(), source, None, at(90)).dropped(at(7))
    }

    #[test]
    fn only_a_post_that_stands_in_line_is_in_the_index() {
        let claimed = post("1").claim("worker-1", at(90)).unwrap();
        let waiting = claimed.clone().defer(POSTS, "", Duration::from_secs(5), at(90)).unwrap();
        let item = record::item_of(&waiting, at(90)).unwrap();
        assert_eq!(item.get(ACCOUNT_QUEUE), Some(&AttributeValue::S("anna".into())));
        assert_eq!(item.get(DROPPED_AT), Some(&AttributeValue::N("1764000000007".into())));
        assert_eq!(item.get("queue_not_before"), Some(&AttributeValue::N("1764000005090".into())));
        let aside = claimed.defer("source_unreadable", "", Duration::from_secs(5), at(90)).unwrap();
        let item = record::item_of(&aside, at(90)).unwrap();
        assert!(!item.contains_key(ACCOUNT_QUEUE) && !item.contains_key("queue_not_before"), "{item:?}");
        assert_eq!(record::post_of(&item).unwrap().dropped_at, at(7), "its place is kept for when it comes back");
    }

    fn entry(id: &PostId, ms: i64, mode: Option<&str>) -> Value {
        let mut item = json!({ "id": { "S": id.as_str() }, "account_queue": { "S": "anna" } });
        item["dropped_at"] = json!({ "N": (1_764_000_000_000_i64 + ms).to_string() });
        if let Some(mode) = mode {
            item["queue_mode"] = json!({ "S": mode });
        }
        item
    }

    /// A page, and after which post the next one begins, if there is one.
    fn page(items: &[Value], next: Option<&PostId>) -> Line {
        let mut page = json!({ "Items": items });
        if let Some(next) = next {
            page["LastEvaluatedKey"] = json!({ "id": { "S": next.as_str() } });
        }
        say(Answer::new(200, page.to_string()))
    }

    #[tokio::test]
    async fn a_line_is_read_page_by_page_in_the_order_dropped() {
        let (first, second) = (post("1").id.clone(), post("2").id.clone());
        let pages = [page(&[entry(&first, 1, Some("draft"))], Some(&first)), page(&[entry(&second, 2, None)], None)];
        let server = ScriptedServer::start(pages).await;
        let posts = Posts::new(server.dynamodb(), "posts");
        let line = posts.line(&anna(), at(5)).await.unwrap();
        assert_eq!(
            line.iter().map(|it| (&it.id, it.mode)).collect::<Vec<_>>(),
            [(&first, Some(Mode::Draft)), (&second, None)]
        );
        let asked = server.requests()[1].json();
        assert_eq!(asked["KeyConditionExpression"], "#account_queue = :account AND #dropped <= :until");
        assert_eq!(asked["ExpressionAttributeValues"][":until"], json!({ "N": "1764000000005" }));
        assert_eq!(asked["ExclusiveStartKey"], json!({ "id": { "S": first.as_str() } }));
    }

    #[tokio::test]
    async fn who_goes_next_in_a_mode_is_found_behind_any_number_of_the_other() {
        let (direct, draft) = (post("1").id.clone(), post("2").id.clone());
        let crowd: Vec<_> = (0..100).map(|n| entry(&direct, n, Some("direct"))).collect();
        let pages = [
            page(&crowd, Some(&direct)),
            page(&[entry(&draft, 100, Some("draft"))], None),
            page(&crowd, Some(&direct)),
        ];
        let server = ScriptedServer::start(pages).await;
        let posts = Posts::new(server.dynamodb(), "posts");
        let line = posts.front_of_account_queue(&anna(), Some(Mode::Draft)).await.unwrap();
        assert_eq!(line.last().map(|it| &it.id), Some(&draft));
        posts.front_of_account_queue(&anna(), Some(Mode::Direct)).await.unwrap();
        assert_eq!(server.requests().len(), 3, "where they stand in front, a page is enough");
    }

    #[tokio::test]
    async fn an_entry_that_is_no_post_keeps_nobody_from_its_turn() {
        let id = post("1").id.clone();
        let pages = [page(
            &[json!({ "id": { "S": id.as_str() }, "account_queue": { "S": "anna" } }), entry(&id, 2, None)],
            None,
        )];
        let server = ScriptedServer::start(pages).await;
        let line = Posts::new(server.dynamodb(), "posts").line(&anna(), at(5)).await.unwrap();
        assert_eq!(line.len(), 1);
    }
}
