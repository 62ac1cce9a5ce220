//! The searches for accounts without an alias: for all accounts, or for those of a TikTok user.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{Alias, OpenId};

use super::record::KEY;
use crate::attribute;
use crate::table::{Item, RecordError, StoreError, Table};

/// The name and the partition key of the index by user.
const BY_USER: &str = "open_id";

/// Reads the items of all accounts. A person connects each account by hand, so there are few enough to scan the
/// whole table.
pub(super) async fn all(table: &Table) -> Result<Vec<Item>, StoreError> {
    let mut items = Vec::new();
    let mut start: Option<Item> = None;
    loop {
        let scan = table.client().scan().table_name(table.name()).consistent_read(true);
        let page = scan.set_exclusive_start_key(start.take()).send().await;
        let page = page.map_err(|error| table.error("DynamoDB Scan", "dynamodb:Scan on the table", &error))?;
        items.extend(page.items.unwrap_or_default());
        match page.last_evaluated_key {
            Some(key) => start = Some(key),
            None => return Ok(items),
        }
    }
}

/// Finds the aliases of a user. The index is eventually consistent. One page is enough, because a user has at most one
/// account.
pub(super) async fn aliases_of(table: &Table, user: &OpenId) -> Result<Vec<Alias>, StoreError> {
    let query = table
        .query(BY_USER)
        .key_condition_expression("#user = :user")
        .expression_attribute_names("#user", BY_USER)
        .expression_attribute_values(":user", AttributeValue::S(user.to_string()));
    let page = table.send(BY_USER, query).await?;
    page.items().iter().map(|item| alias_of(table, item)).collect()
}

/// Reads the alias of an item.
pub(super) fn alias_of(table: &Table, item: &Item) -> Result<Alias, StoreError> {
    let text = attribute::text(item, KEY);
    Alias::new(text).map_err(|error| table.invalid(text, RecordError::invalid(KEY, &error)))
}
