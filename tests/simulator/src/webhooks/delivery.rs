//! The background task, which advances the world's state and sends due webhooks. It never logs a body or a signature.

use std::sync::Arc;
use std::time::Duration;

use crate::settings::WebhookSignatures;
use crate::shared::SharedWorld;

use super::{Attempt, signature};

/// How often the task looks for due webhooks and transitions.
const TICK_INTERVAL: Duration = Duration::from_millis(20);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until the task is aborted. Each tick locks the world, which also applies the transitions that are due.
pub(crate) async fn run(shared: Arc<SharedWorld>, client: reqwest::Client) {
    let mut tick = tokio::time::interval(TICK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (url, attempts) = {
            let mut world = shared.lock();
            let settings = world.settings.clone();
            let now = world.clock.now();
            let attempts = world.webhook_queue.take_due(&settings, now);
            (settings.webhook_url, attempts)
        };
        let Some(url) = url else { continue };
        for attempt in attempts {
            let deliver = deliver(Arc::clone(&shared), client.clone(), url.clone(), attempt);
            tokio::spawn(deliver);
        }
    }
}

async fn deliver(shared: Arc<SharedWorld>, client: reqwest::Client, url: String, attempt: Attempt) {
    let (secret, signatures) = {
        let world = shared.lock();
        (world.app.client_secret.clone(), world.settings.webhook_signatures)
    };
    let Some(valid) = signature(&secret, attempt.signature_time, &attempt.body) else {
        return;
    };
    let signature = match signatures {
        WebhookSignatures::One => valid,
        WebhookSignatures::InvalidAndValid => valid.replacen(",s=", &format!(",s={},s=", "0".repeat(64)), 1),
    };
    let sent = client
        .post(&url)
        .timeout(REQUEST_TIMEOUT)
        .header("content-type", "application/json")
        .header("TikTok-Signature", signature)
        .body(attempt.body)
        .send()
        .await;
    let status = match sent {
        Ok(response) => Some(response.status().as_u16()),
        Err(error) => {
            tracing::info!(webhook.seq = attempt.seq, error = %error.without_url(), "webhook request failed");
            None
        }
    };
    let mut world = shared.lock();
    let settings = world.settings.clone();
    let now = world.clock.now();
    world.webhook_queue.record_attempt(attempt.seq, status, &settings, now);
}
