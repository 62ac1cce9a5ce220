//! TikTok's webhooks, written and posted by hand: signed as TikTok signs, or not,
//! and what the stack has kept of them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::Delivery;
use tests::{Cloud, Creator};

use crate::aftermath::{Item, aws};
use crate::web::client;

/// The pause between two looks, and how many there are.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
pub(crate) const LOOKS: u32 = 900;

/// Whoever posts a webhook, with the app's secret in hand.
pub(crate) struct PostOffice<'a> {
    cloud: &'a Cloud,
    secret: String,
}

impl<'a> PostOffice<'a> {
    /// Opens with the secret that the stack has.
    pub(crate) async fn open(cloud: &'a Cloud) -> Result<Self> {
        let id = &cloud.outputs().app_secret_arn;
        let app = aws(cloud, &["secretsmanager", "get-secret-value", "--secret-id", id]).await?;
        let app: Value = serde_json::from_str(app["SecretString"].as_str().context("the app's secret is text")?)?;
        Ok(Self { cloud, secret: app["client_secret"].as_str().context("the app has a secret")?.to_owned() })
    }

    /// Opens with another secret.
    pub(crate) fn with(cloud: &'a Cloud, secret: &str) -> Self {
        Self { cloud, secret: secret.to_owned() }
    }

    /// Signs a body as TikTok does, as of so long ago.
    pub(crate) fn sign(&self, body: &[u8], age: SignedDuration) -> Result<String> {
        let at = (runtime::clock::now() - age).as_second();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        Ok(format!("t={at},s={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
    }

    /// Posts a body with a signature, or with none; tells the status.
    pub(crate) async fn post(&self, body: &[u8], signature: Option<&str>) -> Result<u16> {
        self.post_as("application/json", body, signature).await
    }

    /// The same, as a kind of content.
    pub(crate) async fn post_as(&self, kind: &str, body: &[u8], signature: Option<&str>) -> Result<u16> {
        let mut request = client()?.post(&self.cloud.outputs().webhook_url).header("content-type", kind);
        if let Some(signature) = signature {
            request = request.header("tiktok-signature", signature);
        }
        Ok(request.body(body.to_vec()).send().await?.status().as_u16())
    }

    /// Posts what TikTok would; tells the status.
    pub(crate) async fn deliver(&self, body: &str) -> Result<u16> {
        self.post(body.as_bytes(), Some(&self.sign(body.as_bytes(), SignedDuration::ZERO)?)).await
    }

    /// What has been kept of a body, if anything.
    pub(crate) async fn kept(&self, body: &[u8]) -> Result<Option<Item>> {
        let key = HEXLOWER.encode(&Sha256::digest(body));
        let read = self.cloud.dynamodb.get_item().table_name(&self.cloud.outputs().webhooks_table);
        let key = aws_sdk_dynamodb::types::AttributeValue::S(key);
        Ok(read.key("body_sha256", key).consistent_read(true).send().await?.item)
    }

    /// What came of a body, by the record of it.
    pub(crate) async fn outcome(&self, body: &str) -> Result<String> {
        let item = self.kept(body.as_bytes()).await?.context("nothing was kept of it")?;
        let outcome = item.get("outcome").and_then(|outcome| outcome.as_s().ok());
        Ok(outcome.context("it says what came of it")?.clone())
    }
}

/// A webhook about a creator, as TikTok writes it.
pub(crate) fn webhook(maker: &Creator, event: &str, at: Timestamp, content: &Value) -> String {
    let open_id = &maker.user.open_id;
    json!({
        "client_key": "local-client-key", "event": event, "create_time": at.as_second(), "user_openid": open_id,
        "content": content.to_string(),
    })
    .to_string()
}

/// Waits until TikTok has told something, and been heard.
pub(crate) async fn told(cloud: &Cloud, is: impl Fn(&Delivery) -> bool) -> Result<Delivery> {
    for _ in 0..LOOKS {
        let all = cloud.tiktok.webhooks().await?;
        if let Some(told) = all.into_iter().find(|told| told.delivered_at.is_some() && is(told)) {
            return Ok(told);
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("TikTok has not told it, or was not heard, in time")
}
