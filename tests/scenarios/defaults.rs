//! How an account posts where its drops do not say: configured once, used by all.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::post::{HoldReason, PostState, StateName};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use simulator::PrivacyLevel;
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    what_is_configured_reaches_tiktok_and_yields_to_what_a_drop_says,
    a_title_that_is_too_long_is_cut_and_the_accounts_frame_is_not,
    accounts_side_by_side_post_each_in_its_own_way,
    a_configured_requirement_holds_drops_for_as_long_as_it_is_one,
    a_time_without_an_offset_is_read_on_the_clocks_of_the_account,
    a_time_without_an_offset_is_not_guessed_where_the_account_has_no_zone,
    a_change_that_no_post_could_go_out_with_is_refused_and_changes_nothing,
];

/// Changes how a creator's account posts, as an operator does.
async fn configure(maker: &Creator, change: &Value) -> Result<()> {
    let posting = maker.cloud.staff(Duration::ZERO)?;
    posting.configure(&maker.alias, change.to_string().as_bytes()).await?;
    Ok(())
}

async fn what_is_configured_reaches_tiktok_and_yields_to_what_a_drop_says(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let change = json!({
        "privacy_level": "MUTUAL_FOLLOW_FRIENDS", "disable_comment": true, "disable_duet": true, "disable_stitch": true,
        "brand_organic": true, "ai_generated": true, "title_prefix": "Anna bakes: ", "title_suffix": " #bread 🍞",
    });
    configure(&maker, &change).await?;
    let plain = maker.drops("rye.mp4", &Footage::fresh()?).await?;
    maker.options("oat.json", &json!({ "title": "oats", "privacy_level": "SELF_ONLY", "disable_duet": false })).await?;
    let told = maker.drops("oat.mp4", &Footage::fresh()?).await?;
    for dropped in [&plain, &told] {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    let book = maker.book().await?;
    book.ensure_published_each_once(&[&plain, &told])?;
    let asked_for = |sha256: &str| {
        let entry = book.publishes.iter().find(|entry| entry.sha256.as_deref() == Some(sha256));
        entry.and_then(|entry| entry.post_info.clone()).context("it is a direct post")
    };
    let asked = asked_for(&plain.footage.sha256)?;
    assert_eq!(asked.title.as_deref(), Some("Anna bakes: rye #bread 🍞"), "the file's name is the title");
    assert_eq!(asked.privacy_level, PrivacyLevel::MutualFollowFriends);
    let switches = [asked.disable_comment, asked.disable_duet, asked.disable_stitch, asked.is_aigc];
    assert_eq!((switches, asked.brand_organic_toggle), ([Some(true); 4], Some(true)));
    let asked = asked_for(&told.footage.sha256)?;
    assert_eq!(asked.title.as_deref(), Some("Anna bakes: oats #bread 🍞"));
    assert_eq!(asked.privacy_level, PrivacyLevel::SelfOnly);
    assert_eq!((asked.disable_duet, asked.disable_stitch), (Some(false), Some(true)), "field by field");
    Ok(())
}

async fn a_title_that_is_too_long_is_cut_and_the_accounts_frame_is_not(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    configure(&maker, &json!({ "title_prefix": "№ 1: ", "title_suffix": " #ad 👩‍👩‍👧" })).await?;
    maker.options("clip.json", &json!({ "title": "👏".repeat(2000) })).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    let title = &book.ensure_published_once(&dropped)?.title;
    assert!(title.starts_with("№ 1: 👏") && title.ends_with("👏 #ad 👩‍👩‍👧"), "{title}");
    assert!((2199..=2200).contains(&title.encode_utf16().count()), "{}", title.encode_utf16().count());
    Ok(())
}

async fn accounts_side_by_side_post_each_in_its_own_way(cloud: Arc<Cloud>) -> Result<()> {
    let (anna, ben) = (Creator::connect(&cloud).await?, Creator::connect(&cloud).await?);
    configure(&anna, &json!({ "mode": "draft" })).await?;
    configure(&ben, &json!({ "mode": "direct", "privacy_level": "SELF_ONLY", "title_suffix": " #ben" })).await?;
    let (annas, bens) = (anna.drops("a.mp4", &Footage::fresh()?).await?, ben.drops("b.mp4", &Footage::fresh()?).await?);
    cloud.await_state(&annas.post, StateName::Delivered).await?;
    cloud.await_state(&bens.post, StateName::Published).await?;
    let book = ben.book().await?;
    let publication = book.ensure_published_once(&bens)?;
    assert_eq!((publication.privacy_level, publication.title.as_str()), (PrivacyLevel::SelfOnly, "b #ben"));
    configure(&ben, &json!({ "mode": "draft", "title_suffix": null })).await?;
    let next = ben.drops("next.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&next.post, StateName::Delivered).await?;
    Ok(())
}

async fn a_configured_requirement_holds_drops_for_as_long_as_it_is_one(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let mut drops = Vec::new();
    for (change, reason) in [
        (json!({ "sidecar": "required" }), HoldReason::Sidecar),
        (json!({ "sidecar": null, "review": "required" }), HoldReason::Review),
    ] {
        configure(&maker, &change).await?;
        let dropped = maker.drops("held.mp4", &Footage::fresh()?).await?;
        let post = cloud.await_state(&dropped.post, StateName::Held).await?;
        assert_eq!(post.state, PostState::Held { reason });
        drops.push(dropped);
    }
    maker.book().await?.ensure_never_begun()?;
    configure(&maker, &json!({ "review": "optional" })).await?;
    drops.push(maker.drops("free.mp4", &Footage::fresh()?).await?);
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    maker.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())
}

/// What the clocks show there, so far ahead of now, as people write it.
fn clocks(offset: i8, ahead: Duration) -> DateTime {
    let zone = TimeZone::fixed(Offset::constant(offset));
    let second = runtime::clock::now().as_second();
    let now = jiff::Timestamp::from_second(second).unwrap_or_default();
    zone.to_datetime(now + ahead)
}

async fn a_time_without_an_offset_is_read_on_the_clocks_of_the_account(cloud: Arc<Cloud>) -> Result<()> {
    // Zones without summer time, so that the story is the same all year.
    for (zone, offset) in [("Asia/Tokyo", 9), ("America/Bogota", -5)] {
        let maker = Creator::connect(&cloud).await?;
        configure(&maker, &json!({ "time_zone": zone })).await?;
        let shown = clocks(offset, Duration::from_hours(20));
        maker.options("clip.json", &json!({ "publish_at": shown.to_string() })).await?;
        let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
        let post = cloud.await_state(&dropped.post, StateName::Scheduled).await?;
        let meant = TimeZone::fixed(Offset::constant(offset)).to_timestamp(shown)?;
        assert_eq!(post.state, PostState::Scheduled { publish_at: meant }, "{zone}");
        // A time that those clocks have passed is now.
        let passed = clocks(offset, Duration::ZERO).to_string();
        let said = [("publish-at", passed.as_str())];
        let dropped = maker.drops_saying("now.mp4", &Footage::fresh()?, &said).await?;
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    Ok(())
}

async fn a_time_without_an_offset_is_not_guessed_where_the_account_has_no_zone(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.options("clip.json", &json!({ "publish_at": "2026-12-24T17:00:00" })).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let failure = failure_of(&cloud, &dropped).await?;
    assert_eq!(failure.reason.code(), "options_invalid", "{failure}");
    assert!(failure.message.contains("time_zone") && failure.message.contains("2026-12-24T17:00:00Z"), "{failure}");
    maker.book().await?.ensure_never_begun()
}

async fn a_change_that_no_post_could_go_out_with_is_refused_and_changes_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    configure(&maker, &json!({ "title_prefix": "ours: " })).await?;
    let before = maker.account().await?;
    let table = [
        (json!({ "title_suffix": "#".repeat(2195) }), "title_prefix and title_suffix are 2201"),
        (json!({ "mode": "direct", "privacy_level": "SELF_ONLY", "brand_content": true }), "branded content"),
        (json!({ "time_zone": "Berlin" }), "Europe/Berlin"),
        (json!({ "privacy_levle": "SELF_ONLY" }), "privacy_levle"),
    ];
    for (change, named) in table {
        let error = configure(&maker, &change).await.err().context("it should be refused")?;
        assert!(format!("{error:#}").contains(named), "{change}: {error:#}");
    }
    assert_eq!(maker.account().await?, before);
    Ok(())
}
