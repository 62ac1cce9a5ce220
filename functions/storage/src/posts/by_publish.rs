//! The index `publish`: finds a post by its publish id. The index is sparse: it contains a post while the post has
//! a publish id.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{PostId, PublishId};

use super::due::id_or_skip;
use crate::table::{StoreError, Table};

/// The index's name.
const INDEX: &str = "publish";
/// The index's partition key.
const PUBLISH_ID: &str = "publish_id";

/// Finds the posts with this publish id.
pub(super) async fn find(table: &Table, id: &PublishId) -> Result<Vec<PostId>, StoreError> {
    let query = table
        .query(INDEX)
        .key_condition_expression("#publish = :publish")
        .expression_attribute_names("#publish", PUBLISH_ID)
        .expression_attribute_values(":publish", AttributeValue::S(id.to_string()));
    let page = table.send(INDEX, query).await?;
    Ok(page.items().iter().filter_map(|item| id_or_skip(table, INDEX, item)).collect())
}
