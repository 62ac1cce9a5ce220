//! What the posts table and TikTok have, as those see it who arrange and judge.

use anyhow::{Result, ensure};
use aws::{Item, POSTS, WEBHOOKS};
use data_encoding::HEXLOWER;
use domain::identity::PostId;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::{FailReason, PublishId};

use super::Stage;
use super::letterbox::WebhookRecord;

/// TikTok's word for a draft that its creator finds in the inbox.
pub(crate) const IN_INBOX: &str = "SEND_TO_USER_INBOX";
/// What says that a publish has ended well.
const ENDED_WELL: [&str; 3] =
    ["post.publish.complete", "post.publish.inbox_delivered", "post.publish.publicly_available"];

impl Stage {
    /// The state of a post, with what it is held for; none if it is not stored.
    pub(crate) fn state_of(&self, post: &PostId) -> Option<String> {
        let kept = self.aws.state();
        let mut posts = kept.tables.items(POSTS).filter(|item| item["id"]["S"] == post.as_str());
        let post = posts.next()?;
        let hold_reason = post.get("hold_reason").and_then(|reason| reason["S"].as_str());
        let state = post["state"]["S"].as_str()?;
        Some(hold_reason.map_or_else(|| state.to_owned(), |reason| format!("{state} for {reason}")))
    }

    /// Every post as it is stored.
    pub(crate) fn posts(&self) -> Vec<Item> {
        self.aws.state().tables.items(POSTS).cloned().collect()
    }

    /// The post whose upload this is, as it knows itself.
    pub(crate) fn post_of(&self, publish: &PublishId) -> Option<PostId> {
        let post = self.stored_of(&publish.to_string())?;
        post["id"]["S"].as_str()?.parse().ok()
    }

    fn stored_of(&self, publish: &str) -> Option<Item> {
        let kept = self.aws.state();
        let of_it = |post: &&Item| post.get("publish_id").is_some_and(|id| id["S"] == publish);
        kept.tables.items(POSTS).find(of_it).cloned()
    }

    /// TikTok refuses the newest upload, if it has not come to an end, which the inbox
    /// is to a draft; tells which.
    pub(crate) fn refuse(&self) -> Option<PublishId> {
        let upload = self.tiktok.ledger().publishes.pop().filter(|upload| upload.status != IN_INBOX)?.publish_id;
        self.tiktok.fail(&upload, FailReason::SpamRisk).ok().map(|()| upload)
    }

    /// Makes sure that what was answered with 200 is stored, and known to its post.
    pub(super) fn is_kept(&self, letter: &WebhookRecord) -> Result<()> {
        let key = HEXLOWER.encode(&Sha256::digest(&letter.body));
        let there = self.aws.state().tables.items(WEBHOOKS).any(|item| item["body_sha256"]["S"] == key.as_str());
        ensure!(there, "a webhook was answered with 200 and not stored: {}", letter.body);
        let told: Value = serde_json::from_str(&letter.body)?;
        let content: Value = serde_json::from_str(told["content"].as_str().unwrap_or_default())?;
        let ended_well = ENDED_WELL.iter().any(|event| told["event"] == *event);
        let publish = content["publish_id"].as_str().unwrap_or_default();
        if let Some(post) = self.stored_of(publish).filter(|_| ended_well) {
            let state = &post["state"]["S"];
            ensure!(
                state == "published" || state == "delivered",
                "TikTok was answered with 200, and the post is {state}"
            );
        }
        Ok(())
    }
}
