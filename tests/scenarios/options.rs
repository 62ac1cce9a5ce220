//! What is said of a video: in a sidecar, in metadata, by the account; and what
//! happens when it is said wrongly.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::Requirement;
use domain::failure::Failure;
use domain::options::PrivacyLevel as Level;
use domain::post::{HoldReason, PostState, StateName};
use serde_json::{Value, json};
use simulator::{PrivacyLevel, Visibility};
use tests::{Cloud, Creator, Dropped, Footage};

use crate::harness::stories;

stories![among:
    every_option_of_a_sidecar_reaches_tiktok,
    options_in_metadata_reach_tiktok_and_yield_to_the_sidecar,
    a_video_waits_for_its_sidecar_where_the_account_asks_for_one,
    a_video_waits_for_its_review_where_the_account_asks_for_one,
    options_that_cannot_be_read_fail_the_post_before_anything_is_sent,
    a_privacy_level_that_the_creator_does_not_offer_is_never_exchanged_for_another,
    a_title_beyond_ascii_in_metadata_arrives_as_it_was_written,
];

/// Waits for a post to fail, and for why.
pub(crate) async fn failure_of(cloud: &Cloud, dropped: &Dropped) -> Result<Failure> {
    let post = cloud.await_state(&dropped.post, StateName::Failed).await?;
    match post.state.clone() {
        PostState::Failed { failure, .. } => Ok(failure),
        other => anyhow::bail!("it has failed, and is {other:?}"),
    }
}

async fn every_option_of_a_sidecar_reaches_tiktok(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let options = json!({
        "title": "Käse & Brot 🧀 #food", "mode": "direct", "privacy_level": "MUTUAL_FOLLOW_FRIENDS",
        "disable_comment": true, "disable_duet": true, "disable_stitch": true, "cover_timestamp_ms": 400,
        "brand_content": true, "brand_organic": true, "ai_generated": true,
    });
    maker.options("clip.json", &options).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    let publication = book.ensure_published_once(&dropped)?;
    assert_eq!(publication.privacy_level, PrivacyLevel::MutualFollowFriends);
    let asked = book.publishes[0].post_info.as_ref().context("it is a direct post")?;
    assert_eq!(asked.title.as_deref(), Some("Käse & Brot 🧀 #food"));
    let switches = [
        asked.disable_comment,
        asked.disable_duet,
        asked.disable_stitch,
        asked.brand_content_toggle,
        asked.brand_organic_toggle,
        asked.is_aigc,
    ];
    assert_eq!(switches, [Some(true); 6]);
    assert_eq!(asked.video_cover_timestamp_ms, Some(400));
    Ok(())
}

async fn options_in_metadata_reach_tiktok_and_yield_to_the_sidecar(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.options("clip.mp4.json", &json!({ "title": "from the sidecar" })).await?;
    let said = [("title", "from the metadata"), ("privacy-level", "SELF_ONLY"), ("disable-duet", "true")];
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &said).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    let publication = book.ensure_published_once(&dropped)?;
    assert_eq!(publication.title, "from the sidecar");
    assert_eq!(publication.privacy_level, PrivacyLevel::SelfOnly);
    let asked = book.publishes[0].post_info.as_ref().context("it is a direct post")?;
    assert_eq!((asked.disable_duet, asked.disable_comment), (Some(true), Some(false)));
    Ok(())
}

async fn a_title_beyond_ascii_in_metadata_arrives_as_it_was_written(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    // What S3's own SDKs write, and S3 hands on: https://www.rfc-editor.org/rfc/rfc2047
    let said = [("title", "=?UTF-8?B?w7xiZXIg8J+Rjw==?=")];
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &said).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    assert_eq!(maker.book().await?.ensure_published_once(&dropped)?.title, "über 👏");
    Ok(())
}

async fn a_video_waits_for_its_sidecar_where_the_account_asks_for_one(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.sidecar = Requirement::Required).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = cloud.await_state(&dropped.post, StateName::Held).await?;
    assert_eq!(post.state, PostState::Held { reason: HoldReason::Sidecar });
    cloud.stays(&dropped.post, StateName::Held, Duration::from_secs(4)).await?;
    maker.book().await?.ensure_never_begun()?;
    maker.options("clip.json", &json!({ "title": "now with words" })).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    assert_eq!(maker.book().await?.ensure_published_once(&dropped)?.title, "now with words");
    Ok(())
}

async fn a_video_waits_for_its_review_where_the_account_asks_for_one(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.review = Requirement::Required).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = cloud.await_state(&dropped.post, StateName::Held).await?;
    assert_eq!(post.state, PostState::Held { reason: HoldReason::Review });
    cloud.stays(&dropped.post, StateName::Held, Duration::from_secs(4)).await?;
    maker.book().await?.ensure_never_begun()
}

async fn options_that_cannot_be_read_fail_the_post_before_anything_is_sent(cloud: Arc<Cloud>) -> Result<()> {
    let table: [(&str, &str, &str); 6] = [
        (r#"{"privacy_levle":"SELF_ONLY"}"#, "options_malformed", "privacy_levle"),
        (r#"{"privacy_level":"PRIVATE"}"#, "options_malformed", "PRIVATE"),
        ("{\"title\": \"no end", "options_malformed", "clip.json"),
        ("just text", "options_malformed", "JSON object"),
        (r#"{"publish_at":"tomorrow"}"#, "options_malformed", "publish_at"),
        (r#"{"brand_content":true,"privacy_level":"SELF_ONLY"}"#, "options_invalid", "branded content"),
    ];
    let mut drops = Vec::new();
    for (sidecar, code, named) in table {
        let maker = Creator::connect(&cloud).await?;
        cloud.put(tests::Put::new(maker.key("clip.json"), &Footage::of(sidecar))).await?;
        let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
        drops.push((maker, dropped, code, named));
    }
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("titel", "x")]).await?;
    drops.push((maker, dropped, "options_malformed", "titel"));
    for (maker, dropped, code, named) in drops {
        let failure = failure_of(&cloud, &dropped).await?;
        assert_eq!(failure.reason.code(), code, "{failure}");
        assert!(failure.message.contains(named), "it should name {named}: {failure}");
        assert!(!failure.advice.is_empty(), "it should say what to do: {failure}");
        maker.book().await?.ensure_never_begun()?;
    }
    Ok(())
}

async fn a_privacy_level_that_the_creator_does_not_offer_is_never_exchanged_for_another(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| {
        casting.user.visibility = Visibility::Private;
        casting.defaults.privacy_level = Some(Level::PublicToEveryone);
    })
    .await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let failure = failure_of(&cloud, &dropped).await?;
    assert_eq!(failure.reason.code(), "privacy_level_option_mismatch", "{failure}");
    for named in ["PUBLIC_TO_EVERYONE", "FOLLOWER_OF_CREATOR"] {
        assert!(failure.message.contains(named), "{failure}");
    }
    maker.book().await?.ensure_never_begun()?;
    let offered: Value = json!({ "privacy_level": "FOLLOWER_OF_CREATOR" });
    maker.options("other.json", &offered).await?;
    let dropped = maker.drops("other.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    assert_eq!(book.ensure_published_once(&dropped)?.privacy_level, PrivacyLevel::FollowerOfCreator);
    let asked = book.publishes[0].post_info.as_ref().context("it is a direct post")?;
    assert_eq!((asked.disable_duet, asked.disable_stitch), (Some(true), Some(true)), "private accounts allow neither");
    Ok(())
}
