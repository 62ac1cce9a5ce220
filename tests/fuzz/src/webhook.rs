//! Whatever comes to the webhook's address, with or without TikTok's signature.

use data_encoding::HEXLOWER;
use domain::report::{EventKind, PublishStatus};
use domain::secret::SecretString;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;
use tiktok::{Event, Webhook, WebhookError};

use crate::words::{hold, hold_error, hold_secrets};

const SECRET: &str = "secret-of-the-app";
/// How old a signature may be, and how far TikTok's clock may be ahead.
const TAKEN: [SignedDuration; 2] = [SignedDuration::from_secs(-300), SignedDuration::from_secs(72 * 3600 + 600)];
/// What TikTok may say some day.
const BRAND_NEW: &str = "brand_new_field";

/// Takes an input as a request: in its first line the signature's header, in its
/// second what our clock says, in seconds since 1970, and behind them the body. It
/// is opened as it is, and as if TikTok had signed that body just then.
pub fn webhook(input: &[u8]) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (header, clock, body) = (line(), line(), line());
    let second = str::from_utf8(clock).ok().and_then(|clock| clock.parse().ok());
    let now = second.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let header = str::from_utf8(header).ok();
    let opened = open(header, body, now);
    let proven = !matches!(opened, Err(WebhookError::Unproven(_)));
    assert!(!proven || is_signed(header.unwrap_or_default(), body, now), "what TikTok did not sign is believed");
    signed_by_tiktok(body, now);
}

/// What TikTok signed is taken, whatever it says; what was altered then, is not.
fn signed_by_tiktok(body: &[u8], now: Timestamp) {
    let signature = signature(body, now);
    let opened = open(Some(&signature), body, now);
    assert!(!matches!(opened, Err(WebhookError::Unproven(_))), "what TikTok signed is not believed");
    let altered = open(Some(&signature), &[body, b" "].concat(), now);
    assert!(matches!(altered, Err(WebhookError::Unproven(_))), "what was altered is believed");
    let Ok(Value::Object(mut said)) = serde_json::from_slice(body) else {
        return assert_eq!(opened, Err(WebhookError::Malformed));
    };
    let is_an_event = said.get("event").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    assert_eq!(opened.is_ok(), is_an_event, "an event is what has a name");
    if said.insert(BRAND_NEW.to_owned(), Value::from([now.as_second()].as_slice())).is_none() {
        let more = serde_json::to_vec(&said).expect("it was JSON before");
        assert_eq!(open(Some(&self::signature(&more, now)), &more, now), opened, "with one more field");
    }
}

fn open(header: Option<&str>, body: &[u8], now: Timestamp) -> Result<Webhook, WebhookError> {
    let opened = Webhook::open(&[&SecretString::from(SECRET)], header, body, now);
    match &opened {
        Ok(webhook) => hold_webhook(webhook),
        Err(error) => {
            hold_error(error);
            hold(&error.failure().to_string());
            hold_secrets(&format!("{error:?} {error} {}", error.failure()), &[SECRET, &signature(body, now)]);
        }
    }
    opened
}

/// What is kept of it is no longer than what is kept of any answer.
fn hold_webhook(webhook: &Webhook) {
    assert!(!webhook.name.is_empty());
    hold(&webhook.name);
    let Event::Publish(word) = &webhook.event else { return };
    assert_eq!(word.at, webhook.at);
    match &word.tidings {
        EventKind::Status(PublishStatus::Failed { reason }) => {
            assert!(!reason.is_empty());
            hold(reason);
        }
        EventKind::Status(standing) => {
            assert!(matches!(standing, PublishStatus::Published | PublishStatus::InInbox), "{standing:?}");
        }
        EventKind::Public(_) | EventKind::Withdrawn(_) => {}
    }
}

/// Whether one of the times in a header, with the code in it, proves a body. It
/// asks for less than must hold.
fn is_signed(header: &str, body: &[u8], now: Timestamp) -> bool {
    let values = |name: &'static str| header.split(',').filter_map(move |part| part.trim().strip_prefix(name));
    let proves = |time: &str| {
        let at = time.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        let fresh = at.is_some_and(|at| (TAKEN[0]..=TAKEN[1]).contains(&now.duration_since(at)));
        fresh && values("s=").any(|said| said.eq_ignore_ascii_case(&code(time, body)))
    };
    values("t=").any(proves)
}

fn signature(body: &[u8], at: Timestamp) -> String {
    let time = at.as_second().to_string();
    format!("t={time},s={}", code(&time, body))
}

/// The code of a body that is signed at a time.
fn code(time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}
