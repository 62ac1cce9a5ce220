//! The sending of webhooks, and the background work that drives time onwards.
//!
//! The one task that acts without being called. It never logs a body or a
//! signature.

use std::sync::Arc;
use std::time::Duration;

use crate::stage::Stage;

use super::{Attempt, signature};

const TICK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// Moves posts on and delivers what there is to tell, until the task is dropped.
pub(crate) async fn drive(stage: Arc<Stage>, client: reqwest::Client) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (url, attempts) = {
            let mut world = stage.world();
            let settings = world.settings.clone();
            let now = world.clock.now();
            let attempts = world.outbox.take_due(&settings, now);
            (settings.webhook_url, attempts)
        };
        let Some(url) = url else { continue };
        for attempt in attempts {
            let deliver = deliver(Arc::clone(&stage), client.clone(), url.clone(), attempt);
            tokio::spawn(deliver);
        }
    }
}

async fn deliver(stage: Arc<Stage>, client: reqwest::Client, url: String, attempt: Attempt) {
    let secret = stage.world().app.client_secret.clone();
    let Some(signature) = signature(&secret, attempt.signed_at, &attempt.body) else {
        return;
    };
    let sent = client
        .post(&url)
        .timeout(PATIENCE)
        .header("content-type", "application/json")
        .header("TikTok-Signature", signature)
        .body(attempt.body)
        .send()
        .await;
    let status = match sent {
        Ok(answer) => Some(answer.status().as_u16()),
        Err(error) => {
            tracing::info!(webhook.seq = attempt.seq, error = %error.without_url(), "a webhook was not delivered");
            None
        }
    };
    let mut world = stage.world();
    let settings = world.settings.clone();
    let now = world.clock.now();
    world.outbox.attempted(attempt.seq, status, &settings, now);
}
