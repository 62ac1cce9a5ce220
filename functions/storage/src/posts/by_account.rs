//! The index `account`, read for an account's open posts.
//!
//! The index contains every post of the account. DynamoDB also reads and charges for the posts that are not open, and
//! omits them from the result. The query is therefore for rare operations on a whole account.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::Alias;

use super::PageKey;
use super::record::DUE_AT;
use crate::table::{Item, StoreError, Table};

/// The name and the partition key of the index.
const INDEX: &str = "account";

/// Reads the page after `after`, or the first page: the items, the oldest post first, and the next page's key.
pub(super) async fn page(
    table: &Table,
    alias: &Alias,
    after: Option<PageKey>,
) -> Result<(Vec<Item>, Option<PageKey>), StoreError> {
    let query = table
        .query(INDEX)
        .key_condition_expression("#account = :account")
        .filter_expression("attribute_exists(#due)")
        .expression_attribute_names("#account", INDEX)
        .expression_attribute_names("#due", DUE_AT)
        .expression_attribute_values(":account", AttributeValue::S(alias.to_string()))
        .set_exclusive_start_key(after.map(PageKey::into_key));
    let page = table.send(INDEX, query).await?;
    Ok((page.items.unwrap_or_default(), page.last_evaluated_key.map(PageKey::of)))
}
