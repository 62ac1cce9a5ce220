//! The webhooks table: every webhook that TikTok sent, and what the API did with it.
//!
//! The table is a record for people. No decision depends on it. The key is the hash of the webhook's body, so a
//! webhook that TikTok sends again is stored once. DynamoDB removes a record after [`RETENTION`].

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
/// How long a record is kept: 30 days, far longer than the 72 hours for which TikTok repeats a webhook.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// A webhook, and what the API did with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRecord<'a> {
    /// The body as it was received.
    pub body: &'a str,
    /// TikTok's name of the event.
    pub event: &'a str,
    /// The publish that the event is about, if any.
    pub publish_id: Option<&'a PublishId>,
    /// The TikTok user that the event is about, if the webhook names one.
    pub user: Option<&'a OpenId>,
    /// When the event happened, by TikTok's clock.
    pub at: Timestamp,
    /// The post that the event is about, if one was found.
    pub post: Option<&'a PostId>,
    /// What the API did, for people.
    pub outcome: &'a str,
}

/// `remove_at` is the table's time-to-live attribute, in seconds since 1970: DynamoDB may remove the item after it.
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

/// The webhooks table.
#[derive(Debug, Clone)]
pub struct WebhookLog {
    table: Table,
}

impl WebhookLog {
    /// Uses the table with this name.
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), KEY) }
    }

    /// Stores a webhook. A record of the same body is left unchanged.
    ///
    /// # Errors
    /// The record may not have been stored. [`StoreError::Deleted`]: a record of the same body existed and was removed
    /// during the call.
    pub async fn keep(&self, webhook: &WebhookRecord<'_>, now: Timestamp) -> Result<(), StoreError> {
        let record = WebhookItem {
            body_sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(webhook.body)),
            body: webhook.body.to_owned(),
            event: webhook.event.to_owned(),
            publish_id: webhook.publish_id.cloned(),
            user_open_id: webhook.user.cloned(),
            event_at: webhook.at,
            post_id: webhook.post.cloned(),
            outcome: webhook.outcome.to_owned(),
            received_at: now,
            remove_at: (now + RETENTION).as_second(),
        };
        let item = attribute::item_of(&record).map_err(|error| self.table.invalid(&record.body_sha256, error))?;
        match self.table.put(item, Condition::Absent).await? {
            Put::Written(_) | Put::ConditionFailed(Some(_)) => Ok(()),
            Put::ConditionFailed(None) => Err(self.table.deleted(&record.body_sha256)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_aws::{Reply, Request, ScriptedAws, ScriptedServer, condition_failed, dynamodb_error, reply};
    use serde_json::json;

    fn webhook(body: &str) -> WebhookRecord<'_> {
        let at = Timestamp::UNIX_EPOCH;
        WebhookRecord { body, event: "x", publish_id: None, user: None, at, post: None, outcome: "ignored" }
    }

    #[tokio::test]
    async fn repeated_webhook_is_stored_once_for_thirty_days() {
        let existing = json!({ "body_sha256": { "S": "x" }, "write_token": { "S": "other" } });
        let script = [reply(Reply::new(200, "{}")), reply(condition_failed(&existing))];
        let server = ScriptedServer::start(script).await;
        let log = WebhookLog::new(server.dynamodb(), "webhooks");
        let (at, body) = (Timestamp::UNIX_EPOCH, r#"{"event":"x"}"#);
        log.keep(&webhook(body), at).await.unwrap();
        log.keep(&webhook(body), at + Duration::from_secs(9)).await.unwrap();
        let requests: Vec<_> = server.requests().iter().map(Request::json).collect();
        assert_eq!(requests[0]["Item"]["body_sha256"], requests[1]["Item"]["body_sha256"]);
        assert_eq!(requests[0]["Item"]["remove_at"], json!({ "N": "2592000" }));
        assert_eq!(requests[0]["Item"]["body"], json!({ "S": body }));
        assert_eq!(requests[1]["ConditionExpression"], "attribute_not_exists(#key)");
    }

    #[tokio::test]
    async fn record_deleted_during_the_call_is_an_error() {
        let script = [reply(dynamodb_error("ConditionalCheckFailedException")), reply(Reply::new(200, "{}"))];
        let server = ScriptedServer::start(script).await;
        let log = WebhookLog::new(server.dynamodb(), "webhooks");
        let kept = log.keep(&webhook("{}"), Timestamp::UNIX_EPOCH).await;
        assert!(matches!(kept, Err(StoreError::Deleted { .. })), "{kept:?}");
    }
}
