//! What a webhook says. `content` is a text that holds JSON of its own.
//!
//! The spellings are those of TikTok's pages and those that were seen elsewhere.
//! Invariant: whatever an event's content is, it is read, as [`Event::Other`] at worst.

use domain::identity::{OpenId, PublishId, VideoId};
use domain::report::{EventKind, PublishStatus, WebhookEvent};
use jiff::Timestamp;
use serde_json::Value;

use super::Webhook;
use crate::fields::{count, ids, text, text_or_digits, words};

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something became of a publish.
    Publish(WebhookEvent),
    /// A user's consent has ended; the tokens are dead already.
    Deauthorized(DeauthorizationReason),
    /// Something else, or something that is not understood.
    Other,
}

/// Why a consent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeauthorizationReason {
    /// The user removed the app.
    ByUser,
    /// The user's account is deleted.
    UserDeleted,
    /// The user's age changed.
    UserAge,
    /// The user is banned.
    UserBanned,
    /// The app gave the consent back.
    ByApp,
    /// TikTok does not say.
    Unsaid,
}

impl DeauthorizationReason {
    fn of(reason: Option<u64>) -> Self {
        match reason {
            Some(1) => Self::ByUser,
            Some(2) => Self::UserDeleted,
            Some(3) => Self::UserAge,
            Some(4) => Self::UserBanned,
            Some(5) => Self::ByApp,
            _ => Self::Unsaid,
        }
    }

    /// The same for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ByUser => "the user removed the app in TikTok",
            Self::UserDeleted => "the TikTok account was deleted",
            Self::UserAge => "TikTok has another age of the user on record",
            Self::UserBanned => "TikTok has banned the user",
            Self::ByApp => "the app gave the consent back",
            Self::Unsaid => "TikTok ended the consent and does not say why",
        }
    }
}

/// Reads a body; none, where it has no event's name.
pub(super) fn read(body: &Value, signed_at: Timestamp) -> Option<Webhook> {
    let name = words(body, "event")?;
    let stated = count(body, "create_time").and_then(|seconds| i64::try_from(seconds).ok());
    let at = stated.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(signed_at);
    let user = text(body, "user_openid").and_then(|id| OpenId::new(id).ok());
    let content = content_of(body);
    let event = match name.as_str() {
        "authorization.removed" => Event::Deauthorized(DeauthorizationReason::of(count(&content, "reason"))),
        name => publish(name, &content, at).map_or(Event::Other, Event::Publish),
    };
    Some(Webhook { name, user, at, event })
}

/// The content, taken out of its text; nothing, where it is no JSON.
fn content_of(body: &Value) -> Value {
    match body.get("content") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(object @ Value::Object(_)) => object.clone(),
        _ => Value::Null,
    }
}

fn publish(name: &str, content: &Value, at: Timestamp) -> Option<WebhookEvent> {
    let publish_id = PublishId::new(text_or_digits(content, "publish_id")?).ok()?;
    let video = || ids(content, "post_id").into_iter().find_map(|id| VideoId::new(id).ok());
    let reason = || words(content, "reason").or_else(|| words(content, "fail_reason"));
    let tidings = match name {
        "post.publish.failed" => {
            let reason = reason().unwrap_or_else(|| "no_reason_given".to_owned());
            EventKind::Status(PublishStatus::Failed { reason })
        }
        "post.publish.complete" | "post.publish.completed" => EventKind::Status(PublishStatus::Published),
        "post.publish.inbox_delivered" => EventKind::Status(PublishStatus::InInbox),
        "post.publish.publicly_available" | "post.publish.publicaly_available" => {
            video().map_or(EventKind::Status(PublishStatus::Published), EventKind::Public)
        }
        "post.publish.no_longer_publicaly_available" | "post.publish.no_longer_publicly_available" => {
            EventKind::Withdrawn(video()?)
        }
        _ => return None,
    };
    Some(WebhookEvent { publish_id, at, tidings })
}
