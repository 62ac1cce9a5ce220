//! Queries of the in-memory tables and of TikTok's ledger, for the test environment and the checker.

use anyhow::{Result, ensure};
use data_encoding::HEXLOWER;
use domain::identity::PostId;
use harness::aws::{Item, POSTS, WEBHOOKS};
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::{FailReason, PublishId};

use super::TestEnv;
use super::webhook_sink::ReceivedWebhook;

/// TikTok's status of a draft that is in the creator's inbox.
pub(crate) const IN_INBOX: &str = "SEND_TO_USER_INBOX";
/// The webhook events that report a successful publish.
const SUCCESS_EVENTS: [&str; 3] =
    ["post.publish.complete", "post.publish.inbox_delivered", "post.publish.publicly_available"];

impl TestEnv {
    /// Every stored post.
    pub(crate) fn posts(&self) -> Vec<Item> {
        self.aws.state().tables.items(POSTS).cloned().collect()
    }

    /// The first stored post for which the condition holds.
    pub(crate) fn find_post(&self, condition: impl Fn(&Item) -> bool) -> Option<Item> {
        self.aws.state().tables.items(POSTS).find(|item| condition(item)).cloned()
    }

    /// The stored post with this id.
    pub(crate) fn post(&self, id: &PostId) -> Option<Item> {
        self.find_post(|post| post["id"]["S"] == id.as_str())
    }

    /// The state of a post, for example "queued" or, with the reason, "held for review". None if it is not stored.
    /// [`Model`](crate::model::Model) compares these texts.
    pub(crate) fn state_of(&self, id: &PostId) -> Option<String> {
        let post = self.post(id)?;
        let hold_reason = post.get("hold_reason").and_then(|reason| reason["S"].as_str());
        let state = post["state"]["S"].as_str()?;
        Some(hold_reason.map_or_else(|| state.to_owned(), |reason| format!("{state} for {reason}")))
    }

    /// The post whose current publish has this id.
    pub(crate) fn post_of_publish(&self, publish_id: &str) -> Option<Item> {
        self.find_post(|post| post.get("publish_id").is_some_and(|id| id["S"] == publish_id))
    }

    /// Makes TikTok fail the newest publish, and returns its id. Does nothing if that publish has ended, or is a draft
    /// that is already in the creator's inbox.
    pub(crate) fn fail_publish(&self) -> Option<PublishId> {
        let publish = self.tiktok.ledger().publishes.pop().filter(|publish| publish.status != IN_INBOX)?.publish_id;
        self.tiktok.fail(&publish, FailReason::SpamRisk).ok().map(|()| publish)
    }

    /// Checks a webhook that `api` answered with 200. It must be stored. If it reports a success, the post must be
    /// published or delivered.
    pub(super) fn check_accepted_webhook(&self, webhook: &ReceivedWebhook) -> Result<()> {
        let key = HEXLOWER.encode(&Sha256::digest(&webhook.body));
        let is_stored = self.aws.state().tables.items(WEBHOOKS).any(|item| item["body_sha256"]["S"] == key.as_str());
        ensure!(is_stored, "a webhook was answered with 200 and is not stored: {}", webhook.body);
        let body: Value = serde_json::from_str(&webhook.body)?;
        let content: Value = serde_json::from_str(body["content"].as_str().unwrap_or_default())?;
        let is_success = SUCCESS_EVENTS.iter().any(|event| body["event"] == *event);
        let publish_id = content["publish_id"].as_str().unwrap_or_default();
        if let Some(post) = self.post_of_publish(publish_id).filter(|_| is_success) {
            let state = &post["state"]["S"];
            ensure!(
                state == "published" || state == "delivered",
                "a webhook that reports success was answered with 200, and the post is {state}"
            );
        }
        Ok(())
    }
}
