//! Fuzz target `webhook`: requests to the webhook route, with or without a valid
//! signature of TikTok's.
//!
//! Properties: only a valid signature is accepted, and only for the body that it
//! signs; a field that TikTok adds later has no effect; every text is one short
//! line; no error shows the client secret or a valid signature.

use data_encoding::HEXLOWER;
use domain::report::{EventKind, PublishStatus};
use domain::secret::SecretString;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;
use tiktok::{Event, Webhook, WebhookError};

use crate::checks::{check_error, check_no_secret, check_text};

const CLIENT_SECRET: &str = "secret-of-the-app";
/// The minimum and maximum age of a valid signature: -5 minutes, because TikTok's
/// clock may be ahead, and 72 hours and 10 minutes (`MAX_AGE` in
/// functions/tiktok/src/webhook/signature.rs, with the reason).
const VALID_AGE: [SignedDuration; 2] = [SignedDuration::from_secs(-300), SignedDuration::from_secs(72 * 3600 + 600)];
/// A field that TikTok's webhooks do not have today.
const NEW_FIELD: &str = "brand_new_field";

/// Reads an input as a request: the first line is the signature header, the second
/// is the current time in seconds since 1970, the rest is the body. The request is
/// opened with that header, and again with a valid signature of that body.
pub fn webhook(input: &[u8]) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (header, clock, body) = (line(), line(), line());
    let second = str::from_utf8(clock).ok().and_then(|clock| clock.parse().ok());
    let now = second.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let header = str::from_utf8(header).ok();
    let opened = open(header, body, now);
    let verified = !matches!(opened, Err(WebhookError::Unproven(_)));
    assert!(!verified || is_signed(header.unwrap_or_default(), body, now), "an invalid signature is accepted");
    check_signed_body(body, now);
}

/// Checks a body with a valid signature: it is accepted if it is an event, with or
/// without a new field. The same signature is rejected for an altered body.
fn check_signed_body(body: &[u8], now: Timestamp) {
    let signature = signature(body, now);
    let opened = open(Some(&signature), body, now);
    assert!(!matches!(opened, Err(WebhookError::Unproven(_))), "a valid signature is rejected");
    let altered = open(Some(&signature), &[body, b" "].concat(), now);
    assert!(matches!(altered, Err(WebhookError::Unproven(_))), "an altered body is accepted");
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return assert_eq!(opened, Err(WebhookError::Malformed));
    };
    let is_event = fields.get("event").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    assert_eq!(opened.is_ok(), is_event, "a body is an event if and only if it names one");
    if fields.insert(NEW_FIELD.to_owned(), Value::from([now.as_second()].as_slice())).is_none() {
        let extended = serde_json::to_vec(&fields).expect("the fields were parsed from JSON");
        let reopened = open(Some(&self::signature(&extended, now)), &extended, now);
        assert_eq!(reopened, opened, "a new field changes the result");
    }
}

fn open(header: Option<&str>, body: &[u8], now: Timestamp) -> Result<Webhook, WebhookError> {
    let opened = Webhook::open(&[&SecretString::from(CLIENT_SECRET)], header, body, now);
    match &opened {
        Ok(webhook) => check_webhook(webhook),
        Err(error) => {
            check_error(error);
            check_text(&error.rejection().to_string());
            let displayed = format!("{error:?} {error} {}", error.rejection());
            check_no_secret(&displayed, &[CLIENT_SECRET, &signature(body, now)]);
        }
    }
    opened
}

fn check_webhook(webhook: &Webhook) {
    assert!(!webhook.name.is_empty());
    check_text(&webhook.name);
    let Event::Publish(event) = &webhook.event else { return };
    assert_eq!(event.at, webhook.at);
    match &event.kind {
        EventKind::Status(PublishStatus::Failed { reason }) => {
            assert!(!reason.is_empty());
            check_text(reason);
        }
        EventKind::Status(status) => {
            assert!(matches!(status, PublishStatus::Published | PublishStatus::InInbox), "{status:?}");
        }
        EventKind::Public(_) | EventKind::Withdrawn(_) => {}
    }
}

/// Whether a header contains a valid signature of a body: any of its `t=` times
/// together with any of its `s=` codes. This is less strict than production code.
fn is_signed(header: &str, body: &[u8], now: Timestamp) -> bool {
    let values = |name: &'static str| header.split(',').filter_map(move |part| part.trim().strip_prefix(name));
    let is_valid = |time: &str| {
        let at = time.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        let fresh = at.is_some_and(|at| (VALID_AGE[0]..=VALID_AGE[1]).contains(&now.duration_since(at)));
        fresh && values("s=").any(|code| code.eq_ignore_ascii_case(&hmac(time, body)))
    };
    values("t=").any(is_valid)
}

/// The signature header of a body that TikTok signs at a time.
fn signature(body: &[u8], at: Timestamp) -> String {
    let time = at.as_second().to_string();
    format!("t={time},s={}", hmac(&time, body))
}

/// The HMAC-SHA256 of `<time>.<body>` in hex.
fn hmac(time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}
