//! What a write did to a post, as the table's stream tells it: the item before
//! and after.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html>

use domain::post_event::Change;
use serde::Deserialize;
use serde_json::Value;

use super::record;
use crate::table::{Item, RecordError, revision_of};

/// The images of a record, in DynamoDB's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    old_image: Option<serde_dynamo::Item>,
    new_image: Option<serde_dynamo::Item>,
}

/// Reads what a record's write did; nothing, where it deleted the post.
///
/// # Errors
/// The item is none that this version of the crate writes.
pub fn change_of(record: &Value) -> Result<Option<Change>, RecordError> {
    let images = Images::deserialize(record).map_err(|error| RecordError::invalid("NewImage", &error))?;
    let Some(new) = images.new_image.map(Item::from) else { return Ok(None) };
    let before = images.old_image.map(|old| record::post_of(&Item::from(old))).transpose()?;
    let after = record::post_of(&new)?;
    Ok(Some(Change { before, after, sequence: revision_of(&new)?.number(), at: record::written_at(&new)? }))
}
