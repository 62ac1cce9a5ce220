//! The due index, read a page at a time.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::PostId;
use jiff::Timestamp;

use super::Shard;
use super::record::{DUE_AT, DUE_SHARD, KEY};
use crate::attribute::Millis;
use crate::aws::AwsError;
use crate::table::{Item, StoreError, Table};

/// The index's name.
const INDEX: &str = "due";
/// How many posts a page has at most.
const PAGE: i32 = 50;

/// Where a page ended, and the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct PageKey(Item);

impl PageKey {
    /// Takes the key at which a page ended.
    pub(super) fn of(key: Item) -> Self {
        Self(key)
    }

    /// The key after which the next page begins.
    pub(super) fn into_key(self) -> Item {
        self.0
    }
}

/// A page of posts that are due.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePage {
    /// The posts, the longest due first.
    pub ids: Vec<PostId>,
    /// Since when the first of them has been due.
    since: Option<Timestamp>,
    /// Where the next page begins, if there may be more.
    pub next: Option<PageKey>,
}

impl DuePage {
    /// Takes the first post off, if the time since which it has been due is as wanted.
    pub fn take_if(&mut self, wanted: impl FnOnce(Timestamp) -> bool) -> Option<PostId> {
        self.since.take_if(|since| !self.ids.is_empty() && wanted(*since)).map(|_| self.ids.remove(0))
    }
}

/// Reads the page that follows `after`, or the first one.
pub(super) async fn page(
    table: &Table,
    now: Timestamp,
    shard: Shard,
    after: Option<PageKey>,
) -> Result<DuePage, StoreError> {
    let query = table.client().query().table_name(table.name()).index_name(INDEX).limit(PAGE);
    let query = query
        .key_condition_expression("#shard = :shard AND #due <= :now")
        .expression_attribute_names("#shard", DUE_SHARD)
        .expression_attribute_names("#due", DUE_AT)
        .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
        .expression_attribute_values(":now", Millis::floor(now).value())
        .scan_index_forward(true)
        .set_exclusive_start_key(after.map(PageKey::into_key));
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on index due)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    let posts: Vec<_> = answer.items().iter().filter_map(|item| Some((id_of(table, INDEX, item)?, item))).collect();
    let since = posts.first().and_then(|(_, item)| due_of(item));
    let ids = posts.into_iter().map(|(id, _)| id).collect();
    Ok(DuePage { ids, since, next: answer.last_evaluated_key.map(PageKey::of) })
}

/// Since when an entry has been due.
fn due_of(item: &Item) -> Option<Timestamp> {
    Timestamp::from_millisecond(item.get(DUE_AT)?.as_n().ok()?.parse().ok()?).ok()
}

/// Reads an entry's id. One that is none is passed over, so that it cannot keep
/// the posts behind it from being found.
pub(super) fn id_of(table: &Table, index: &str, item: &Item) -> Option<PostId> {
    let text = item.get(KEY).and_then(|key| key.as_s().ok()).map_or("", String::as_str);
    PostId::new(text)
        .inspect_err(
            |error| tracing::warn!(table = table.name(), index, error = %error, "an item of an index is no post"),
        )
        .ok()
}
