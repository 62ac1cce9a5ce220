//! What a webhook's receiver gets to see.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use simulator::{Settings, User, WebhookOrder, Webhooks};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::client::{Client, movie};

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

/// A receiver that refuses as often as it is told to.
struct Shared {
    refusals: Mutex<u32>,
    sender: UnboundedSender<Received>,
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> StatusCode {
    let signature = headers["tiktok-signature"].to_str().unwrap().to_owned();
    shared.sender.send(Received { signature, body }).unwrap();
    let mut refusals = shared.refusals.lock().await;
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}

async fn listen(refusals: u32, settings: Settings) -> (Client, UnboundedReceiver<Received>) {
    let (sender, receiver) = unbounded_channel();
    let shared = Arc::new(Shared { refusals: Mutex::new(refusals), sender });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take)).with_state(shared);
    tokio::spawn(async { axum::serve(listener, router).await });
    let settings = Settings { webhook_url: Some(url), ..settings };
    (Client::with(settings).await, receiver)
}

#[tokio::test]
async fn a_published_post_is_told_signed_and_in_order() {
    let (client, mut received) = listen(0, Settings::default()).await;
    let id = client.upload().await;
    client.tiktok.advance(3);
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
async fn a_draft_and_a_failure_are_told_too() {
    let (client, mut received) = listen(0, Settings::default()).await;
    let draft = client.begin_draft(3000).await;
    client.put(&draft, 0, &movie(3000), 3000).await;
    client.tiktok.advance(2);
    let delivered = received.recv().await.unwrap();
    assert_eq!(delivered.event(), "post.publish.inbox_delivered");
    assert_eq!(delivered.content()["publish_type"], "INBOX_SHARE");

    let garbage = client.begin(4).await;
    client.put(&garbage, 0, b"none", 4).await;
    client.tiktok.advance(2);
    let failed = received.recv().await.unwrap();
    assert_eq!(failed.event(), "post.publish.failed");
    assert_eq!(failed.content()["reason"], "file_format_check_failed");

    client.tiktok.disconnect(&client.user, 1).unwrap();
    let removed = received.recv().await.unwrap();
    assert_eq!(removed.event(), "authorization.removed");
    assert_eq!(removed.content()["reason"], 1);
}

#[tokio::test]
async fn what_is_not_answered_with_200_is_told_again() {
    let settings = Settings { webhook_retry_ms: 10, moderation_ms: 3_600_000, ..Settings::default() };
    let (client, mut received) = listen(2, settings).await;
    client.upload().await;
    client.tiktok.advance(2);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(received.recv().await.unwrap().body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    while client.tiktok.webhooks()[0].delivered_at.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.tiktok.webhooks()[0].attempts, 3);
}

#[tokio::test]
async fn a_creator_of_whom_nothing_is_told_leaves_the_others_told_of() {
    let (client, mut received) = listen(0, Settings::default()).await;
    let user = User { webhooks: Webhooks::Withheld, ..User::new(client.user.as_str(), "maker") };
    client.tiktok.put_user(user.clone());
    client.upload().await;
    client.tiktok.disconnect(&client.user, 1).unwrap();
    client.tiktok.advance(3);
    client.tiktok.put_user(User { webhooks: Webhooks::Told, ..user });
    client.tiktok.disconnect(&client.user, 1).unwrap();
    assert_eq!(received.recv().await.unwrap().event(), "authorization.removed");
    assert_eq!(client.tiktok.webhooks().len(), 1);
}

#[tokio::test]
async fn events_can_come_twice_and_in_reverse() {
    let settings = Settings { webhook_copies: 2, webhook_order: WebhookOrder::Reversed, ..Settings::default() };
    let (client, mut received) = listen(0, settings).await;
    client.upload().await;
    client.tiktok.advance(3);
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(received.recv().await.unwrap().event());
    }
    let public = "post.publish.publicly_available";
    let complete = "post.publish.complete";
    assert_eq!(events, [public, public, complete, complete]);
}
