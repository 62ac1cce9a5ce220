//! Webhooks as they come, and as they must not.

use data_encoding::HEXLOWER;
use domain::identity::{PublishId, VideoId};
use domain::report::{EventKind, PublishStatus, WebhookEvent};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::json;
use sha2::Sha256;

use super::*;

/// The self-made vector: TikTok's pages have none that can be computed.
const BODY: &str = r#"{"client_key":"ck","event":"post.publish.complete","create_time":1615338610,"user_openid":"o1","content":"{\"publish_id\":\"v_pub_file~v2-1.1\",\"publish_type\":\"DIRECT_POST\"}"}"#;
const SIGNATURE: &str = "t=1633174587,s=f9bff4eb9ce4721b9fb09d379d95ca242ffb28ec119089c2b52804d84f0c0331";
const SIGNED_AT: i64 = 1_633_174_587;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open_at(second: i64, signature: &str) -> Result<Webhook, WebhookError> {
    Webhook::open(&[&"secret".into()], Some(signature), BODY.as_bytes(), at(second))
}

/// What TikTok would send with this body.
fn sent(body: &[u8]) -> Result<Webhook, WebhookError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(format!("{SIGNED_AT}.").as_bytes());
    mac.update(body);
    let signature = format!("t={SIGNED_AT},s={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    Webhook::open(&[&"secret".into()], Some(&signature), body, at(SIGNED_AT))
}

fn told(event: &str, content: &str) -> Webhook {
    sent(json!({ "event": event, "create_time": 5, "user_openid": "o1", "content": content }).to_string().as_bytes())
        .unwrap()
}

fn tidings(event: &str, content: &Value) -> Option<EventKind> {
    match told(event, &content.to_string()).event {
        Event::Publish(WebhookEvent { publish_id, tidings, at: told_at }) => {
            assert_eq!((publish_id.as_str(), told_at), ("p1", at(5)));
            Some(tidings)
        }
        Event::Deauthorized(_) | Event::Other => None,
    }
}

#[test]
fn what_tiktok_signed_is_believed() {
    let webhook = open_at(SIGNED_AT, SIGNATURE).unwrap();
    assert_eq!((webhook.name.as_str(), webhook.at), ("post.publish.complete", at(1_615_338_610)));
    assert_eq!(webhook.user, OpenId::new("o1").ok());
    let publish_id = PublishId::new("v_pub_file~v2-1.1").unwrap();
    let published = WebhookEvent { publish_id, at: webhook.at, tidings: EventKind::Status(PublishStatus::Published) };
    assert_eq!(webhook.event, Event::Publish(published));
}

#[test]
fn a_signature_is_read_in_any_order_and_case_and_beside_what_is_not_known() {
    let (time, code) = SIGNATURE.split_once(',').unwrap();
    let loud = format!("s={}", code[2..].to_uppercase());
    for signature in [format!("{code},{time}"), format!("{time}, {loud}"), format!("v=1,{time},{code},x")] {
        assert!(open_at(SIGNED_AT, &signature).is_ok(), "{signature}");
    }
}

#[test]
fn a_signature_that_is_none_is_told_from_a_forged_one() {
    let (time, code) = SIGNATURE.split_once(',').unwrap();
    let refused = |signature: &str| open_at(SIGNED_AT, signature).unwrap_err();
    for malformed in
        ["", "t=,s=", time, code, "t=x,s=00", "t=1,s=zz", &format!("{SIGNATURE},{code}"), "t=99999999999999,s=00"]
    {
        assert_eq!(refused(malformed), SignatureError::Malformed.into(), "{malformed:?}");
    }
    let shorter = &SIGNATURE[..SIGNATURE.len() - 2];
    let other_time = SIGNATURE.replace(&SIGNED_AT.to_string(), &(SIGNED_AT + 1).to_string());
    for forged in [&SIGNATURE.replace("s=f9", "s=f8"), shorter, &other_time, "t=1633174587,s="] {
        assert_eq!(refused(forged), SignatureError::InvalidSignature.into(), "{forged}");
    }
    let unsigned = Webhook::open(&[&"secret".into()], None, BODY.as_bytes(), at(SIGNED_AT)).unwrap_err();
    assert_eq!(unsigned, SignatureError::Missing.into());
}

#[test]
fn the_body_is_verified_to_the_byte() {
    let altered = [BODY.replace("complete", "failed"), BODY.replace(':', ": "), BODY[..BODY.len() - 1].to_owned()];
    for body in altered {
        let refused = Webhook::open(&[&"secret".into()], Some(SIGNATURE), body.as_bytes(), at(SIGNED_AT)).unwrap_err();
        assert_eq!(refused, SignatureError::InvalidSignature.into(), "{body}");
    }
}

#[test]
fn while_a_secret_is_exchanged_both_are_taken_and_afterwards_one() {
    let open = |secrets: &[&SecretString]| Webhook::open(secrets, Some(SIGNATURE), BODY.as_bytes(), at(SIGNED_AT));
    let (new, old) = ("new-secret".into(), "secret".into());
    assert!(open(&[&new, &old]).is_ok());
    assert_eq!(open(&[&new]).unwrap_err(), SignatureError::InvalidSignature.into());
    assert_eq!(open(&[]).unwrap_err(), SignatureError::InvalidSignature.into());
}

#[test]
fn clocks_may_differ_and_tiktok_may_repeat_for_three_days_with_one_signature() {
    let three_days = 72 * 3600;
    for fine in [-300, 0, three_days, three_days + 600] {
        assert!(open_at(SIGNED_AT + fine, SIGNATURE).is_ok(), "{fine} s");
    }
    assert_eq!(open_at(SIGNED_AT + three_days + 601, SIGNATURE).unwrap_err(), SignatureError::TimestampTooOld.into());
    assert_eq!(open_at(SIGNED_AT - 301, SIGNATURE).unwrap_err(), SignatureError::TimestampInFuture.into());
}

#[test]
fn every_event_of_a_publish_is_read_in_each_of_its_spellings() {
    let video = VideoId::new("7678907398077074696").unwrap();
    let failed = |reason: &str| EventKind::Status(PublishStatus::Failed { reason: reason.into() });
    let plain = json!({ "publish_id": "p1", "publish_type": "INBOX_SHARE" });
    let number = json!({ "publish_id": "p1", "post_id": 7_678_907_398_077_074_696_u64 });
    let words = json!({ "publish_id": "p1", "post_id": "7678907398077074696", "brand_new": [{}] });
    for (event, content, expected) in [
        ("failed", json!({ "publish_id": "p1", "reason": "spam_risk" }), failed("spam_risk")),
        ("failed", json!({ "publish_id": "p1", "fail_reason": "internal" }), failed("internal")),
        ("failed", plain.clone(), failed("no_reason_given")),
        ("complete", plain.clone(), EventKind::Status(PublishStatus::Published)),
        ("completed", plain.clone(), EventKind::Status(PublishStatus::Published)),
        ("inbox_delivered", plain.clone(), EventKind::Status(PublishStatus::InInbox)),
        ("publicly_available", number.clone(), EventKind::Public(video.clone())),
        ("publicly_available", words.clone(), EventKind::Public(video.clone())),
        ("publicly_available", plain, EventKind::Status(PublishStatus::Published)),
        ("no_longer_publicaly_available", number, EventKind::Withdrawn(video.clone())),
        ("no_longer_publicly_available", words, EventKind::Withdrawn(video)),
    ] {
        assert_eq!(tidings(&format!("post.publish.{event}"), &content), Some(expected), "{event} {content}");
    }
}

#[test]
fn an_end_of_a_consent_says_whose_and_why() {
    for (reason, expected) in [
        (json!(0), DeauthorizationReason::Unsaid),
        (json!(1), DeauthorizationReason::ByUser),
        (json!("2"), DeauthorizationReason::UserDeleted),
        (json!(3), DeauthorizationReason::UserAge),
        (json!(4), DeauthorizationReason::UserBanned),
        (json!(5), DeauthorizationReason::ByApp),
        (json!(6), DeauthorizationReason::Unsaid),
        (json!(null), DeauthorizationReason::Unsaid),
    ] {
        let webhook = told("authorization.removed", &json!({ "reason": reason }).to_string());
        assert_eq!(webhook.event, Event::Deauthorized(expected), "{reason}");
        assert_eq!(webhook.user, OpenId::new("o1").ok());
    }
}

#[test]
fn what_is_not_understood_is_taken_all_the_same() {
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
        assert_eq!(told(event, content).event, Event::Other, "{event} {content}");
    }
}

#[test]
fn what_has_nothing_of_a_webhooks_form_is_refused_though_it_is_signed() {
    let nested = format!(r#"{{"event":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    for body in ["", "null", "[]", "{}", r#"{"event":""}"#, r#"{"event":5}"#, "{\"event\":\"x\"", &nested] {
        assert_eq!(sent(body.as_bytes()), Err(WebhookError::Malformed), "{body}");
    }
    assert_eq!(sent(b"\xff\xfe{}"), Err(WebhookError::Malformed));
}

#[test]
fn what_is_kept_of_it_is_short_and_in_one_line() {
    let long = "x\n".repeat(30_000);
    assert_eq!(told(&long, "{}").name.chars().count(), 300);
    for field in ["reason", "fail_reason"] {
        let content = json!({ "publish_id": "p1", field: long });
        let Some(EventKind::Status(PublishStatus::Failed { reason })) = tidings("post.publish.failed", &content) else {
            panic!("{field} is read");
        };
        assert!(reason.len() == 300 && !reason.contains('\n'), "{reason:?}");
    }
}

#[test]
fn a_time_that_is_not_stated_is_that_of_the_signature() {
    for stated in [json!(null), json!("soon"), json!(u64::MAX), json!(-1)] {
        let body = json!({ "event": "x", "create_time": stated });
        assert_eq!(sent(body.to_string().as_bytes()).unwrap().at, at(SIGNED_AT), "{stated}");
    }
}

#[test]
fn no_error_shows_what_was_sent() {
    let error = open_at(SIGNED_AT, &SIGNATURE.replace("s=f9", "s=f8")).unwrap_err();
    let shown = format!("{error} {error:?} {}", error.failure());
    assert!(!shown.contains("bff4eb9ce4721b9f") && !shown.contains("secret"), "{shown}");
}

proptest! {
    #[test]
    fn whatever_comes_nothing_panics(signature in ".{0,80}", body in prop::collection::vec(any::<u8>(), 0..200), content in ".{0,80}") {
        let opened = Webhook::open(&[&"secret".into()], Some(&signature), &body, at(SIGNED_AT));
        prop_assert!(opened.is_err());
        let _ = sent(&body);
        let _ = told("post.publish.publicly_available", &content);
    }
}
