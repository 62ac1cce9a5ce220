//! Finding accounts otherwise than by their alias: all of them, or by their user.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{Alias, OpenId};

use super::record::KEY;
use crate::aws::AwsError;
use crate::table::{Item, RecordError, StoreError, Table};

/// The index that knows accounts by their user.
const BY_USER: &str = "open_id";

/// Reads every account's item. There are as many as people have been connected
/// by hand, so the table is read as a whole.
pub(super) async fn all(table: &Table) -> Result<Vec<Item>, StoreError> {
    let mut items = Vec::new();
    let mut after: Option<Item> = None;
    loop {
        let scan = table.client().scan().table_name(table.name()).consistent_read(true);
        let page =
            scan.set_exclusive_start_key(after.take()).send().await.map_err(|error| {
                StoreError::of(table.name(), "dynamodb:Scan", AwsError::of("DynamoDB Scan", &error))
            })?;
        items.extend(page.items.unwrap_or_default());
        match page.last_evaluated_key {
            Some(key) => after = Some(key),
            None => return Ok(items),
        }
    }
}

/// Finds the aliases of a user. The index lags behind a little.
pub(super) async fn aliases_of(table: &Table, user: &OpenId) -> Result<Vec<Alias>, StoreError> {
    let query = table.client().query().table_name(table.name()).index_name(BY_USER);
    let query = query
        .key_condition_expression("#user = :user")
        .expression_attribute_names("#user", BY_USER)
        .expression_attribute_values(":user", AttributeValue::S(user.to_string()));
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on index open_id)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    answer.items().iter().map(|item| alias_of(table, item)).collect()
}

/// Reads an item's alias.
pub(super) fn alias_of(table: &Table, item: &Item) -> Result<Alias, StoreError> {
    let text = item.get(KEY).and_then(|key| key.as_s().ok()).map_or("", String::as_str);
    Alias::new(text).map_err(|error| StoreError::record(table.name(), text, RecordError::invalid(KEY, &error)))
}
