//! An account's posts that are not at an end, a page at a time.
//!
//! The index has all posts of an account; those at an end are read and left
//! out, so this is for the rare occasions that concern a whole account.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::Alias;

use super::PageKey;
use super::record::DUE_AT;
use crate::aws::AwsError;
use crate::table::{Item, StoreError, Table};

/// The index's name, and its partition's.
const INDEX: &str = "account";

/// Reads the page that follows `after`, or the first one: the items, the oldest
/// post first, and where the next page begins.
pub(super) async fn page(
    table: &Table,
    alias: &Alias,
    after: Option<PageKey>,
) -> Result<(Vec<Item>, Option<PageKey>), StoreError> {
    let query = table.client().query().table_name(table.name()).index_name(INDEX);
    let query = query
        .key_condition_expression("#account = :account")
        .filter_expression("attribute_exists(#due)")
        .expression_attribute_names("#account", INDEX)
        .expression_attribute_names("#due", DUE_AT)
        .expression_attribute_values(":account", AttributeValue::S(alias.to_string()))
        .set_exclusive_start_key(after.map(PageKey::into_key));
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on index account)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.map(PageKey::of)))
}
