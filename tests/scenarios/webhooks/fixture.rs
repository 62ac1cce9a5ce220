//! Webhooks that a test writes, signs and sends in TikTok's place, and their records in the webhooks table.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::HEXLOWER;
use harness::{Cloud, Creator};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::Delivery;

use crate::aws_cli::{app_secret, text};
use crate::http::client;
use crate::runner;

/// Sends webhooks that are signed with one secret.
pub(crate) struct WebhookFixture<'a> {
    cloud: &'a Cloud,
    secret: String,
}

impl<'a> WebhookFixture<'a> {
    /// Uses the stack's own secret.
    pub(crate) async fn open(cloud: &'a Cloud) -> Result<Self> {
        Ok(Self::with_secret(cloud, text(&app_secret(cloud).await?, "client_secret")?))
    }

    /// Uses another secret.
    pub(crate) fn with_secret(cloud: &'a Cloud, secret: &str) -> Self {
        Self { cloud, secret: secret.to_owned() }
    }

    /// Signs a body as TikTok does, with a timestamp of this age.
    pub(crate) fn sign(&self, body: &[u8], age: SignedDuration) -> Result<String> {
        let at = (runtime::clock::now() - age).as_second();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        Ok(format!("t={at},s={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
    }

    /// Sends a body with or without a signature. Returns the status.
    pub(crate) async fn post(&self, body: &[u8], signature: Option<&str>) -> Result<u16> {
        self.post_as("application/json", body, signature).await
    }

    /// Sends a body with this content type.
    pub(crate) async fn post_as(&self, content_type: &str, body: &[u8], signature: Option<&str>) -> Result<u16> {
        let url = &self.cloud.outputs().webhook_url;
        let mut request = client()?.post(url).header("content-type", content_type);
        if let Some(signature) = signature {
            request = request.header("tiktok-signature", signature);
        }
        Ok(request.body(body.to_vec()).send().await?.status().as_u16())
    }

    /// Sends a signed body. Returns the status.
    pub(crate) async fn deliver(&self, body: &str) -> Result<u16> {
        self.post(body.as_bytes(), Some(&self.sign(body.as_bytes(), SignedDuration::ZERO)?)).await
    }

    /// Sends a signed body, and checks that it is accepted with this outcome.
    pub(crate) async fn ensure_accepted(&self, body: &str, outcome: &str) -> Result<()> {
        assert_eq!(self.deliver(body).await?, 200, "{body}");
        assert_eq!(self.outcome(body).await?, outcome, "{body}");
        Ok(())
    }

    /// The stored record of a body.
    pub(crate) async fn stored(&self, body: &[u8]) -> Result<Option<HashMap<String, AttributeValue>>> {
        let key = AttributeValue::S(HEXLOWER.encode(&Sha256::digest(body)));
        let read = self.cloud.dynamodb.get_item().table_name(&self.cloud.outputs().webhooks_table);
        Ok(read.key("body_sha256", key).consistent_read(true).send().await?.item)
    }

    /// The outcome in the stored record of a body.
    pub(crate) async fn outcome(&self, body: &str) -> Result<String> {
        let item = self.stored(body.as_bytes()).await?.context("the webhook is not stored")?;
        let outcome = item.get("outcome").and_then(|outcome| outcome.as_s().ok());
        Ok(outcome.context("the record has no outcome")?.clone())
    }
}

/// The body of a webhook about a creator, as TikTok writes it. The client key is that of `infra/local/local_tiktok.py`.
pub(crate) fn webhook(creator: &Creator, event: &str, at: Timestamp, content: &Value) -> String {
    let open_id = &creator.user.open_id;
    json!({
        "client_key": "local-client-key", "event": event, "create_time": at.as_second(), "user_openid": open_id,
        "content": content.to_string(),
    })
    .to_string()
}

/// Calls `read` every 100 ms for 90 seconds, until it returns a value.
pub(crate) async fn poll_until<T>(wanted: &str, read: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    runner::poll_until(wanted, Duration::from_secs(90), Duration::from_millis(100), read).await
}

/// Waits until TikTok has successfully delivered a webhook.
pub(crate) async fn await_delivery(cloud: &Cloud, is: impl Fn(&Delivery) -> bool) -> Result<Delivery> {
    poll_until("delivered webhook", async || {
        let all = cloud.tiktok.webhooks().await?;
        Ok(all.into_iter().find(|delivery| delivery.delivered_at.is_some() && is(delivery)))
    })
    .await
}
