//! The index `due`, read one page at a time. Each shard of it is one partition ([`Shard`]).

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::PostId;
use jiff::Timestamp;

use super::Shard;
use super::record::{DUE_AT, DUE_SHARD, KEY};
use crate::attribute::{self, Millis};
use crate::table::{Item, StoreError, Table};

/// The index's name.
const INDEX: &str = "due";
/// How many posts a page contains at most.
const PAGE_SIZE: i32 = 50;

/// The key after which the next page of an index begins.
#[derive(Debug, Clone, PartialEq)]
pub struct PageKey(Item);

impl PageKey {
    /// Takes DynamoDB's last evaluated key.
    pub(super) fn of(key: Item) -> Self {
        Self(key)
    }

    /// DynamoDB's exclusive start key.
    pub(super) fn into_key(self) -> Item {
        self.0
    }
}

/// A page of due posts.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePage {
    /// The posts, the longest due first.
    pub ids: Vec<PostId>,
    /// The due time of `ids[0]`; none after [`take_if`](Self::take_if) has taken that post.
    first_due_at: Option<Timestamp>,
    /// Where the next page begins, if there may be more.
    pub next: Option<PageKey>,
}

impl DuePage {
    /// Takes the page's first post if the predicate accepts its due time. Takes at most one post: the page keeps no
    /// other due time.
    pub fn take_if(&mut self, predicate: impl FnOnce(Timestamp) -> bool) -> Option<PostId> {
        self.first_due_at.take_if(|due| !self.ids.is_empty() && predicate(*due)).map(|_| self.ids.remove(0))
    }
}

/// Reads the page after `after`, or the first page.
pub(super) async fn page(
    table: &Table,
    now: Timestamp,
    shard: Shard,
    after: Option<PageKey>,
) -> Result<DuePage, StoreError> {
    let query = table
        .query(INDEX)
        .limit(PAGE_SIZE)
        .key_condition_expression("#shard = :shard AND #due <= :now")
        .expression_attribute_names("#shard", DUE_SHARD)
        .expression_attribute_names("#due", DUE_AT)
        .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
        .expression_attribute_values(":now", Millis::floor(now).value())
        .scan_index_forward(true)
        .set_exclusive_start_key(after.map(PageKey::into_key));
    let page = table.send(INDEX, query).await?;
    let posts: Vec<_> = page.items().iter().filter_map(|item| Some((id_or_skip(table, INDEX, item)?, item))).collect();
    let first_due_at = posts.first().and_then(|(_, item)| due_at_of(item));
    let ids = posts.into_iter().map(|(id, _)| id).collect();
    Ok(DuePage { ids, first_due_at, next: page.last_evaluated_key.map(PageKey::of) })
}

fn due_at_of(item: &Item) -> Option<Timestamp> {
    Timestamp::from_millisecond(item.get(DUE_AT)?.as_n().ok()?.parse().ok()?).ok()
}

/// Reads the post id of an index entry. An invalid entry is skipped, so that it does not hide other posts.
pub(super) fn id_or_skip(table: &Table, index: &str, item: &Item) -> Option<PostId> {
    let warn = |error: &_| tracing::warn!(table = table.name(), index, error = %error, "invalid entry skipped");
    PostId::new(attribute::text(item, KEY)).inspect_err(warn).ok()
}
