//! Webhooks that TikTok did not sign, and signed webhooks that match no post.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::account::Connection;
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped, TestVideo};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::fixture::{WebhookFixture, webhook};
use crate::recorded_events::{invoke, recorded};
use crate::runner::scenarios;

scenarios![concurrent:
    unsigned_or_forged_webhook_is_rejected_and_not_stored,
    signed_invalid_body_is_rejected,
    unknown_webhook_is_stored_without_effect,
    webhook_for_another_users_publish_has_no_effect,
    webhook_for_another_app_is_stored_without_effect,
    recorded_webhook_is_verified_byte_by_byte,
];

/// The age of a signature that is made now.
const NOW: SignedDuration = SignedDuration::ZERO;

/// A delivered draft, and the content of a webhook that would publish it.
pub(crate) async fn delivered_draft(cloud: &Arc<Cloud>) -> Result<(Creator, Dropped, Value)> {
    let creator = Creator::create(cloud).await?;
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &[("dropcast-mode", "draft")]).await?;
    let post = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let content = json!({ "publish_id": post.publish_id().context("it has a publish id")?, "post_id": 12 });
    Ok((creator, dropped, content))
}

async fn unsigned_or_forged_webhook_is_rejected_and_not_stored(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped, content) = delivered_draft(&cloud).await?;
    let webhooks = WebhookFixture::open(&cloud).await?;
    let body = webhook(&creator, "post.publish.publicly_available", runtime::clock::now(), &content);
    let body = body.as_bytes();
    let valid = webhooks.sign(body, NOW)?;
    let forged = format!("{}0000", &valid[..valid.len() - 4]);
    // A signature is valid from 5 minutes before its time to 72 hours and 10 minutes after it.
    let stale = webhooks.sign(body, SignedDuration::from_hours(73))?;
    let future = webhooks.sign(body, SignedDuration::from_mins(-10))?;
    let other = webhooks.sign(b"{}", NOW)?;
    let truncated = &body[..body.len() - 1];
    for (what, body, signature) in [
        ("unsigned", body, None),
        ("empty signature", body, Some("")),
        ("malformed signature", body, Some("s=..,t=")),
        ("forged", body, Some(&*forged)),
        ("too old", body, Some(&*stale)),
        ("in the future", body, Some(&*future)),
        ("signature of another body", body, Some(&*other)),
        ("truncated body", truncated, Some(&*valid)),
        ("empty body", &b""[..], None),
        ("not UTF-8", &b"\xff\x00\xfe"[..], Some("t=1,s=00")),
    ] {
        assert_eq!(webhooks.post(body, signature).await?, 401, "{what}");
    }
    assert!(webhooks.stored(body).await?.is_none(), "a rejected webhook is not stored");
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Delivered);
    // With a valid signature it is accepted, even if API Gateway passes it on in base64, as it does with this type.
    assert_eq!(webhooks.post_as("application/octet-stream", body, Some(&valid)).await?, 200);
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Published);
    assert_eq!(webhooks.post(body, Some(&valid)).await?, 200, "repeated");
    Ok(())
}

async fn signed_invalid_body_is_rejected(cloud: Arc<Cloud>) -> Result<()> {
    let webhooks = WebhookFixture::open(&cloud).await?;
    let nested = format!(r#"{{"event":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    for body in [&b""[..], b"garbage", b"[]", br#"{"event":5}"#, b"\xff\xfe{}", nested.as_bytes()] {
        // The gateway passes this content type on as bytes; it would decode a text type.
        let signature = webhooks.sign(body, NOW)?;
        let status = webhooks.post_as("application/octet-stream", body, Some(&signature)).await?;
        assert_eq!(status, 400, "{} bytes", body.len());
        assert!(webhooks.stored(body).await?.is_none());
    }
    let large = format!(r#"{{"event":"{}"}}"#, "x".repeat(200_000));
    assert_eq!(webhooks.deliver(&large).await?, 413);
    Ok(())
}

async fn unknown_webhook_is_stored_without_effect(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped, content) = delivered_draft(&cloud).await?;
    let before = cloud.post(&dropped.post).await?;
    let webhooks = WebhookFixture::open(&cloud).await?;
    let now = runtime::clock::now();
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let nothing = "there is nothing to do about it";
    for (event, content, outcome) in [
        ("video.publish.completed", json!({ "share_id": "s1" }), nothing),
        ("post.publish.renamed", content, nothing),
        ("post.publish.complete", json!({ "publish_id": ["?"] }), nothing),
        ("post.publish.complete", json!(nested), nothing),
        ("post.publish.complete", json!({ "publish_id": creator.alias, "more": {} }), "no post has this publish"),
    ] {
        webhooks.ensure_accepted(&webhook(&creator, event, now, &content), outcome).await?;
    }
    let after = cloud.post(&dropped.post).await?;
    assert_eq!((&after.state, &after.history), (&before.state, &before.history));
    Ok(())
}

async fn webhook_for_another_users_publish_has_no_effect(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped, content) = delivered_draft(&cloud).await?;
    let other = Creator::create(&cloud).await?;
    let webhooks = WebhookFixture::open(&cloud).await?;
    let now = runtime::clock::now();
    let body = webhook(&other, "post.publish.publicly_available", now, &content);
    // It is accepted, so that TikTok does not repeat it.
    webhooks.ensure_accepted(&body, "the post's account is another TikTok user's").await?;
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Delivered);
    let body = webhook(&creator, "post.publish.publicly_available", now, &content);
    webhooks.ensure_accepted(&body, "the post was delivered and is published").await
}

async fn webhook_for_another_app_is_stored_without_effect(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped, content) = delivered_draft(&cloud).await?;
    let webhooks = WebhookFixture::open(&cloud).await?;
    let now = runtime::clock::now();
    for (event, content) in
        [("post.publish.publicly_available", content), ("authorization.removed", json!({ "reason": 1 }))]
    {
        let body = webhook(&creator, event, now, &content).replace("local-client-key", "another-client-key");
        webhooks.ensure_accepted(&body, "it is about another app").await?;
    }
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Delivered);
    assert_eq!(creator.account().await?.connection, Connection::Connected);
    Ok(())
}

async fn recorded_webhook_is_verified_byte_by_byte(cloud: Arc<Cloud>) -> Result<()> {
    let webhooks = WebhookFixture::open(&cloud).await?;
    let mut event = recorded("http-post-webhook.json")?;
    let api = &cloud.outputs().api_function;
    assert_eq!(invoke(&cloud, api, &event).await?["statusCode"], json!(401), "it is signed with another app's secret");
    let encoded = event["body"].as_str().context("a webhook has a body")?;
    let body = data_encoding::BASE64.decode(encoded.as_bytes())?;
    event["headers"]["tiktok-signature"] = json!(webhooks.sign(&body, NOW)?);
    assert_eq!(invoke(&cloud, api, &event).await?["statusCode"], json!(200));
    assert_eq!(webhooks.outcome(std::str::from_utf8(&body)?).await?, "it is about another app");
    Ok(())
}
