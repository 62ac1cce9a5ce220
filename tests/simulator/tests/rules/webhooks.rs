//! Webhooks as their receiver sees them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use simulator::{Settings, User, WebhookDelivery, WebhookOrder, WebhookSignatures};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::client::{Client, MODERATION_S, PROCESSING_S, REMOVED_BY_USER, mp4_file};

struct Received {
    signature: String,
    body: String,
}

impl Received {
    fn event(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["event"].as_str().unwrap().to_owned()
    }

    fn content(&self) -> Value {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        serde_json::from_str(body["content"].as_str().unwrap()).unwrap()
    }
}

/// The state of a receiver that answers the first `refusals` requests with 503.
struct ReceiverState {
    refusals: Mutex<u32>,
    sender: UnboundedSender<Received>,
}

async fn receive(State(state): State<Arc<ReceiverState>>, headers: HeaderMap, body: String) -> StatusCode {
    let signature = headers["tiktok-signature"].to_str().unwrap().to_owned();
    state.sender.send(Received { signature, body }).unwrap();
    let mut refusals = state.refusals.lock().await;
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}

/// Starts a receiver, and a simulator that sends its webhooks there.
async fn with_receiver(refusals: u32, settings: Settings) -> (Client, UnboundedReceiver<Received>) {
    let (sender, receiver) = unbounded_channel();
    let state = Arc::new(ReceiverState { refusals: Mutex::new(refusals), sender });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(receive)).with_state(state);
    tokio::spawn(async { axum::serve(listener, router).await });
    let settings = Settings { webhook_url: Some(url), ..settings };
    (Client::with(settings).await, receiver)
}

#[tokio::test]
async fn webhooks_of_a_post_are_signed_and_in_order() {
    let (client, mut received) = with_receiver(0, Settings::default()).await;
    let id = client.upload_direct_post().await;
    client.tiktok.advance(PROCESSING_S + MODERATION_S);
    let complete = received.recv().await.unwrap();
    assert_eq!(complete.event(), "post.publish.complete");
    assert_eq!(complete.content()["publish_id"], id.as_str());
    let public = received.recv().await.unwrap();
    assert_eq!(public.event(), "post.publish.publicly_available");
    let post_id = public.content()["post_id"].as_u64().unwrap();
    assert_eq!(post_id.to_string(), client.tiktok.entry(&id).unwrap().post_ids[0]);

    let (time, hex) = public.signature.split_once(",s=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret-1").unwrap();
    mac.update(format!("{time}.{}", public.body).as_bytes());
    assert_eq!(hex, HEXLOWER.encode(&mac.finalize().into_bytes()));
}

#[tokio::test]
async fn webhooks_report_delivered_draft_failed_post_and_disconnect() {
    let (client, mut received) = with_receiver(0, Settings::default()).await;
    let draft = client.start_draft(3000).await;
    client.put(&draft, 0, &mp4_file(3000), 3000).await;
    client.tiktok.advance(PROCESSING_S);
    let delivered = received.recv().await.unwrap();
    assert_eq!(delivered.event(), "post.publish.inbox_delivered");
    assert_eq!(delivered.content()["publish_type"], "INBOX_SHARE");

    let invalid_file = client.start_direct(4).await;
    client.put(&invalid_file, 0, b"none", 4).await;
    client.tiktok.advance(PROCESSING_S);
    let failed = received.recv().await.unwrap();
    assert_eq!(failed.event(), "post.publish.failed");
    assert_eq!(failed.content()["reason"], "file_format_check_failed");

    client.tiktok.disconnect(&client.user, REMOVED_BY_USER).unwrap();
    let removed = received.recv().await.unwrap();
    assert_eq!(removed.event(), "authorization.removed");
    assert_eq!(removed.content()["reason"], REMOVED_BY_USER);
}

#[tokio::test]
async fn webhook_is_retried_until_answered_with_200() {
    // Moderation outlasts the test, so that `post.publish.complete` is the only webhook.
    let settings = Settings { webhook_retry_ms: 10, moderation_ms: 3_600_000, ..Settings::default() };
    let (client, mut received) = with_receiver(2, settings).await;
    client.upload_direct_post().await;
    client.tiktok.advance(PROCESSING_S);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(received.recv().await.unwrap().body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    // The simulator records the delivery only after it has read the receiver's answer.
    while client.tiktok.webhooks()[0].delivered_at.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.tiktok.webhooks()[0].attempts, 3);
}

#[tokio::test]
async fn disabled_webhooks_of_a_user_are_not_sent() {
    let (client, mut received) = with_receiver(0, Settings::default()).await;
    let user = User { webhooks: WebhookDelivery::Disabled, ..User::new(client.user.as_str(), "maker") };
    client.tiktok.put_user(user.clone());
    client.upload_direct_post().await;
    client.tiktok.disconnect(&client.user, REMOVED_BY_USER).unwrap();
    client.tiktok.advance(PROCESSING_S + MODERATION_S);
    // Enabled again, the user's next event is the only webhook.
    client.tiktok.put_user(User { webhooks: WebhookDelivery::Enabled, ..user });
    client.tiktok.disconnect(&client.user, REMOVED_BY_USER).unwrap();
    assert_eq!(received.recv().await.unwrap().event(), "authorization.removed");
    assert_eq!(client.tiktok.webhooks().len(), 1);
}

#[tokio::test]
async fn webhooks_can_be_duplicated_and_reversed() {
    let settings = Settings { webhook_copies: 2, webhook_order: WebhookOrder::Reversed, ..Settings::default() };
    let (client, mut received) = with_receiver(0, settings).await;
    client.upload_direct_post().await;
    client.tiktok.advance(PROCESSING_S + MODERATION_S);
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(received.recv().await.unwrap().event());
    }
    let public = "post.publish.publicly_available";
    let complete = "post.publish.complete";
    assert_eq!(events, [public, public, complete, complete]);
}

#[tokio::test]
async fn webhook_can_have_an_invalid_and_a_valid_signature() {
    let settings = Settings { webhook_signatures: WebhookSignatures::InvalidAndValid, ..Settings::default() };
    let (client, mut received) = with_receiver(0, settings).await;
    client.tiktok.disconnect(&client.user, 1).unwrap();
    let removed = received.recv().await.unwrap();
    let fields: Vec<_> = removed.signature.split(',').collect();
    let time = fields[0].strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret-1").unwrap();
    mac.update(format!("{time}.{}", removed.body).as_bytes());
    let valid = format!("s={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    assert_eq!(fields.len(), 3);
    assert!(fields[1].starts_with("s=") && fields[1] != valid && fields[2] == valid, "{}", removed.signature);
}
