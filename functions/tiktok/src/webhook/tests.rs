//! Tests of webhooks that TikTok sends, and of requests that must be rejected.

use data_encoding::HEXLOWER;
use domain::identity::{OpenId, PublishId, VideoId};
use domain::report::{EventKind, PublishStatus, WebhookEvent};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

/// A test vector of our own, signed with the secret `secret`, because TikTok's pages have none that can be verified.
const BODY: &str = r#"{"client_key":"ck","event":"post.publish.complete","create_time":1615338610,"user_openid":"o1","content":"{\"publish_id\":\"v_pub_file~v2-1.1\",\"publish_type\":\"DIRECT_POST\"}"}"#;
const SIGNATURE: &str = "t=1633174587,s=f9bff4eb9ce4721b9fb09d379d95ca242ffb28ec119089c2b52804d84f0c0331";
const SIGNED_AT: i64 = 1_633_174_587;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open_at(second: i64, signature: &str) -> Result<Webhook, WebhookError> {
    Webhook::open(&[&"secret".into()], Some(signature), BODY.as_bytes(), at(second))
}

/// Opens a webhook with this body and a valid signature.
fn open_signed(body: &[u8]) -> Result<Webhook, WebhookError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(format!("{SIGNED_AT}.").as_bytes());
    mac.update(body);
    let signature = format!("t={SIGNED_AT},s={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    Webhook::open(&[&"secret".into()], Some(&signature), body, at(SIGNED_AT))
}

fn open_event(event: &str, content: &str) -> Webhook {
    open_signed(
        json!({ "event": event, "create_time": 5, "user_openid": "o1", "content": content }).to_string().as_bytes(),
    )
    .unwrap()
}

fn event_kind(event: &str, content: &Value) -> Option<EventKind> {
    match open_event(event, &content.to_string()).event {
        Event::Publish(WebhookEvent { publish_id, kind, at: event_at }) => {
            assert_eq!((publish_id.as_str(), event_at), ("p1", at(5)));
            Some(kind)
        }
        Event::Deauthorized(_) | Event::Other => None,
    }
}

#[test]
fn valid_signature_is_accepted() {
    let webhook = open_at(SIGNED_AT, SIGNATURE).unwrap();
    assert_eq!((webhook.name.as_str(), webhook.at), ("post.publish.complete", at(1_615_338_610)));
    assert_eq!(webhook.user, OpenId::new("o1").ok());
    assert_eq!(webhook.client_key.as_deref(), Some("ck"));
    let publish_id = PublishId::new("v_pub_file~v2-1.1").unwrap();
    let published = WebhookEvent { publish_id, at: webhook.at, kind: EventKind::Status(PublishStatus::Published) };
    assert_eq!(webhook.event, Event::Publish(published));
}

#[test]
fn signature_fields_may_have_any_order_and_case() {
    let (time, mac) = SIGNATURE.split_once(',').unwrap();
    let uppercase = format!("s={}", mac[2..].to_uppercase());
    for signature in [format!("{mac},{time}"), format!("{time}, {uppercase}"), format!("v=1,{time},{mac},x")] {
        assert!(open_at(SIGNED_AT, &signature).is_ok(), "{signature}");
    }
}

#[test]
fn malformed_signature_differs_from_invalid_one() {
    let (time, mac) = SIGNATURE.split_once(',').unwrap();
    let rejected = |signature: &str| open_at(SIGNED_AT, signature).unwrap_err();
    for malformed in ["", "t=,s=", time, mac, "t=x,s=00", "t=1,s=zz", "t=99999999999999,s=00"] {
        assert_eq!(rejected(malformed), SignatureError::Malformed.into(), "{malformed:?}");
    }
    let shorter = &SIGNATURE[..SIGNATURE.len() - 2];
    let other_time = SIGNATURE.replace(&SIGNED_AT.to_string(), &(SIGNED_AT + 1).to_string());
    for forged in [&SIGNATURE.replace("s=f9", "s=f8"), shorter, &other_time, "t=1633174587,s="] {
        assert_eq!(rejected(forged), SignatureError::InvalidSignature.into(), "{forged}");
    }
    let unsigned = Webhook::open(&[&"secret".into()], None, BODY.as_bytes(), at(SIGNED_AT)).unwrap_err();
    assert_eq!(unsigned, SignatureError::Missing.into());
}

#[test]
fn one_valid_signature_of_several_is_enough() {
    let (time, mac) = SIGNATURE.split_once(',').unwrap();
    let zeros = format!("s={}", "0".repeat(64));
    for signature in [
        format!("{time},{zeros},{mac}"),
        format!("{time},{mac},{zeros}"),
        format!("{time},s=zz,{mac}"),
        format!("{zeros},{mac},{time}"),
        // Two headers, which HTTP joins with a comma.
        format!("t=1,{zeros}, {time},{mac}"),
        format!("{time},{mac},t=1,{zeros}"),
    ] {
        assert!(open_at(SIGNED_AT, &signature).is_ok(), "{signature}");
    }
    let forged = format!("{time},{zeros},{}", mac.replace("s=f9", "s=f8"));
    assert_eq!(open_at(SIGNED_AT, &forged).unwrap_err(), SignatureError::InvalidSignature.into());
    assert!(open_at(SIGNED_AT, &format!("t=1,{mac}")).is_err(), "a signature counts with its own time only");
    let many = format!("{time},{}{mac}", format!("{zeros},").repeat(8));
    assert!(open_at(SIGNED_AT, &many).is_err(), "the number of checked signatures is limited");
}

#[test]
fn changed_body_invalidates_the_signature() {
    let altered = [BODY.replace("complete", "failed"), BODY.replace(':', ": "), BODY[..BODY.len() - 1].to_owned()];
    for body in altered {
        let rejected = Webhook::open(&[&"secret".into()], Some(SIGNATURE), body.as_bytes(), at(SIGNED_AT)).unwrap_err();
        assert_eq!(rejected, SignatureError::InvalidSignature.into(), "{body}");
    }
}

#[test]
fn old_secret_is_accepted_only_during_rotation() {
    let open = |secrets: &[&SecretString]| Webhook::open(secrets, Some(SIGNATURE), BODY.as_bytes(), at(SIGNED_AT));
    let (new, old) = ("new-secret".into(), "secret".into());
    assert!(open(&[&new, &old]).is_ok());
    assert_eq!(open(&[&new]).unwrap_err(), SignatureError::InvalidSignature.into());
    assert_eq!(open(&[]).unwrap_err(), SignatureError::InvalidSignature.into());
}

#[test]
fn signature_is_accepted_within_skew_and_maximum_age() {
    // In seconds. The clock skew may be 300 s; the maximum age is three days and 600 s.
    let three_days = 72 * 3600;
    for offset in [-300, 0, three_days, three_days + 600] {
        assert!(open_at(SIGNED_AT + offset, SIGNATURE).is_ok(), "{offset} s");
    }
    assert_eq!(open_at(SIGNED_AT + three_days + 601, SIGNATURE).unwrap_err(), SignatureError::TimestampTooOld.into());
    assert_eq!(open_at(SIGNED_AT - 301, SIGNATURE).unwrap_err(), SignatureError::TimestampInFuture.into());
}

#[test]
fn publish_event_is_read_in_every_spelling() {
    let video = VideoId::new("7678907398077074696").unwrap();
    let failed = |reason: &str| EventKind::Status(PublishStatus::Failed { reason: reason.into() });
    let without_video = json!({ "publish_id": "p1", "publish_type": "INBOX_SHARE" });
    let with_number = json!({ "publish_id": "p1", "post_id": 7_678_907_398_077_074_696_u64 });
    let with_string = json!({ "publish_id": "p1", "post_id": "7678907398077074696", "brand_new": [{}] });
    for (event, content, expected) in [
        ("failed", json!({ "publish_id": "p1", "reason": "spam_risk" }), failed("spam_risk")),
        ("failed", json!({ "publish_id": "p1", "fail_reason": "internal" }), failed("internal")),
        ("failed", without_video.clone(), failed("no_reason_given")),
        ("complete", without_video.clone(), EventKind::Status(PublishStatus::Published)),
        ("completed", without_video.clone(), EventKind::Status(PublishStatus::Published)),
        ("inbox_delivered", without_video.clone(), EventKind::Status(PublishStatus::InInbox)),
        ("publicly_available", with_number.clone(), EventKind::Public(video.clone())),
        ("publicly_available", with_string.clone(), EventKind::Public(video.clone())),
        ("publicly_available", without_video, EventKind::Status(PublishStatus::Published)),
        ("no_longer_publicaly_available", with_number, EventKind::Withdrawn(video.clone())),
        ("no_longer_publicly_available", with_string, EventKind::Withdrawn(video)),
    ] {
        assert_eq!(event_kind(&format!("post.publish.{event}"), &content), Some(expected), "{event} {content}");
    }
}

#[test]
fn deauthorization_has_user_and_reason() {
    for (reason, expected) in [
        (json!(0), DeauthorizationReason::Unspecified),
        (json!(1), DeauthorizationReason::ByUser),
        (json!("2"), DeauthorizationReason::UserDeleted),
        (json!(3), DeauthorizationReason::UserAge),
        (json!(4), DeauthorizationReason::UserBanned),
        (json!(5), DeauthorizationReason::ByApp),
        (json!(6), DeauthorizationReason::Unspecified),
        (json!(null), DeauthorizationReason::Unspecified),
    ] {
        let webhook = open_event("authorization.removed", &json!({ "reason": reason }).to_string());
        assert_eq!(webhook.event, Event::Deauthorized(expected), "{reason}");
        assert_eq!(webhook.user, OpenId::new("o1").ok());
    }
}

#[test]
fn unknown_event_or_content_is_other() {
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    for (event, content) in [
        ("video.publish.completed", r#"{"share_id":"s1"}"#),
        ("portability.download.ready", r#"{"request_id":1}"#),
        ("post.publish.renamed", r#"{"publish_id":"p1"}"#),
        ("post.publish.complete", "not JSON"),
        ("post.publish.complete", r#"{"publish_id":{}}"#),
        ("post.publish.complete", &nested),
        ("post.publish.no_longer_publicaly_available", r#"{"publish_id":"p1","post_id":7.678907398077075e18}"#),
    ] {
        assert_eq!(open_event(event, content).event, Event::Other, "{event} {content}");
    }
}

#[test]
fn signed_body_that_is_no_webhook_is_malformed() {
    let nested = format!(r#"{{"event":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    for body in ["", "null", "[]", "{}", r#"{"event":""}"#, r#"{"event":5}"#, "{\"event\":\"x\"", &nested] {
        assert_eq!(open_signed(body.as_bytes()), Err(WebhookError::Malformed), "{body}");
    }
    assert_eq!(open_signed(b"\xff\xfe{}"), Err(WebhookError::Malformed));
}

#[test]
fn texts_are_short_single_lines() {
    let long = "x\n".repeat(30_000);
    assert_eq!(open_event(&long, "{}").name.chars().count(), 300);
    for field in ["reason", "fail_reason"] {
        let content = json!({ "publish_id": "p1", field: long });
        let Some(EventKind::Status(PublishStatus::Failed { reason })) = event_kind("post.publish.failed", &content)
        else {
            panic!("{field} is not read");
        };
        assert!(reason.len() == 300 && !reason.contains('\n'), "{reason:?}");
    }
}

#[test]
fn absent_create_time_becomes_signature_time() {
    for create_time in [json!(null), json!("soon"), json!(u64::MAX), json!(-1)] {
        let body = json!({ "event": "x", "create_time": create_time });
        assert_eq!(open_signed(body.to_string().as_bytes()).unwrap().at, at(SIGNED_AT), "{create_time}");
    }
}

#[test]
fn error_shows_neither_signature_nor_secret() {
    let error = open_at(SIGNED_AT, &SIGNATURE.replace("s=f9", "s=f8")).unwrap_err();
    let texts = format!("{error} {error:?} {}", error.rejection());
    assert!(!texts.contains("bff4eb9ce4721b9f") && !texts.contains("secret"), "{texts}");
}

proptest! {
    #[test]
    fn random_input_never_panics(signature in ".{0,80}", body in prop::collection::vec(any::<u8>(), 0..200), content in ".{0,80}") {
        let opened = Webhook::open(&[&"secret".into()], Some(&signature), &body, at(SIGNED_AT));
        prop_assert!(opened.is_err());
        let _ = open_signed(&body);
        let _ = open_event("post.publish.publicly_available", &content);
    }
}
