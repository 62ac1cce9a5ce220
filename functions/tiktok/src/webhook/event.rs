//! The parser of a webhook's body. Its field `content` is a string that contains JSON of its own.
//!
//! The event and field names are read in TikTok's documented spellings and in others that TikTok was seen to send.
//! Invariant: any content is accepted; content that is not understood becomes [`Event::Other`].

use domain::identity::{OpenId, PublishId, VideoId};
use domain::reason::Reason;
use domain::report::{EventKind, PublishStatus, WebhookEvent};
use jiff::Timestamp;
use serde_json::Value;

use crate::fields::{display_text, short_text, short_texts, text, whole_number};

/// A webhook that TikTok sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The key of the app that the event concerns, if TikTok states one. It may be another app than the stack's.
    pub client_key: Option<String>,
    /// The event's name, as TikTok sent it.
    pub name: String,
    /// The user whom the event concerns, if TikTok states one.
    pub user: Option<OpenId>,
    /// The time of the event by TikTok's clock; the time of the signature if TikTok states none.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// An event that a webhook reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A publish or its video changed.
    Publish(WebhookEvent),
    /// A user's authorization ended. TikTok has already invalidated its tokens.
    Deauthorized(DeauthorizationReason),
    /// Another event, or one that is not understood.
    Other,
}

/// Why an authorization ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeauthorizationReason {
    /// The user removed the app.
    ByUser,
    /// The user's account was deleted.
    UserDeleted,
    /// The user's age changed.
    UserAge,
    /// The user is banned.
    UserBanned,
    /// The app revoked the authorization.
    ByApp,
    /// TikTok states no reason, or one that is not documented.
    Unspecified,
}

impl DeauthorizationReason {
    /// Reads the reason, which TikTok sends as a number.
    fn read(content: &Value) -> Self {
        match whole_number(content, "reason") {
            Some(1) => Self::ByUser,
            Some(2) => Self::UserDeleted,
            Some(3) => Self::UserAge,
            Some(4) => Self::UserBanned,
            Some(5) => Self::ByApp,
            _ => Self::Unspecified,
        }
    }

    /// Returns the reason for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ByUser => "the user removed the app in TikTok",
            Self::UserDeleted => "the TikTok account was deleted",
            Self::UserAge => "the user's age in TikTok changed",
            Self::UserBanned => "TikTok has banned the user",
            Self::ByApp => "the app revoked the authorization",
            Self::Unspecified => "TikTok ended the authorization and states no reason",
        }
    }
}

/// Parses a body. Returns `None` if it does not name an event.
pub(super) fn read(body: &Value, signed_at: Timestamp) -> Option<Webhook> {
    let name = display_text(body, "event")?;
    let create_time = whole_number(body, "create_time").and_then(|seconds| i64::try_from(seconds).ok());
    let at = create_time.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(signed_at);
    let user = text(body, "user_openid").and_then(|id| OpenId::new(id).ok());
    let content = parse_content(body);
    let event = match name.as_str() {
        "authorization.removed" => Event::Deauthorized(DeauthorizationReason::read(&content)),
        name => publish_event(name, &content, at).map_or(Event::Other, Event::Publish),
    };
    Some(Webhook { client_key: display_text(body, "client_key"), name, user, at, event })
}

/// Returns the `content`, parsed if it is a string; `null` if it is not JSON.
fn parse_content(body: &Value) -> Value {
    match body.get("content") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(object @ Value::Object(_)) => object.clone(),
        _ => Value::Null,
    }
}

/// Returns the event about a publish; `None` if its name or content is not understood.
fn publish_event(name: &str, content: &Value, at: Timestamp) -> Option<WebhookEvent> {
    let publish_id = PublishId::new(short_text(content, "publish_id")?).ok()?;
    let video = || short_texts(content, "post_id").into_iter().find_map(|id| VideoId::new(id).ok());
    let reason = || display_text(content, "reason").or_else(|| display_text(content, "fail_reason"));
    let kind = match name {
        "post.publish.failed" => {
            let reason = reason().unwrap_or_else(|| Reason::NoReasonGiven.code().to_owned());
            EventKind::Status(PublishStatus::Failed { reason })
        }
        "post.publish.complete" | "post.publish.completed" => EventKind::Status(PublishStatus::Published),
        "post.publish.inbox_delivered" => EventKind::Status(PublishStatus::InInbox),
        "post.publish.publicly_available" | "post.publish.publicaly_available" => {
            video().map_or(EventKind::Status(PublishStatus::Published), EventKind::Public)
        }
        "post.publish.no_longer_publicaly_available" | "post.publish.no_longer_publicly_available" => {
            // Without the withdrawn video's id, the event is `Event::Other`.
            EventKind::Withdrawn(video()?)
        }
        _ => return None,
    };
    Some(WebhookEvent { publish_id, at, kind })
}
