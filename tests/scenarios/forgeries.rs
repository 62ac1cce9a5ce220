//! Webhooks that are not TikTok's, and those of TikTok's that nobody awaits.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::post::StateName;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Cloud, Creator, Dropped, Footage};

use crate::events::{invoke, recorded};
use crate::harness::stories;
use crate::post_office::{PostOffice, webhook};

stories![among:
    what_tiktok_did_not_sign_is_refused_and_nothing_of_it_is_kept,
    what_has_no_form_is_refused_though_it_is_signed,
    what_is_not_known_is_taken_kept_and_changes_nothing,
    a_word_about_a_publish_counts_for_its_own_user_alone,
    the_recorded_webhook_is_read_to_the_byte,
];

const NOW: SignedDuration = SignedDuration::ZERO;

/// A post that is delivered, and a body that would end it as published.
pub(crate) async fn delivered(cloud: &Arc<Cloud>) -> Result<(Creator, Dropped, Value)> {
    let maker = Creator::connect(cloud).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("mode", "draft")]).await?;
    let post = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let content = json!({ "publish_id": post.publish_id().context("it has a publish id")?, "post_id": 12 });
    Ok((maker, dropped, content))
}

async fn what_tiktok_did_not_sign_is_refused_and_nothing_of_it_is_kept(cloud: Arc<Cloud>) -> Result<()> {
    let (maker, dropped, content) = delivered(&cloud).await?;
    let office = PostOffice::open(&cloud).await?;
    let body = webhook(&maker, "post.publish.publicly_available", runtime::clock::now(), &content);
    let body = body.as_bytes();
    let right = office.sign(body, NOW)?;
    let forged = format!("{}0000", &right[..right.len() - 4]);
    let (stale, early) =
        (office.sign(body, SignedDuration::from_hours(73))?, office.sign(body, SignedDuration::from_mins(-10))?);
    for (what, signature) in [
        ("unsigned", None),
        ("empty", Some("")),
        ("garbage", Some("s=..,t=")),
        ("forged", Some(&*forged)),
        ("stale", Some(&*stale)),
        ("of the future", Some(&*early)),
        ("of another body", Some(&*office.sign(b"{}", NOW)?)),
    ] {
        assert_eq!(office.post(body, signature).await?, 401, "{what}");
    }
    assert_eq!(office.post(&body[..body.len() - 1], Some(&right)).await?, 401, "truncated");
    assert_eq!(office.post(b"", None).await?, 401, "nothing at all");
    assert_eq!(office.post(b"\xff\x00\xfe", Some("t=1,s=00")).await?, 401, "not UTF-8");
    assert!(office.kept(body).await?.is_none(), "nothing is kept of what is not TikTok's");
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Delivered);
    // The same, but signed, counts; base64 on its way through the gateway, too.
    assert_eq!(office.post_as("application/octet-stream", body, Some(&right)).await?, 200);
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Published);
    assert_eq!(office.post(body, Some(&right)).await?, 200, "replayed");
    Ok(())
}

async fn what_has_no_form_is_refused_though_it_is_signed(cloud: Arc<Cloud>) -> Result<()> {
    let office = PostOffice::open(&cloud).await?;
    let nested = format!(r#"{{"event":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    for body in [&b""[..], b"garbage", b"[]", br#"{"event":5}"#, b"\xff\xfe{}", nested.as_bytes()] {
        // As bytes: what says that it is text comes through the gateway as text.
        let status = office.post_as("application/octet-stream", body, Some(&office.sign(body, NOW)?)).await?;
        assert_eq!(status, 400, "{} bytes", body.len());
        assert!(office.kept(body).await?.is_none());
    }
    let huge = format!(r#"{{"event":"{}"}}"#, "x".repeat(200_000));
    assert_eq!(office.post(huge.as_bytes(), Some(&office.sign(huge.as_bytes(), NOW)?)).await?, 413);
    Ok(())
}

async fn what_is_not_known_is_taken_kept_and_changes_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let (maker, dropped, content) = delivered(&cloud).await?;
    let before = cloud.post(&dropped.post).await?;
    let office = PostOffice::open(&cloud).await?;
    let now = runtime::clock::now();
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    for (event, content, outcome) in [
        ("video.publish.completed", json!({ "share_id": "s1" }), "there is nothing to do about it"),
        ("post.publish.renamed", content, "there is nothing to do about it"),
        ("post.publish.complete", json!({ "publish_id": ["?"] }), "there is nothing to do about it"),
        ("post.publish.complete", json!(nested), "there is nothing to do about it"),
        ("post.publish.complete", json!({ "publish_id": maker.alias, "more": {} }), "no post has this publish"),
    ] {
        let body = webhook(&maker, event, now, &content);
        assert_eq!(office.deliver(&body).await?, 200, "{event} {content}");
        assert_eq!(office.outcome(&body).await?, outcome, "{event} {content}");
    }
    let after = cloud.post(&dropped.post).await?;
    assert_eq!((&after.state, &after.history), (&before.state, &before.history));
    Ok(())
}

async fn a_word_about_a_publish_counts_for_its_own_user_alone(cloud: Arc<Cloud>) -> Result<()> {
    let (maker, dropped, content) = delivered(&cloud).await?;
    let other = Creator::connect(&cloud).await?;
    let office = PostOffice::open(&cloud).await?;
    let now = runtime::clock::now();
    let body = webhook(&other, "post.publish.publicly_available", now, &content);
    assert_eq!(office.deliver(&body).await?, 200, "TikTok is not to come again with it");
    assert_eq!(office.outcome(&body).await?, "the post's account is another TikTok user's");
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Delivered);
    let body = webhook(&maker, "post.publish.publicly_available", now, &content);
    assert_eq!(office.deliver(&body).await?, 200);
    assert_eq!(office.outcome(&body).await?, "the post was delivered and is published");
    Ok(())
}

async fn the_recorded_webhook_is_read_to_the_byte(cloud: Arc<Cloud>) -> Result<()> {
    let office = PostOffice::open(&cloud).await?;
    let mut event = recorded("http-post-webhook.json")?;
    let api = &cloud.outputs().api_function;
    assert_eq!(invoke(&cloud, api, &event).await?["statusCode"], json!(401), "it is signed with another app's secret");
    let encoded = event["body"].as_str().context("a webhook has a body")?;
    let body = data_encoding::BASE64.decode(encoded.as_bytes())?;
    event["headers"]["tiktok-signature"] = json!(office.sign(&body, NOW)?);
    assert_eq!(invoke(&cloud, api, &event).await?["statusCode"], json!(200));
    assert_eq!(office.outcome(std::str::from_utf8(&body)?).await?, "no post has this publish");
    Ok(())
}
