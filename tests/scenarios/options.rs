//! Options of a post, valid and invalid: in a sidecar, in S3 metadata, or as defaults of the account.

mod defaults;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::account::Requirement;
use domain::options::PrivacyLevel as Level;
use domain::post::{HoldReason, PostState, StateName};
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::json;
use simulator::{PrivacyLevel, Visibility};

use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    every_sidecar_option_reaches_tiktok,
    sidecar_overrides_metadata_options,
    required_sidecar_holds_the_video_until_it_comes,
    required_review_holds_the_video,
    invalid_options_fail_post_before_init,
    unavailable_privacy_level_fails_and_is_never_replaced,
    option_without_prefix_is_noted_once_and_not_applied,
    sidecar_is_found_in_each_unicode_form,
    sidecars_in_two_unicode_forms_fail_the_post;
    defaults
];

async fn every_sidecar_option_reaches_tiktok(creator: Creator) -> Result<()> {
    let options = json!({
        "title": "Käse & Brot 🧀 #food", "mode": "direct", "privacy_level": "MUTUAL_FOLLOW_FRIENDS",
        "disable_comment": true, "disable_duet": true, "disable_stitch": true, "cover_timestamp_ms": 400,
        "brand_content": true, "brand_organic": true, "ai_generated": true,
    });
    creator.put_options("clip.json", &options).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publications[0].privacy_level, PrivacyLevel::MutualFollowFriends);
    let sent = ledger.post_info()?;
    assert_eq!(sent.title.as_deref(), Some("Käse & Brot 🧀 #food"));
    let switches = [
        sent.disable_comment,
        sent.disable_duet,
        sent.disable_stitch,
        sent.brand_content_toggle,
        sent.brand_organic_toggle,
        sent.is_aigc,
    ];
    assert_eq!(switches, [Some(true); 6]);
    assert_eq!(sent.video_cover_timestamp_ms, Some(400));
    Ok(())
}

async fn sidecar_overrides_metadata_options(creator: Creator) -> Result<()> {
    creator.put_options("clip.mp4.json", &json!({ "title": "from the sidecar" })).await?;
    let metadata = [
        ("dropcast-title", "from the metadata"),
        ("dropcast-privacy-level", "SELF_ONLY"),
        ("dropcast-disable-duet", "true"),
    ];
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &metadata).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publications[0].title, "from the sidecar");
    assert_eq!(ledger.publications[0].privacy_level, PrivacyLevel::SelfOnly);
    let sent = ledger.post_info()?;
    assert_eq!((sent.disable_duet, sent.disable_comment), (Some(true), Some(false)));
    Ok(())
}

/// The notes of a post's history that contain a text.
pub(crate) async fn notes_with(cloud: &Cloud, dropped: &Dropped, text: &str) -> Result<Vec<String>> {
    let history = cloud.post(&dropped.post).await?.history.clone();
    Ok(history.into_iter().map(|entry| entry.note).filter(|note| note.contains(text)).collect())
}

async fn option_without_prefix_is_noted_once_and_not_applied((cloud, creator): WithCreator) -> Result<()> {
    // One worker schedules the post, and another publishes it. Both read the metadata.
    let publish_at = (runtime::clock::now() + Duration::from_secs(5)).to_string();
    let metadata = [("title", "not ours"), ("mode", "33188"), ("dropcast-publish-at", publish_at.as_str())];
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &metadata).await?;
    assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "clip");
    let notes = notes_with(&cloud, &dropped, "metadata").await?;
    assert_eq!(notes, ["metadata `title` ignored: options begin with `dropcast-`"]);
    Ok(())
}

/// `Café` composed and decomposed. A video and its sidecar can have either form.
const FORMS: [&str; 2] = ["Caf\u{e9}", "Cafe\u{301}"];

async fn sidecar_is_found_in_each_unicode_form(cloud: Arc<Cloud>) -> Result<()> {
    for_each(FORMS.iter().flat_map(|video| FORMS.map(|sidecar| (video, sidecar))), async |(video, sidecar)| {
        // The sidecar's event must find the held video, and then the worker must find the sidecar.
        let creator = Creator::create_with(&cloud, |setup| setup.sidecar = Requirement::Required).await?;
        let dropped = creator.drop_small(&format!("{video}.mp4")).await?;
        cloud.await_state(&dropped.post, StateName::Held).await?;
        creator.put_options(&format!("{sidecar}.json"), &json!({ "title": "now with words" })).await?;
        assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "now with words");
        Ok(())
    })
    .await
}

async fn sidecars_in_two_unicode_forms_fail_the_post((cloud, creator): WithCreator) -> Result<()> {
    for form in FORMS {
        creator.put_options(&format!("{form}.json"), &json!({ "title": "which?" })).await?;
    }
    let dropped = creator.drop_small(&format!("{}.mp4", FORMS[0])).await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "options_invalid", "{failure}");
    assert!(failure.message.contains("NFC") && failure.message.contains("NFD"), "{failure}");
    creator.ledger().await?.ensure_no_init()
}

/// Drops a video, and checks that its post is held for this reason and no upload begins.
async fn held_for(creator: &Creator, reason: HoldReason) -> Result<Dropped> {
    let dropped = creator.drop_small("clip.mp4").await?;
    let post = creator.cloud.await_state(&dropped.post, StateName::Held).await?;
    assert_eq!(post.state, PostState::Held { reason });
    creator.cloud.ensure_state_stays(&dropped.post, StateName::Held, Duration::from_secs(4)).await?;
    creator.ledger().await?.ensure_no_init()?;
    Ok(dropped)
}

async fn required_sidecar_holds_the_video_until_it_comes(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.sidecar = Requirement::Required).await?;
    let dropped = held_for(&creator, HoldReason::Sidecar).await?;
    creator.put_options("clip.json", &json!({ "title": "now with words" })).await?;
    assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "now with words");
    Ok(())
}

async fn required_review_holds_the_video(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.review = Requirement::Required).await?;
    held_for(&creator, HoldReason::Review).await.map(drop)
}

async fn invalid_options_fail_post_before_init(cloud: Arc<Cloud>) -> Result<()> {
    let ensure_failed = async |creator: &Creator, dropped: &Dropped, code: &str, named: &str| {
        let failure = cloud.await_failure(dropped).await?;
        assert_eq!(failure.reason.code(), code, "{failure}");
        assert!(failure.message.contains(named), "the message should contain {named}: {failure}");
        assert!(!failure.advice.is_empty(), "{failure}");
        creator.ledger().await?.ensure_no_init()
    };
    let sidecars = [
        (r#"{"privacy_levle":"SELF_ONLY"}"#, "options_malformed", "privacy_levle"),
        (r#"{"privacy_level":"PRIVATE"}"#, "options_malformed", "PRIVATE"),
        ("{\"title\": \"no end", "options_malformed", "clip.json"),
        ("just text", "options_malformed", "JSON object"),
        (r#"{"publish_at":"tomorrow"}"#, "options_malformed", "publish_at"),
        (r#"{"brand_content":true,"privacy_level":"SELF_ONLY"}"#, "options_invalid", "branded content"),
    ];
    for_each(sidecars, async |(sidecar, code, named)| {
        let creator = Creator::create(&cloud).await?;
        creator.drop_video("clip.json", &TestVideo::of(sidecar)).await?;
        let dropped = creator.drop_small("clip.mp4").await?;
        ensure_failed(&creator, &dropped, code, named).await
    })
    .await?;
    let creator = Creator::create(&cloud).await?;
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &[("dropcast-titel", "x")]).await?;
    ensure_failed(&creator, &dropped, "options_malformed", "titel").await
}

async fn unavailable_privacy_level_fails_and_is_never_replaced(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| {
        setup.user.visibility = Visibility::Private;
        setup.defaults.privacy_level = Some(Level::PublicToEveryone);
    })
    .await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "privacy_level_option_mismatch", "{failure}");
    for named in ["PUBLIC_TO_EVERYONE", "FOLLOWER_OF_CREATOR"] {
        assert!(failure.message.contains(named), "{failure}");
    }
    creator.ledger().await?.ensure_no_init()?;
    creator.put_options("other.json", &json!({ "privacy_level": "FOLLOWER_OF_CREATOR" })).await?;
    let dropped = creator.drop_small("other.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publications[0].privacy_level, PrivacyLevel::FollowerOfCreator);
    let sent = ledger.post_info()?;
    assert_eq!((sent.disable_duet, sent.disable_stitch), (Some(true), Some(true)), "private accounts allow neither");
    Ok(())
}
