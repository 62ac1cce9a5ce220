//! The inbox: what TikTok said by itself, and what came of it.
//!
//! It is a record for people: nothing is decided by it. An item is known by its
//! body, so that one that comes again is kept once, and goes after [`KEPT`].

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use domain::identity::{OpenId, PostId, PublishId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::attribute;
use crate::table::{Condition, Put, StoreError, Table};

/// The table's key.
const KEY: &str = "body_sha256";
/// How long an item is kept: far longer than TikTok goes on repeating.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Something that TikTok said, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRecord<'a> {
    /// The body, as it came.
    pub body: &'a str,
    /// The event's name, in TikTok's words.
    pub event: &'a str,
    /// Which publish it is about, if any.
    pub publish_id: Option<&'a PublishId>,
    /// Whom it concerns, where TikTok says so.
    pub user: Option<&'a OpenId>,
    /// When it came to be, by TikTok's clock.
    pub at: Timestamp,
    /// Which post it was about, where one was found.
    pub post: Option<&'a PostId>,
    /// What came of it, for people.
    pub outcome: &'a str,
}

/// `remove_at` is DynamoDB's: seconds since 1970, after which it may remove the item.
#[derive(Debug, Serialize, Deserialize)]
struct WebhookItem {
    body_sha256: String,
    body: String,
    event: String,
    publish_id: Option<PublishId>,
    user_open_id: Option<OpenId>,
    event_at: Timestamp,
    post_id: Option<PostId>,
    outcome: String,
    received_at: Timestamp,
    remove_at: i64,
}

/// The table of what TikTok said.
#[derive(Debug, Clone)]
pub struct WebhookLog {
    table: Table,
}

impl WebhookLog {
    /// Takes the table by its name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), KEY) }
    }

    /// Keeps a letter. One that is there already stays as it is.
    ///
    /// # Errors
    /// It may not be kept: also where it was there already, and is gone.
    pub async fn keep(&self, letter: &WebhookRecord<'_>, now: Timestamp) -> Result<(), StoreError> {
        let record = WebhookItem {
            body_sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(letter.body)),
            body: letter.body.to_owned(),
            event: letter.event.to_owned(),
            publish_id: letter.publish_id.cloned(),
            user_open_id: letter.user.cloned(),
            event_at: letter.at,
            post_id: letter.post.cloned(),
            outcome: letter.outcome.to_owned(),
            received_at: now,
            remove_at: (now + KEPT).as_second(),
        };
        let item = attribute::item_of(&record)
            .map_err(|error| StoreError::record(self.table.name(), &record.body_sha256, error))?;
        match self.table.put(item, Condition::Absent).await? {
            Put::Done(_) | Put::Refused(Some(_)) => Ok(()),
            Put::Refused(None) => {
                Err(StoreError::Deleted { table: self.table.name().to_owned(), key: record.body_sha256 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::{Answer, ScriptedServer, say};
    use serde_json::json;

    #[tokio::test]
    async fn a_letter_that_comes_again_is_kept_once_and_for_a_month() {
        let there = json!({ "__type": "ConditionalCheckFailedException",
            "Item": { "body_sha256": { "S": "x" }, "write_token": { "S": "theirs" } } });
        let script = [say(Answer::new(200, "{}")), say(Answer::new(400, there.to_string()))];
        let server = ScriptedServer::start(script).await;
        let inbox = WebhookLog::new(server.dynamodb(), "inbox");
        let at = Timestamp::UNIX_EPOCH;
        let (body, event) = (r#"{"event":"x"}"#, "x");
        let letter = WebhookRecord { body, event, publish_id: None, user: None, at, post: None, outcome: "nothing" };
        inbox.keep(&letter, at).await.unwrap();
        inbox.keep(&letter, at + Duration::from_secs(9)).await.unwrap();
        let asked: Vec<_> = server.requests().iter().map(crate::scripted_server::Request::json).collect();
        assert_eq!(asked[0]["Item"]["body_sha256"], asked[1]["Item"]["body_sha256"]);
        assert_eq!(asked[0]["Item"]["remove_at"], json!({ "N": "2592000" }));
        assert_eq!(asked[0]["Item"]["body"], json!({ "S": body }));
        assert_eq!(asked[1]["ConditionExpression"], "attribute_not_exists(#key)");
    }
    #[tokio::test]
    async fn a_letter_that_was_there_and_is_gone_is_not_kept() {
        let there = json!({ "__type": "ConditionalCheckFailedException" });
        let script = [say(Answer::new(400, there.to_string())), say(Answer::new(200, "{}"))];
        let server = ScriptedServer::start(script).await;
        let at = Timestamp::UNIX_EPOCH;
        let letter =
            WebhookRecord { body: "{}", event: "x", publish_id: None, user: None, at, post: None, outcome: "nothing" };
        let kept = WebhookLog::new(server.dynamodb(), "inbox").keep(&letter, at).await;
        assert!(matches!(kept, Err(StoreError::Deleted { .. })), "{kept:?}");
    }
}
