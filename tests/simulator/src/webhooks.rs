//! Webhooks: what is told about a publish, signed as TikTok signs, and tried
//! until the other side says 200.
//!
//! Knows when what is due; [`delivery`] does the sending. At least once, in no
//! promised order, for 72 hours.
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
use crate::post::{FailReason, Flow};
use crate::settings::{Settings, WebhookOrder, WebhookSignature, WebhookSpelling};

const GIVE_UP_AFTER_S: u64 = 72 * 3600;
const LONGEST_PAUSE_MS: u64 = 3_600_000;

/// What there is to tell.
#[derive(Debug, Clone)]
pub(crate) enum News {
    Failed(FailReason),
    Complete,
    InboxDelivered,
    PubliclyAvailable(u64),
    NoLongerPubliclyAvailable(u64),
    AuthorizationRemoved(u8),
}

/// A webhook, delivered or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Position in the order in which things happened.
    pub seq: u64,
    /// The event's name.
    pub event: String,
    /// Which publish it is about, if any.
    pub publish_id: Option<PublishId>,
    /// The body, byte for byte.
    pub body: String,
    /// When it happened, by the simulator's clock.
    pub created_at: Timestamp,
    /// When it is tried next; none if it is delivered or given up.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// The last HTTP status that came back; none if none did.
    pub last_status: Option<u16>,
    /// When it was answered with 200.
    pub delivered_at: Option<Timestamp>,
    /// The time in the first signature.
    signed_at: Option<Timestamp>,
    /// Whether an attempt is under way.
    in_flight: bool,
}

/// Everything there was to tell.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    deliveries: Vec<Delivery>,
    last_seq: u64,
}

/// One attempt, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) seq: u64,
    pub(crate) body: String,
    pub(crate) signed_at: Timestamp,
}

/// Whom news are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) client_key: &'a str,
    pub(crate) user: &'a OpenId,
    pub(crate) publish: Option<(&'a PublishId, Flow)>,
}

impl Outbox {
    /// Puts news into the outbox, in as many copies as are set.
    pub(crate) fn tell(&mut self, news: &News, about: About<'_>, settings: &Settings, at: Timestamp) {
        if settings.webhook_url.is_none() {
            return;
        }
        let (event, content) = word(news, about.publish, settings.webhook_spelling);
        let body = json!({
            "client_key": about.client_key,
            "event": event,
            "create_time": at.as_second(),
            "user_openid": about.user,
            "content": content.to_string(),
        });
        let publish_id = about.publish.map(|(id, _)| id.clone());
        let due_at = self.due_at(publish_id.as_ref(), settings, at);
        for _ in 0..settings.webhook_copies.max(1) {
            self.last_seq += 1;
            self.deliveries.push(Delivery {
                seq: self.last_seq,
                event: event.to_owned(),
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

    /// Says when news are sent: at once, or, in reverse, after what follows them.
    fn due_at(&mut self, publish: Option<&PublishId>, settings: &Settings, at: Timestamp) -> Timestamp {
        if settings.webhook_order == WebhookOrder::AsItHappened || publish.is_none() {
            return at;
        }
        let waiting = |delivery: &&mut Delivery| delivery.publish_id.as_ref() == publish && delivery.attempts == 0;
        let mut overtaken = false;
        for delivery in self.deliveries.iter_mut().filter(waiting) {
            delivery.due_at = Some(after_ms(at, 200));
            overtaken = true;
        }
        let patience = settings.moderation_ms.saturating_add(1000);
        if overtaken { at } else { after_ms(at, patience) }
    }

    /// Takes what is to be sent now, at most one delivery of each publish.
    pub(crate) fn take_due(&mut self, settings: &Settings, now: Timestamp) -> Vec<Attempt> {
        let mut busy: Vec<PublishId> = Vec::new();
        for delivery in self.deliveries.iter().filter(|it| it.in_flight) {
            busy.extend(delivery.publish_id.clone());
        }
        let mut attempts = Vec::new();
        for delivery in &mut self.deliveries {
            let due = delivery.due_at.is_some_and(|due| due <= now) && !delivery.in_flight;
            let taken = delivery.publish_id.as_ref().is_some_and(|id| busy.contains(id));
            if !due || taken {
                continue;
            }
            busy.extend(delivery.publish_id.clone());
            delivery.in_flight = true;
            delivery.attempts += 1;
            let first = *delivery.signed_at.get_or_insert(now);
            let signed_at = match settings.webhook_signature {
                WebhookSignature::Renewed => now,
                WebhookSignature::Kept => first,
            };
            attempts.push(Attempt { seq: delivery.seq, body: delivery.body.clone(), signed_at });
        }
        attempts
    }

    /// Notes how an attempt ended; all but 200 is tried again, ever later, for 72 hours.
    pub(crate) fn attempted(&mut self, seq: u64, status: Option<u16>, settings: &Settings, now: Timestamp) {
        let Some(delivery) = self.deliveries.iter_mut().find(|it| it.seq == seq) else {
            return;
        };
        delivery.in_flight = false;
        delivery.last_status = status;
        if status == Some(200) {
            delivery.delivered_at = Some(now);
            delivery.due_at = None;
            return;
        }
        let doublings = delivery.attempts.saturating_sub(1).min(32);
        let pause = settings.webhook_retry_ms.saturating_mul(1 << doublings);
        let next = after_ms(now, pause.min(LONGEST_PAUSE_MS));
        let end = after_s(delivery.created_at, GIVE_UP_AFTER_S);
        delivery.due_at = (next <= end).then_some(next);
    }

    /// Forgets everything but how far the numbers went: an attempt may be under way.
    pub(crate) fn clear(&mut self) {
        self.deliveries.clear();
    }

    pub(crate) fn list(&self) -> &[Delivery] {
        &self.deliveries
    }
}

fn word(news: &News, publish: Option<(&PublishId, Flow)>, spelling: WebhookSpelling) -> (&'static str, Value) {
    let documented = spelling == WebhookSpelling::Documented;
    let mut content = match publish {
        Some((id, flow)) => json!({ "publish_id": id, "publish_type": publish_type(flow) }),
        None => json!({}),
    };
    let event = match news {
        News::Failed(reason) => {
            let field = if documented { "reason" } else { "fail_reason" };
            content[field] = json!(reason);
            "post.publish.failed"
        }
        News::Complete if documented => "post.publish.complete",
        News::Complete => "post.publish.completed",
        News::InboxDelivered => "post.publish.inbox_delivered",
        News::PubliclyAvailable(id) => {
            content["post_id"] = json!(id);
            "post.publish.publicly_available"
        }
        News::NoLongerPubliclyAvailable(id) => {
            content["post_id"] = json!(id);
            "post.publish.no_longer_publicaly_available"
        }
        News::AuthorizationRemoved(reason) => {
            content["reason"] = json!(reason);
            "authorization.removed"
        }
    };
    (event, content)
}

fn publish_type(flow: Flow) -> &'static str {
    match flow {
        Flow::Direct => "DIRECT_POST",
        Flow::Draft => "INBOX_SHARE",
    }
}

/// Signs a body as the `TikTok-Signature` header has it.
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

    fn told(settings: &Settings, news: &[News]) -> Outbox {
        let mut outbox = Outbox::default();
        let (user, publish) = (OpenId::new("o1"), PublishId::new("p1"));
        let about = About { client_key: "ck", user: &user, publish: Some((&publish, Flow::Direct)) };
        for news in news {
            outbox.tell(news, about, settings, NOW);
        }
        outbox
    }

    #[test]
    fn the_signature_is_the_reference_vector() {
        let body = r#"{"client_key":"ck","event":"post.publish.complete","create_time":1615338610,"user_openid":"o1","content":"{\"publish_id\":\"v_pub_file~v2-1.1\",\"publish_type\":\"DIRECT_POST\"}"}"#;
        let at = Timestamp::from_second(1_633_174_587).unwrap();
        assert_eq!(
            signature("secret", at, body).unwrap(),
            "t=1633174587,s=f9bff4eb9ce4721b9fb09d379d95ca242ffb28ec119089c2b52804d84f0c0331"
        );
    }

    #[test]
    fn a_refused_delivery_is_tried_again_ever_later_and_then_dropped() {
        let settings = settings();
        let mut outbox = told(&settings, &[News::Complete]);
        let mut now = NOW;
        let mut pauses = Vec::new();
        while let Some(due) = outbox.list()[0].due_at {
            pauses.push(due.duration_since(now).as_secs());
            now = due;
            assert_eq!(outbox.take_due(&settings, now).len(), 1);
            outbox.attempted(1, Some(500), &settings, now);
        }
        assert_eq!(pauses[..5], [0, 1, 2, 4, 8]);
        assert_eq!(pauses.last(), Some(&3600));
        assert!(now <= after_s(NOW, GIVE_UP_AFTER_S));
        assert!(now > after_s(NOW, GIVE_UP_AFTER_S - 3600));
    }

    #[test]
    fn an_accepted_delivery_is_over() {
        let settings = settings();
        let mut outbox = told(&settings, &[News::Complete]);
        assert_eq!(outbox.take_due(&settings, NOW).len(), 1);
        assert!(outbox.take_due(&settings, NOW).is_empty());
        outbox.attempted(1, Some(200), &settings, NOW);
        assert_eq!(outbox.list()[0].due_at, None);
        assert_eq!(outbox.list()[0].delivered_at, Some(NOW));
    }

    #[test]
    fn in_reverse_the_last_event_is_due_first() {
        let settings = Settings { webhook_order: WebhookOrder::Reversed, ..settings() };
        let outbox = told(&settings, &[News::Complete, News::PubliclyAvailable(7)]);
        let due: Vec<_> = outbox.list().iter().map(|it| it.due_at).collect();
        assert!(due[1] < due[0]);
    }

    #[test]
    fn copies_and_spelling_can_be_set() {
        let settings = Settings { webhook_copies: 2, webhook_spelling: WebhookSpelling::AsReported, ..settings() };
        let outbox = told(&settings, &[News::Failed(FailReason::Internal)]);
        assert_eq!(outbox.list().len(), 2);
        assert_eq!(outbox.list()[0].body, outbox.list()[1].body);
        let body: Value = serde_json::from_str(&outbox.list()[0].body).unwrap();
        let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
        assert_eq!(content["fail_reason"], "internal");
    }

    #[test]
    fn nothing_is_told_where_nobody_listens() {
        let outbox = told(&Settings::default(), &[News::Complete]);
        assert!(outbox.list().is_empty());
    }
}
