//! A change of a post, read from a record of the table's stream: the post before and after a write. The function
//! `notices` makes an event of it.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html>

use domain::post::Post;
use domain::post_event::Change;
use serde::Deserialize;
use serde_json::Value;

use super::record;
use crate::table::{Item, Record, RecordError, revision_of};

/// The images of a stream record, in DynamoDB's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    old_image: Option<serde_dynamo::Item>,
    new_image: Option<serde_dynamo::Item>,
}

/// Reads the change of a stream record; none if the write deleted the post.
///
/// # Errors
/// An image is not a post that this version of the crate writes.
pub fn change_of(record: &Value) -> Result<Option<Change>, RecordError> {
    let images = Images::deserialize(record).map_err(|error| RecordError::invalid("NewImage", &error))?;
    let Some(new) = images.new_image.map(Item::from) else { return Ok(None) };
    let before = images.old_image.map(|old| Post::from_item(&Item::from(old))).transpose()?;
    let after = Post::from_item(&new)?;
    Ok(Some(Change { before, after, sequence: revision_of(&new)?.number(), at: record::written_at(&new)? }))
}
