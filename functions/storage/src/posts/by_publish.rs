//! The post of a publish. The index is sparse: a post is in it while it has a publish.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{PostId, PublishId};

use super::due::id_of;
use crate::aws::AwsError;
use crate::table::{StoreError, Table};

/// The index's name.
const INDEX: &str = "publish";
/// The index's partition.
const PUBLISH_ID: &str = "publish_id";

/// Finds the posts that have the publish.
pub(super) async fn find(table: &Table, id: &PublishId) -> Result<Vec<PostId>, StoreError> {
    let query = table.client().query().table_name(table.name()).index_name(INDEX);
    let query = query
        .key_condition_expression("#publish = :publish")
        .expression_attribute_names("#publish", PUBLISH_ID)
        .expression_attribute_values(":publish", AttributeValue::S(id.to_string()));
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on index publish)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    Ok(answer.items().iter().filter_map(|item| id_of(table, INDEX, item)).collect())
}
