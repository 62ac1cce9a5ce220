//! Posts that wait for their time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::post::StateName;
use jiff::Timestamp;
use serde_json::json;
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;

stories![among:
    a_scheduled_post_is_not_begun_before_its_time_and_is_published_after,
    posts_that_come_due_at_the_same_time_are_all_published,
    a_time_that_has_passed_is_now,
    a_new_sidecar_moves_a_scheduled_post,
];

async fn a_scheduled_post_is_not_begun_before_its_time_and_is_published_after(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let publish_at = whole_seconds_from_now(14)?;
    maker.options("clip.json", &json!({ "publish_at": publish_at.to_string() })).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    assert_eq!(post.due_at, Some(publish_at));
    maker.book().await?.ensure_never_begun()?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    let begun = book.publishes[0].created_at;
    assert!(begun >= publish_at, "it was begun at {begun}, and should not have been before {publish_at}");
    Ok(())
}

/// A time ahead, in whole seconds, as people write it.
fn whole_seconds_from_now(seconds: i64) -> Result<Timestamp> {
    Ok(Timestamp::from_second(runtime::clock::now().as_second() + seconds)?)
}

async fn posts_that_come_due_at_the_same_time_are_all_published(cloud: Arc<Cloud>) -> Result<()> {
    let publish_at = whole_seconds_from_now(12)?;
    let mut drops = Vec::new();
    for _ in 0..12 {
        let maker = Creator::connect(&cloud).await?;
        maker.options("clip.json", &json!({ "publish_at": publish_at.to_string() })).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker));
    }
    for (dropped, maker) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes.len(), 1, "whoever rings how often, one worker begins it");
    }
    Ok(())
}

async fn a_time_that_has_passed_is_now(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("publish-at", "2026-01-01T00:00:00Z")]).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn a_new_sidecar_moves_a_scheduled_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let far = runtime::clock::now() + Duration::from_hours(24);
    maker.options("clip.json", &json!({ "publish_at": far.to_string(), "title": "tomorrow" })).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    maker.options("clip.json", &json!({ "title": "today" })).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    assert_eq!(maker.book().await?.ensure_published_once(&dropped)?.title, "today");
    Ok(())
}
