//! The queue of webhooks: when each one is due, and how TikTok signs and retries it.
//!
//! This module decides when a webhook is due; [`delivery`] sends it. Each webhook is delivered at least once and retried
//! for 72 hours until the receiver answers 200. TikTok promises no order.
//!
//! <https://developers.tiktok.com/doc/webhooks-overview>

pub(crate) mod delivery;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::clock::{after_ms, after_s};
use crate::ids::{OpenId, PublishId};
use crate::publish::{FailReason, Flow};
use crate::settings::{Settings, WebhookOrder, WebhookSignature, WebhookSpelling};

/// How long after its event a webhook is retried, as TikTok documents it.
const RETRY_PERIOD_S: u64 = 72 * 3600;
const MAX_RETRY_DELAY_MS: u64 = 3_600_000;

/// What a webhook reports.
#[derive(Debug, Clone)]
pub(crate) enum WebhookEvent {
    Failed(FailReason),
    Complete,
    InboxDelivered,
    /// With the id of the video.
    PubliclyAvailable(u64),
    /// With the id of the video.
    NoLongerPubliclyAvailable(u64),
    /// With TikTok's number for the reason.
    AuthorizationRemoved(u8),
}

/// A webhook and the state of its delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Position in the order of the events, from 1.
    pub seq: u64,
    /// The event's name.
    pub event: String,
    /// The publish that the event is about, if any.
    pub publish_id: Option<PublishId>,
    /// The request body, byte for byte.
    pub body: String,
    /// When the event occurred, by the simulator's clock.
    pub created_at: Timestamp,
    /// When the next attempt is due; `None` if the webhook was delivered or given up.
    pub due_at: Option<Timestamp>,
    /// Number of attempts begun.
    pub attempts: u32,
    /// HTTP status of the last attempt; `None` if there was no answer.
    pub last_status: Option<u16>,
    /// When the receiver answered 200.
    pub delivered_at: Option<Timestamp>,
    /// The time of the first attempt, whose signature contains it. See `Settings::webhook_signature` for later attempts.
    signed_at: Option<Timestamp>,
    /// Whether an attempt is in progress.
    in_flight: bool,
}

/// Every webhook since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct WebhookQueue {
    deliveries: Vec<Delivery>,
    last_seq: u64,
}

/// One attempt to deliver a webhook.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) seq: u64,
    pub(crate) body: String,
    /// The timestamp in the signature of this attempt.
    pub(crate) signature_time: Timestamp,
}

/// The app, user and publish that an event concerns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventSubject<'a> {
    pub(crate) client_key: &'a str,
    pub(crate) user: &'a OpenId,
    pub(crate) publish: Option<(&'a PublishId, Flow)>,
}

impl WebhookQueue {
    /// Queues the webhooks of an event: as many copies as the setting says, or none without a `webhook_url`.
    pub(crate) fn enqueue(
        &mut self,
        event: &WebhookEvent,
        subject: EventSubject<'_>,
        settings: &Settings,
        at: Timestamp,
    ) {
        if settings.webhook_url.is_none() {
            return;
        }
        let (name, content) = name_and_content(event, subject.publish, settings.webhook_spelling);
        let body = json!({
            "client_key": subject.client_key,
            "event": name,
            "create_time": at.as_second(),
            "user_openid": subject.user,
            "content": content.to_string(),
        });
        let publish_id = subject.publish.map(|(id, _)| id.clone());
        let due_at = self.schedule_first_attempt(publish_id.as_ref(), settings, at);
        for _ in 0..settings.webhook_copies.max(1) {
            self.last_seq += 1;
            self.deliveries.push(Delivery {
                seq: self.last_seq,
                event: name.to_owned(),
                publish_id: publish_id.clone(),
                body: body.to_string(),
                created_at: at,
                due_at: Some(due_at),
                attempts: 0,
                last_status: None,
                delivered_at: None,
                signed_at: None,
                in_flight: false,
            });
        }
    }

    /// Returns when the first attempt of a new webhook is due: at once, unless [`WebhookOrder::Reversed`] is set.
    ///
    /// In reversed order, the first event of a publish waits until 1 s after the end of moderation, so that the event of
    /// public availability is queued first. That later event is due at once. Unsent earlier ones are moved to 200 ms
    /// after it.
    fn schedule_first_attempt(&mut self, publish: Option<&PublishId>, settings: &Settings, at: Timestamp) -> Timestamp {
        if settings.webhook_order == WebhookOrder::Chronological || publish.is_none() {
            return at;
        }
        let is_unsent = |delivery: &&mut Delivery| delivery.publish_id.as_ref() == publish && delivery.attempts == 0;
        let mut has_earlier_events = false;
        for delivery in self.deliveries.iter_mut().filter(is_unsent) {
            delivery.due_at = Some(after_ms(at, 200));
            has_earlier_events = true;
        }
        let wait_ms = settings.moderation_ms.saturating_add(1000);
        if has_earlier_events { at } else { after_ms(at, wait_ms) }
    }

    /// Starts every attempt that is due, except that each publish has at most one in progress.
    pub(crate) fn take_due(&mut self, settings: &Settings, now: Timestamp) -> Vec<Attempt> {
        let mut busy: Vec<PublishId> = Vec::new();
        for delivery in self.deliveries.iter().filter(|delivery| delivery.in_flight) {
            busy.extend(delivery.publish_id.clone());
        }
        let mut attempts = Vec::new();
        for delivery in &mut self.deliveries {
            let is_due = delivery.due_at.is_some_and(|due| due <= now) && !delivery.in_flight;
            let is_busy = delivery.publish_id.as_ref().is_some_and(|id| busy.contains(id));
            if !is_due || is_busy {
                continue;
            }
            busy.extend(delivery.publish_id.clone());
            delivery.in_flight = true;
            delivery.attempts += 1;
            let first = *delivery.signed_at.get_or_insert(now);
            let signature_time = match settings.webhook_signature {
                WebhookSignature::PerAttempt => now,
                WebhookSignature::FirstAttempt => first,
            };
            attempts.push(Attempt { seq: delivery.seq, body: delivery.body.clone(), signature_time });
        }
        attempts
    }

    /// Records the result of an attempt. Any status other than 200 is retried with exponential back-off, for 72 hours.
    pub(crate) fn record_attempt(&mut self, seq: u64, status: Option<u16>, settings: &Settings, now: Timestamp) {
        let Some(delivery) = self.deliveries.iter_mut().find(|delivery| delivery.seq == seq) else {
            return;
        };
        delivery.in_flight = false;
        delivery.last_status = status;
        if status == Some(200) {
            delivery.delivered_at = Some(now);
            delivery.due_at = None;
            return;
        }
        // 32 doublings exceed `MAX_RETRY_DELAY_MS`, and the shift does not overflow.
        let doublings = delivery.attempts.saturating_sub(1).min(32);
        let delay_ms = settings.webhook_retry_ms.saturating_mul(1 << doublings);
        let next = after_ms(now, delay_ms.min(MAX_RETRY_DELAY_MS));
        let end = after_s(delivery.created_at, RETRY_PERIOD_S);
        delivery.due_at = (next <= end).then_some(next);
    }

    /// Removes every webhook. Sequence numbers are not reused, because an attempt of a removed webhook may be in
    /// progress.
    pub(crate) fn clear(&mut self) {
        self.deliveries.clear();
    }

    pub(crate) fn list(&self) -> &[Delivery] {
        &self.deliveries
    }
}

/// Returns the event's name and the JSON of its `content` field.
fn name_and_content(
    event: &WebhookEvent,
    publish: Option<(&PublishId, Flow)>,
    spelling: WebhookSpelling,
) -> (&'static str, Value) {
    let documented = spelling == WebhookSpelling::Documented;
    let mut content = match publish {
        Some((id, flow)) => json!({ "publish_id": id, "publish_type": publish_type(flow) }),
        None => json!({}),
    };
    let name = match event {
        WebhookEvent::Failed(reason) => {
            let field = if documented { "reason" } else { "fail_reason" };
            content[field] = json!(reason);
            "post.publish.failed"
        }
        WebhookEvent::Complete if documented => "post.publish.complete",
        WebhookEvent::Complete => "post.publish.completed",
        WebhookEvent::InboxDelivered => "post.publish.inbox_delivered",
        WebhookEvent::PubliclyAvailable(id) => {
            content["post_id"] = json!(id);
            "post.publish.publicly_available"
        }
        WebhookEvent::NoLongerPubliclyAvailable(id) => {
            content["post_id"] = json!(id);
            // TikTok's spelling.
            "post.publish.no_longer_publicaly_available"
        }
        WebhookEvent::AuthorizationRemoved(reason) => {
            content["reason"] = json!(reason);
            "authorization.removed"
        }
    };
    (name, content)
}

fn publish_type(flow: Flow) -> &'static str {
    match flow {
        Flow::Direct => "DIRECT_POST",
        Flow::Draft => "INBOX_SHARE",
    }
}

/// Builds the `TikTok-Signature` header of a body.
///
/// <https://developers.tiktok.com/doc/webhooks-verification>
pub(crate) fn signature(secret: &str, at: Timestamp, body: &str) -> Option<String> {
    let seconds = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{seconds}.{body}").as_bytes());
    let hex = HEXLOWER.encode(&mac.finalize().into_bytes());
    Some(format!("t={seconds},s={hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn settings() -> Settings {
        Settings { webhook_url: Some("http://127.0.0.1:9/".to_owned()), ..Settings::default() }
    }

    fn queue_of(settings: &Settings, events: &[WebhookEvent]) -> WebhookQueue {
        let mut queue = WebhookQueue::default();
        let (user, publish) = (OpenId::new("o1"), PublishId::new("p1"));
        let subject = EventSubject { client_key: "ck", user: &user, publish: Some((&publish, Flow::Direct)) };
        for event in events {
            queue.enqueue(event, subject, settings, NOW);
        }
        queue
    }

    #[test]
    fn signature_equals_the_reference_vector() {
        let body = r#"{"client_key":"ck","event":"post.publish.complete","create_time":1615338610,"user_openid":"o1","content":"{\"publish_id\":\"v_pub_file~v2-1.1\",\"publish_type\":\"DIRECT_POST\"}"}"#;
        let at = Timestamp::from_second(1_633_174_587).unwrap();
        assert_eq!(
            signature("secret", at, body).unwrap(),
            "t=1633174587,s=f9bff4eb9ce4721b9fb09d379d95ca242ffb28ec119089c2b52804d84f0c0331"
        );
    }

    #[test]
    fn refused_webhook_is_retried_for_72_hours() {
        let settings = settings();
        let mut queue = queue_of(&settings, &[WebhookEvent::Complete]);
        let mut now = NOW;
        let mut delays = Vec::new();
        while let Some(due) = queue.list()[0].due_at {
            delays.push(due.duration_since(now).as_secs());
            now = due;
            assert_eq!(queue.take_due(&settings, now).len(), 1);
            queue.record_attempt(1, Some(500), &settings, now);
        }
        assert_eq!(delays[..5], [0, 1, 2, 4, 8]);
        assert_eq!(delays.last(), Some(&3600));
        assert!(now <= after_s(NOW, RETRY_PERIOD_S));
        assert!(now > after_s(NOW, RETRY_PERIOD_S - 3600));
    }

    #[test]
    fn accepted_webhook_is_not_sent_again() {
        let settings = settings();
        let mut queue = queue_of(&settings, &[WebhookEvent::Complete]);
        assert_eq!(queue.take_due(&settings, NOW).len(), 1);
        assert!(queue.take_due(&settings, NOW).is_empty());
        queue.record_attempt(1, Some(200), &settings, NOW);
        assert_eq!(queue.list()[0].due_at, None);
        assert_eq!(queue.list()[0].delivered_at, Some(NOW));
    }

    #[test]
    fn reversed_order_sends_the_last_event_first() {
        let settings = Settings { webhook_order: WebhookOrder::Reversed, ..settings() };
        let queue = queue_of(&settings, &[WebhookEvent::Complete, WebhookEvent::PubliclyAvailable(7)]);
        let due: Vec<_> = queue.list().iter().map(|delivery| delivery.due_at).collect();
        assert!(due[1] < due[0]);
    }

    #[test]
    fn settings_select_copies_and_spelling() {
        let settings = Settings { webhook_copies: 2, webhook_spelling: WebhookSpelling::AsReported, ..settings() };
        let queue = queue_of(&settings, &[WebhookEvent::Failed(FailReason::Internal)]);
        assert_eq!(queue.list().len(), 2);
        assert_eq!(queue.list()[0].body, queue.list()[1].body);
        let body: Value = serde_json::from_str(&queue.list()[0].body).unwrap();
        let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
        assert_eq!(content["fail_reason"], "internal");
    }

    #[test]
    fn no_webhook_is_queued_without_a_url() {
        let queue = queue_of(&Settings::default(), &[WebhookEvent::Complete]);
        assert!(queue.list().is_empty());
    }
}
