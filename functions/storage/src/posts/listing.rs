//! The lists of posts by account, state and creation time, the newest first, read one page at a time.
//!
//! The list of one account uses the index `account`, which contains whole posts. The list of all accounts uses the
//! index `time`, which contains only keys, accounts and states; [`Posts::list`](super::Posts::list) reads the
//! posts afterwards.
//!
//! All posts are in one partition of `time`. DynamoDB writes an entry only if an attribute of the index changes: with
//! the state, about five times in the life of a post, and not with each chunk. A partition accepts 1,000 writes per
//! second, so it accepts 200 posts per second, which is far more than TikTok's limits permit.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::PostId;
use domain::listing::{Cursor, PostFilter};
use jiff::Timestamp;

use super::record::{ACCOUNT, CREATED_AT, KEY, KIND, POST, STATE};
use crate::attribute::{self, Millis};
use crate::table::{Item, StoreError, Table};

/// How many queries are made for one page at most. If few posts have the filter's state, the page can therefore be
/// short although more pages follow.
const MAX_QUERIES: u32 = 10;
/// How many items one query reads at most, before the state filter is applied.
const QUERY_LIMIT: i32 = 100;

/// Items of an index, and the cursor of the next page.
pub(super) type Page = (Vec<Item>, Option<Cursor>);

/// The position of an index entry.
fn cursor_of(item: &Item) -> Option<Cursor> {
    let id = PostId::new(attribute::text(item, KEY)).ok()?;
    Cursor::new(item.get(CREATED_AT)?.as_n().ok()?.parse().ok()?, id).ok()
}

/// The creation time at a cursor, which has whole milliseconds.
fn created_at(cursor: &Cursor) -> Millis {
    Millis::floor(cursor.created_at())
}

/// The first and the last creation time that match a filter, both inclusive.
fn bounds(filter: &PostFilter) -> (Millis, Millis) {
    let since = Millis::ceil(filter.since.unwrap_or(Timestamp::MIN));
    // Creation times are stored in whole milliseconds, so a time before `before` is at most the previous one.
    (since, Millis::ceil(filter.before.unwrap_or(Timestamp::MAX)).previous())
}

/// Reads the page after `after`, or the first page.
pub(super) async fn page(
    table: &Table,
    filter: &PostFilter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let (since, until) = bounds(filter);
    // DynamoDB rejects a start key outside of the queried range, and a range that ends before it begins.
    if since > until || after.as_ref().is_some_and(|cursor| created_at(cursor) < since) {
        return Ok((Vec::new(), None));
    }
    let mut after = after.filter(|cursor| created_at(cursor) <= until);
    let mut found = Vec::new();
    for _ in 0..MAX_QUERIES {
        let (items, next) = query(table, filter, after.as_ref()).await?;
        for item in items {
            after = cursor_of(&item);
            found.push(item);
            if found.len() == limit {
                return Ok((found, after));
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok((found, after))
}

async fn query(table: &Table, filter: &PostFilter, after: Option<&Cursor>) -> Result<Page, StoreError> {
    let (index, partition_key, partition) = match &filter.account {
        Some(alias) => (ACCOUNT, ACCOUNT, alias.as_str()),
        None => ("time", KIND, POST),
    };
    let (since, until) = bounds(filter);
    let start = after.map(|cursor| {
        Item::from([
            (KEY.to_owned(), AttributeValue::S(cursor.id().to_string())),
            (partition_key.to_owned(), AttributeValue::S(partition.to_owned())),
            (CREATED_AT.to_owned(), created_at(cursor).value()),
        ])
    });
    let mut query = table
        .query(index)
        .key_condition_expression("#partition = :partition AND #created BETWEEN :since AND :until")
        .expression_attribute_names("#partition", partition_key)
        .expression_attribute_names("#created", CREATED_AT)
        .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()))
        .expression_attribute_values(":since", since.value())
        .expression_attribute_values(":until", until.value())
        .scan_index_forward(false)
        .limit(QUERY_LIMIT)
        .set_exclusive_start_key(start);
    if let Some(state) = filter.state {
        query = query
            .filter_expression("#state = :state")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":state", AttributeValue::S(state.as_str().to_owned()));
    }
    let page = table.send(index, query).await?;
    let next = page.last_evaluated_key.as_ref().and_then(cursor_of);
    Ok((page.items.unwrap_or_default(), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_aws::{ScriptedAws, ScriptedServer};

    #[tokio::test]
    async fn filter_that_matches_nothing_sends_no_query() {
        let server = ScriptedServer::start([]).await;
        let table = Table::new(server.dynamodb(), "posts".to_owned(), KEY);
        let at = |second| Timestamp::from_second(second).unwrap();
        let filter =
            |since, before| PostFilter { since: Some(at(since)), before: Some(at(before)), ..PostFilter::default() };
        let early = Cursor::new(1_000, PostId::new("a".repeat(32)).unwrap()).unwrap();
        for (filter, after) in [(filter(9, 5), None), (filter(5, 5), None), (filter(5, 9), Some(early))] {
            assert_eq!(page(&table, &filter, after, 20).await.unwrap(), (vec![], None), "{filter:?}");
        }
        assert_eq!(server.requests().len(), 0);
    }
}
