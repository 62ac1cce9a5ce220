//! The line index: an account's posts that could be begun, the first dropped
//! first, under the account's own key, so that accounts never share a partition.
//!
//! Like `due` it may lag behind, and names posts that have just gone.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{Alias, PostId};
use domain::options::Mode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{DROPPED_AT, LINE};
use crate::attribute::{self, Millis};
use crate::aws::AwsError;
use crate::table::{Item, RecordError, StoreError, Table};

/// The index's name.
const INDEX: &str = "line";
/// How many posts of a line are read at most. Who stands further behind is told
/// to come when these have gone, and sees further then.
const MOST: usize = 2000;
/// How many are read where only who goes next is looked for: more than can have
/// taken their turns and not left the line yet.
const FRONT: i32 = 100;

/// A post that stands in its account's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InLine {
    /// The post.
    pub id: PostId,
    /// When its video was dropped.
    pub dropped_at: Timestamp,
    /// Its mode; unknown until its options have been read.
    pub mode: Option<Mode>,
    /// When it tries next, where it sleeps until then.
    pub sleeps_until: Option<Timestamp>,
}

/// What the index has of a post beside its keys.
#[derive(Debug, Serialize, Deserialize)]
struct InLineRecord {
    id: PostId,
    dropped_at: Millis,
    line_mode: Option<Mode>,
    line_sleeps_until: Option<Millis>,
}

/// Reads the line from its head up to those who were dropped at `until`.
pub(super) async fn read(table: &Table, account: &Alias, until: Timestamp) -> Result<Vec<InLine>, StoreError> {
    pages(table, account, until, None).await
}

/// Reads the front of the line.
pub(super) async fn front(table: &Table, account: &Alias) -> Result<Vec<InLine>, StoreError> {
    pages(table, account, Timestamp::MAX, Some(FRONT)).await
}

async fn pages(
    table: &Table,
    account: &Alias,
    until: Timestamp,
    limit: Option<i32>,
) -> Result<Vec<InLine>, StoreError> {
    let mut line = Vec::new();
    let mut after = None;
    loop {
        let query = table.client().query().table_name(table.name()).index_name(INDEX);
        let query = query
            .key_condition_expression("#line = :account AND #dropped <= :until")
            .expression_attribute_names("#line", LINE)
            .expression_attribute_names("#dropped", DROPPED_AT)
            .expression_attribute_values(":account", AttributeValue::S(account.as_str().to_owned()))
            .expression_attribute_values(":until", Millis::floor(until).value())
            .scan_index_forward(true)
            .set_limit(limit)
            .set_exclusive_start_key(after.take());
        let answer = query.send().await.map_err(|error| {
            let permission = "dynamodb:Query (on index line)";
            StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
        })?;
        for item in answer.items() {
            line.push(in_line(item).map_err(|error| StoreError::record(table.name(), account.as_str(), error))?);
        }
        after = answer.last_evaluated_key;
        if after.is_none() || limit.is_some() || line.len() >= MOST {
            break;
        }
    }
    line.sort_by(|a: &InLine, b| (a.dropped_at, &a.id).cmp(&(b.dropped_at, &b.id)));
    Ok(line)
}

fn in_line(item: &Item) -> Result<InLine, RecordError> {
    let record: InLineRecord = attribute::record_of(item)?;
    Ok(InLine {
        id: record.id,
        dropped_at: record.dropped_at.instant(DROPPED_AT)?,
        mode: record.line_mode,
        sleeps_until: record.line_sleeps_until.map(|at| at.instant("line_sleeps_until")).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use domain::budget::POSTS;
    use domain::post::Post;
    use domain::source::{ObjectVersion, Source};
    use serde_json::{Value, json};
    use std::time::Duration;

    use super::*;
    use crate::posts::{Posts, record};
    use crate::scripted_server::{Answer, ScriptedServer, say};

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
        assert_eq!(item.get(LINE), Some(&AttributeValue::S("anna".into())));
        assert_eq!(item.get(DROPPED_AT), Some(&AttributeValue::N("1764000000007".into())));
        assert_eq!(item.get("line_sleeps_until"), Some(&AttributeValue::N("1764000005090".into())));
        let aside = claimed.defer("source_unreadable", "", Duration::from_secs(5), at(90)).unwrap();
        let item = record::item_of(&aside, at(90)).unwrap();
        assert!(!item.contains_key(LINE) && !item.contains_key("line_sleeps_until"), "{item:?}");
        assert_eq!(record::post_of(&item).unwrap().dropped_at, at(7), "its place is kept for when it comes back");
    }

    #[tokio::test]
    async fn a_line_is_read_page_by_page_in_the_order_dropped() {
        let entry = |id: &PostId, ms: i64, mode: Option<&str>| {
            let mut item = json!({ "id": { "S": id.as_str() }, "line": { "S": "anna" } });
            item["dropped_at"] = json!({ "N": (1_764_000_000_000_i64 + ms).to_string() });
            if let Some(mode) = mode {
                item["line_mode"] = json!({ "S": mode });
            }
            item
        };
        let (first, second) = (post("1").id.clone(), post("2").id.clone());
        let page = |items: Value, next: Value| {
            let mut page = json!({ "Items": items });
            if !next.is_null() {
                page["LastEvaluatedKey"] = next;
            }
            say(Answer::new(200, page.to_string()))
        };
        let key = json!({ "id": { "S": first.as_str() } });
        let pages = [
            page(json!([entry(&first, 1, Some("draft"))]), key.clone()),
            page(json!([entry(&second, 2, None)]), Value::Null),
        ];
        let server = ScriptedServer::start(pages).await;
        let posts = Posts::new(server.dynamodb(), "posts");
        let line = posts.line(&anna(), at(5)).await.unwrap();
        assert_eq!(
            line.iter().map(|it| (&it.id, it.mode)).collect::<Vec<_>>(),
            [(&first, Some(Mode::Draft)), (&second, None)]
        );
        let asked = server.requests()[1].json();
        assert_eq!(asked["KeyConditionExpression"], "#line = :account AND #dropped <= :until");
        assert_eq!(asked["ExpressionAttributeValues"][":until"], json!({ "N": "1764000000005" }));
        assert_eq!(asked["ExclusiveStartKey"], key);
    }
}
