//! Where TikTok's webhooks arrive: API Gateway's side of them. Each waits until
//! somebody hands it to `api`, and is answered with what that said.

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Stage;

/// How long TikTok is given to send what is due, and to take an answer down.
const LOOK: Duration = Duration::from_millis(5);

/// A webhook that has arrived.
pub(super) struct WebhookRecord {
    pub(super) signature: String,
    pub(super) body: String,
    pub(super) answer: oneshot::Sender<u16>,
}

/// Serves the letterbox until the task ends.
pub(super) fn serve(listener: TcpListener) -> (mpsc::UnboundedReceiver<WebhookRecord>, JoinHandle<()>) {
    let (letters, letterbox) = mpsc::unbounded_channel();
    let routes = Router::new().route("/", post(take)).with_state(letters);
    (letterbox, tokio::spawn(async move { drop(axum::serve(listener, routes).await) }))
}

async fn take(
    State(letters): State<mpsc::UnboundedSender<WebhookRecord>>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let signature = headers.get("tiktok-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (answer, answered) = oneshot::channel();
    // What nobody takes is not answered with 200.
    drop(letters.send(WebhookRecord { signature: signature.to_owned(), body, answer }));
    let status = answered.await.ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// Signs a body as TikTok does with this secret.
pub(crate) fn sign(secret: &str, body: &str, at: Timestamp) -> Result<String> {
    let at = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("a secret is a key")?;
    mac.update(format!("{at}.{body}").as_bytes());
    Ok(format!("t={at},s={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
}

impl Stage {
    /// When TikTok tells the next thing, or tells it again.
    pub(super) fn next_webhook(&self) -> Option<Timestamp> {
        self.tiktok.webhooks().iter().filter_map(|told| told.due_at).min()
    }

    /// Whether TikTok has something to tell now.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.next_webhook().is_some_and(|due| due <= self.tiktok.clock().now)
    }

    /// The next webhook, if it comes within a moment.
    pub(super) async fn next_letter(&self) -> Option<WebhookRecord> {
        let mut letters = self.letters.lock().await;
        let letter = tokio::time::timeout(LOOK, letters.recv()).await.ok().flatten()?;
        // One that TikTok knows nothing of was sent in the run before.
        self.tiktok.webhooks().iter().any(|told| told.body == letter.body).then_some(letter)
    }
}
