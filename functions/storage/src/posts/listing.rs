//! Posts as people look them up: an account's, or everybody's; of one state; of a
//! time; the newest first, a page at a time.
//!
//! An account's come from the index `account`, which has whole posts. Everybody's
//! come from `time`, which has all posts in one partition: it is written when a
//! post's state changes and not for each chunk, some five times in a post's life. A
//! partition takes a thousand writes a second, and so two hundred posts, far more
//! than TikTok's limits let through. It names posts, and they are read then.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::PostId;
use domain::listing::{Cursor, PostFilter};
use jiff::Timestamp;

use super::record::{ACCOUNT, CREATED_AT, KEY, KIND, POST, STATE};
use crate::attribute::Millis;
use crate::aws::AwsError;
use crate::table::{Item, StoreError, Table};

/// How many items are looked at for one page, in so many queries: of a state that
/// is rare, a page may be short of posts and not the last.
const QUERIES: u32 = 10;
const A_QUERY: i32 = 100;

/// Items of an index, and where the next page begins.
pub(super) type Page = (Vec<Item>, Option<Cursor>);

/// Where an item of an index stands in it.
fn place_of(item: &Item) -> Option<Cursor> {
    let id = PostId::new(item.get(KEY)?.as_s().ok()?).ok()?;
    Cursor::new(item.get(CREATED_AT)?.as_n().ok()?.parse().ok()?, id).ok()
}

/// A place has whole milliseconds.
fn submitted(place: &Cursor) -> Millis {
    Millis::floor(place.created_at())
}

/// The first and the last millisecond that a list is about.
fn bounds(wanted: &PostFilter) -> (Millis, Millis) {
    let since = Millis::ceil(wanted.since.unwrap_or(Timestamp::MIN));
    // Whole milliseconds are kept: what was submitted before this is at most the one before it.
    (since, Millis::ceil(wanted.before.unwrap_or(Timestamp::MAX)).before())
}

/// Reads the page that follows `after`, or the first one.
pub(super) async fn page(
    table: &Table,
    wanted: &PostFilter,
    after: Option<Cursor>,
    most: usize,
) -> Result<Page, StoreError> {
    let (since, until) = bounds(wanted);
    // DynamoDB refuses a place that is outside of what is asked for, and a time that ends before it begins.
    if since > until || after.as_ref().is_some_and(|place| submitted(place) < since) {
        return Ok((Vec::new(), None));
    }
    let mut after = after.filter(|place| submitted(place) <= until);
    let mut found = Vec::new();
    for _ in 0..QUERIES {
        let (items, next) = query(table, wanted, after.as_ref()).await?;
        for item in items {
            after = place_of(&item);
            found.push(item);
            if found.len() == most {
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

async fn query(table: &Table, wanted: &PostFilter, after: Option<&Cursor>) -> Result<Page, StoreError> {
    let (index, name, value) = match &wanted.account {
        Some(alias) => (ACCOUNT, ACCOUNT, alias.as_str()),
        None => ("time", KIND, POST),
    };
    let (since, until) = bounds(wanted);
    let start = after.map(|place| {
        Item::from([
            (KEY.to_owned(), AttributeValue::S(place.id().to_string())),
            (name.to_owned(), AttributeValue::S(value.to_owned())),
            (CREATED_AT.to_owned(), submitted(place).value()),
        ])
    });
    let query = table.client().query().table_name(table.name()).index_name(index);
    let mut query = query
        .key_condition_expression("#whose = :whose AND #created BETWEEN :since AND :until")
        .expression_attribute_names("#whose", name)
        .expression_attribute_names("#created", CREATED_AT)
        .expression_attribute_values(":whose", AttributeValue::S(value.to_owned()))
        .expression_attribute_values(":since", since.value())
        .expression_attribute_values(":until", until.value())
        .scan_index_forward(false)
        .limit(A_QUERY)
        .set_exclusive_start_key(start);
    if let Some(state) = wanted.state {
        query = query
            .filter_expression("#state = :state")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":state", AttributeValue::S(state.as_str().to_owned()));
    }
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on indexes account and time)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    let next = answer.last_evaluated_key.as_ref().and_then(place_of);
    Ok((answer.items.unwrap_or_default(), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::ScriptedServer;

    #[tokio::test]
    async fn what_can_hold_no_post_is_not_asked_for() {
        let server = ScriptedServer::start([]).await;
        let table = Table::new(server.dynamodb(), "posts".to_owned(), KEY);
        let at = |second| Timestamp::from_second(second).unwrap();
        let listing =
            |since, before| PostFilter { since: Some(at(since)), before: Some(at(before)), ..PostFilter::default() };
        let place = Cursor::new(1_000, PostId::new("a".repeat(32)).unwrap()).unwrap();
        for (wanted, after) in [(listing(9, 5), None), (listing(5, 5), None), (listing(5, 9), Some(place))] {
            assert_eq!(page(&table, &wanted, after, 20).await.unwrap(), (vec![], None), "{wanted:?}");
        }
        assert_eq!(server.requests().len(), 0);
    }
}
