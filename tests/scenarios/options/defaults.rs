//! Defaults of an account: the options and requirements of drops that do not state them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::post::{HoldReason, PostState, StateName};
use harness::{Cloud, Creator, TestVideo};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use posting::AccountSettings;
use serde_json::{Value, json};
use simulator::PrivacyLevel;

use super::notes_with;
use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    drop_options_override_account_defaults,
    long_title_is_cut_but_prefix_and_suffix_stay,
    each_account_uses_its_own_defaults,
    removed_requirement_releases_held_posts,
    local_publish_at_uses_account_time_zone,
    local_publish_at_without_time_zone_fails,
    invalid_defaults_are_rejected_without_change,
];

/// Changes the defaults of a creator's account, in this process and by the present clock.
async fn configure(creator: &Creator, change: Value) -> Result<()> {
    let settings = AccountSettings::from(&creator.cloud.in_process(Duration::ZERO)?);
    settings.configure(&creator.alias, change.to_string().as_bytes()).await?;
    Ok(())
}

async fn drop_options_override_account_defaults(creator: Creator) -> Result<()> {
    let defaults = json!({
        "privacy_level": "MUTUAL_FOLLOW_FRIENDS", "disable_comment": true, "disable_duet": true, "disable_stitch": true,
        "brand_organic": true, "ai_generated": true, "title_prefix": "Anna bakes: ", "title_suffix": " #bread 🍞",
    });
    configure(&creator, defaults).await?;
    let plain = creator.drop_small("rye.mp4").await?;
    let options = json!({ "title": "oats", "privacy_level": "SELF_ONLY", "disable_duet": false });
    creator.put_options("oat.json", &options).await?;
    let overriding = creator.drop_small("oat.mp4").await?;
    let ledger = creator.await_each_published_once([&plain, &overriding]).await?;
    let sent_for = |sha256: &str| {
        let entry = ledger.publishes.iter().find(|entry| entry.sha256.as_deref() == Some(sha256));
        entry.and_then(|entry| entry.post_info.clone()).context("there is no direct post")
    };
    let sent = sent_for(&plain.video.sha256)?;
    assert_eq!(sent.title.as_deref(), Some("Anna bakes: rye #bread 🍞"), "the default title is the file's name");
    assert_eq!(sent.privacy_level, PrivacyLevel::MutualFollowFriends);
    let switches = [sent.disable_comment, sent.disable_duet, sent.disable_stitch, sent.is_aigc];
    assert_eq!((switches, sent.brand_organic_toggle), ([Some(true); 4], Some(true)));
    let sent = sent_for(&overriding.video.sha256)?;
    assert_eq!(sent.title.as_deref(), Some("Anna bakes: oats #bread 🍞"));
    assert_eq!(sent.privacy_level, PrivacyLevel::SelfOnly);
    assert_eq!((sent.disable_duet, sent.disable_stitch), (Some(false), Some(true)), "each field is overridden alone");
    Ok(())
}

async fn long_title_is_cut_but_prefix_and_suffix_stay((cloud, creator): WithCreator) -> Result<()> {
    configure(&creator, json!({ "title_prefix": "№ 1: ", "title_suffix": " #ad 👩‍👩‍👧" })).await?;
    creator.put_options("clip.json", &json!({ "title": "👏".repeat(2000) })).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    let title = &ledger.publications[0].title;
    assert!(title.starts_with("№ 1: 👏") && title.ends_with("👏 #ad 👩‍👩‍👧"), "{title}");
    // TikTok allows 2200 UTF-16 units. An emoji has two, so the cut title may be one unit shorter.
    assert!((2199..=2200).contains(&title.encode_utf16().count()), "{}", title.encode_utf16().count());
    assert_eq!(notes_with(&cloud, &dropped, "title cut to the limit").await?.len(), 1);
    Ok(())
}

async fn each_account_uses_its_own_defaults(cloud: Arc<Cloud>) -> Result<()> {
    let (anna, ben) = (Creator::create(&cloud).await?, Creator::create(&cloud).await?);
    configure(&anna, json!({ "mode": "draft" })).await?;
    configure(&ben, json!({ "mode": "direct", "privacy_level": "SELF_ONLY", "title_suffix": " #ben" })).await?;
    let (annas, bens) = (anna.drop_small("a.mp4").await?, ben.drop_small("b.mp4").await?);
    cloud.await_state(&annas.post, StateName::Delivered).await?;
    let ledger = ben.await_published_once(&bens).await?;
    let publication = &ledger.publications[0];
    assert_eq!((publication.privacy_level, publication.title.as_str()), (PrivacyLevel::SelfOnly, "b #ben"));
    configure(&ben, json!({ "mode": "draft", "title_suffix": null })).await?;
    let next = ben.drop_small("next.mp4").await?;
    cloud.await_state(&next.post, StateName::Delivered).await.map(drop)
}

async fn removed_requirement_releases_held_posts((cloud, creator): WithCreator) -> Result<()> {
    let mut drops = Vec::new();
    for (change, reason) in [
        (json!({ "sidecar": "required" }), HoldReason::Sidecar),
        (json!({ "sidecar": null, "review": "required" }), HoldReason::Review),
    ] {
        configure(&creator, change).await?;
        let dropped = creator.drop_small("held.mp4").await?;
        let post = cloud.await_state(&dropped.post, StateName::Held).await?;
        assert_eq!(post.state, PostState::Held { reason });
        drops.push(dropped);
    }
    // The second change released the first post from its sidecar; now both wait for a review.
    creator.ledger().await?.ensure_no_init()?;
    configure(&creator, json!({ "review": "optional" })).await?;
    // A new post is not held any more.
    drops.push(creator.drop_small("free.mp4").await?);
    creator.await_each_published_once(&drops).await.map(drop)
}

/// The local time `ahead` from now, at a UTC offset of `offset` hours, in whole seconds.
fn local_time(offset: i8, ahead: Duration) -> DateTime {
    let second = runtime::clock::now().as_second();
    let now = jiff::Timestamp::from_second(second).unwrap_or_default();
    TimeZone::fixed(Offset::constant(offset)).to_datetime(now + ahead)
}

async fn local_publish_at_uses_account_time_zone(cloud: Arc<Cloud>) -> Result<()> {
    // These zones have no daylight saving time, so the offsets are the same all year.
    for_each([("Asia/Tokyo", 9), ("America/Bogota", -5)], async |(zone, offset)| {
        let creator = Creator::create(&cloud).await?;
        configure(&creator, json!({ "time_zone": zone })).await?;
        // Longer than either offset, so the time is in the future even if the zone is ignored.
        let local = local_time(offset, Duration::from_hours(20));
        creator.put_options("clip.json", &json!({ "publish_at": local.to_string() })).await?;
        let dropped = creator.drop_small("clip.mp4").await?;
        let post = cloud.await_state(&dropped.post, StateName::Scheduled).await?;
        let publish_at = TimeZone::fixed(Offset::constant(offset)).to_timestamp(local)?;
        assert_eq!(post.state, PostState::Scheduled { publish_at }, "{zone}");
        // A local time in the past means now.
        let earlier = local_time(offset, Duration::ZERO).to_string();
        let metadata = [("dropcast-publish-at", earlier.as_str())];
        let dropped = creator.drop_with_metadata("now.mp4", &TestVideo::small(), &metadata).await?;
        cloud.await_state(&dropped.post, StateName::Published).await.map(drop)
    })
    .await
}

async fn local_publish_at_without_time_zone_fails((cloud, creator): WithCreator) -> Result<()> {
    creator.put_options("clip.json", &json!({ "publish_at": "2026-12-24T17:00:00" })).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "options_invalid", "{failure}");
    // It names both remedies: a time zone for the account, or a time with an offset.
    assert!(failure.message.contains("time_zone") && failure.message.contains("2026-12-24T17:00:00Z"), "{failure}");
    creator.ledger().await?.ensure_no_init()
}

async fn invalid_defaults_are_rejected_without_change(creator: Creator) -> Result<()> {
    configure(&creator, json!({ "title_prefix": "ours: " })).await?;
    let before = creator.account().await?;
    let table = [
        // With the six characters of the prefix: one more than TikTok's maximum title of 2200.
        (json!({ "title_suffix": "#".repeat(2195) }), "title_prefix and title_suffix are 2201"),
        (json!({ "mode": "direct", "privacy_level": "SELF_ONLY", "brand_content": true }), "branded content"),
        (json!({ "time_zone": "Berlin" }), "Europe/Berlin"),
        (json!({ "privacy_levle": "SELF_ONLY" }), "privacy_levle"),
    ];
    for (change, named) in table {
        let error = configure(&creator, change.clone()).await.err().context("it should be rejected")?;
        assert!(format!("{error:#}").contains(named), "{change}: {error:#}");
    }
    assert_eq!(creator.account().await?, before);
    Ok(())
}
