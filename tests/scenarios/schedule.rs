//! Scheduled posts: options with a `publish_at`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped, TestVideo};
use jiff::Timestamp;
use serde_json::json;

use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    scheduled_post_begins_only_at_its_time,
    posts_due_at_same_time_are_all_published,
    past_publish_at_publishes_immediately,
    new_sidecar_reschedules_the_post,
];

/// Drops a video that a sidecar schedules.
async fn drop_scheduled(creator: &Creator, publish_at: Timestamp) -> Result<Dropped> {
    creator.put_options("clip.json", &json!({ "publish_at": publish_at.to_string(), "title": "scheduled" })).await?;
    creator.drop_small("clip.mp4").await
}

/// A time this many seconds ahead of now, in whole seconds.
fn seconds_ahead(seconds: i64) -> Result<Timestamp> {
    Ok(Timestamp::from_second(runtime::clock::now().as_second() + seconds)?)
}

async fn scheduled_post_begins_only_at_its_time((cloud, creator): WithCreator) -> Result<()> {
    // Late enough to read the post before it is due.
    let publish_at = seconds_ahead(14)?;
    let dropped = drop_scheduled(&creator, publish_at).await?;
    let post = cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    assert_eq!(post.due_at, Some(publish_at));
    creator.ledger().await?.ensure_no_init()?;
    let begun = creator.await_published_once(&dropped).await?.publishes[0].created_at;
    assert!(begun >= publish_at, "the upload began at {begun}, before {publish_at}");
    Ok(())
}

async fn posts_due_at_same_time_are_all_published(cloud: Arc<Cloud>) -> Result<()> {
    // Late enough for all drops to be scheduled before.
    let publish_at = seconds_ahead(12)?;
    for_each(0..12, async |_| {
        let creator = Creator::create(&cloud).await?;
        let dropped = drop_scheduled(&creator, publish_at).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publishes.len(), 1, "one worker begins the upload, however many are woken");
        Ok(())
    })
    .await
}

async fn past_publish_at_publishes_immediately(creator: Creator) -> Result<()> {
    let metadata = [("dropcast-publish-at", "2026-01-01T00:00:00Z")];
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &metadata).await?;
    creator.await_published_once(&dropped).await.map(drop)
}

async fn new_sidecar_reschedules_the_post((cloud, creator): WithCreator) -> Result<()> {
    let dropped = drop_scheduled(&creator, runtime::clock::now() + Duration::from_hours(24)).await?;
    cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    creator.put_options("clip.json", &json!({ "title": "today" })).await?;
    assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "today");
    Ok(())
}
