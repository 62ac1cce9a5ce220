//! An HTTP server that receives TikTok's webhooks in place of API Gateway. Each request waits until
//! [`Lambda::deliver_webhooks`](super::Lambda::deliver_webhooks) has passed it to `api`, and gets the status of the
//! response of `api`.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::TestEnv;

/// How long to wait for a webhook that is due, and for TikTok to record its response.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(5);

/// A webhook that waits for its response.
pub(super) struct ReceivedWebhook {
    pub(super) signature: String,
    pub(super) body: String,
    /// Sends the status of the response.
    pub(super) respond: oneshot::Sender<u16>,
}

/// Starts the server. It runs until the returned task is aborted.
pub(super) fn serve(listener: TcpListener) -> (mpsc::UnboundedReceiver<ReceivedWebhook>, JoinHandle<()>) {
    let (sender, webhooks) = mpsc::unbounded_channel();
    let routes = Router::new().route("/", post(receive)).with_state(sender);
    (webhooks, tokio::spawn(async move { drop(axum::serve(listener, routes).await) }))
}

async fn receive(
    State(webhooks): State<mpsc::UnboundedSender<ReceivedWebhook>>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let signature = headers.get("tiktok-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (respond, response) = oneshot::channel();
    // If the test environment has ended or drops the webhook, the response is 503.
    drop(webhooks.send(ReceivedWebhook { signature: signature.to_owned(), body, respond }));
    let status = response.await.ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// Signs a webhook's body with this secret, as TikTok does.
pub(crate) fn sign(secret: &str, body: &str, at: Timestamp) -> Result<String> {
    let at = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("the secret is not a valid key")?;
    mac.update(format!("{at}.{body}").as_bytes());
    Ok(format!("t={at},s={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
}

impl TestEnv {
    /// When TikTok next sends or repeats a webhook.
    pub(super) fn next_webhook_at(&self) -> Option<Timestamp> {
        self.tiktok.webhooks().iter().filter_map(|webhook| webhook.due_at).min()
    }

    /// Whether a webhook is due.
    pub(super) fn has_due_webhook(&self) -> bool {
        self.next_webhook_at().is_some_and(|due_at| due_at <= self.tiktok.clock().now)
    }

    /// The next webhook of this run, if one arrives within [`RECEIVE_TIMEOUT`].
    pub(super) async fn receive_webhook(&self) -> Option<ReceivedWebhook> {
        let mut webhooks = self.webhooks.lock().await;
        let webhook = tokio::time::timeout(RECEIVE_TIMEOUT, webhooks.recv()).await.ok().flatten()?;
        // A webhook that is not in TikTok's list belongs to the previous run.
        self.tiktok.webhooks().iter().any(|listed| listed.body == webhook.body).then_some(webhook)
    }
}
