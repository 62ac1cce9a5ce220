//! Objects whose S3 event is late or lost: the bucket check of `status` finds drops, and an upload is found before its
//! post expires. `chaos/bucket_check.rs` has the other kinds of objects.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::identity::PostId;
use domain::options::PostOptions;
use domain::post::{Post, Repost, Request, StateName};
use domain::request::{IdempotencyKey, UploadForm};
use domain::size::VideoSize;
use harness::{Cloud, Creator, Dropped, Put, TestVideo};
use serde_json::json;
use storage::Created;

use crate::limits::isolated_env;
use crate::observability::lines_of;
use crate::runner::{WithCreator, poll_until, scenarios};

scenarios![concurrent:
    lost_event_is_found_and_late_event_makes_no_second_post,
    upload_without_event_is_published_instead_of_expired,
];

/// Longer than `MIN_AGE` in `domain/src/bucket_check.rs`.
const LATE_S: u64 = 2 * 3600;
/// Longer than the interval of the check.
const DAY_S: u64 = 24 * 3600 + 60;

async fn lost_event_is_found_and_late_event_makes_no_second_post(cloud: Arc<Cloud>) -> Result<()> {
    // The environment's bucket sends no events.
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = Creator::create(&env.cloud).await?;
    let dropped = creator.drop_small("Straßenfest & café #1+2.mp4").await?;
    creator.drop_video("notes.txt", &TestVideo::of("no video")).await?;
    env.tiktok.advance(LATE_S);
    assert_eq!(env.check_bucket().await?, 1, "one object had no event");
    let post = env.post(&dropped).await?;
    assert!(post.dropped_at < post.created_at - Duration::from_secs(LATE_S / 2), "the post has its place in the queue");
    env.run_woken().await?;
    env.advance_until(std::slice::from_ref(&dropped), &[StateName::Published]).await?;
    env.submit(&dropped, env.now()).await.context("the event arrives late")?;
    env.tiktok.advance(DAY_S);
    assert_eq!(env.check_bucket().await?, 0, "the next check finds the post");
    env.run_woken().await?;
    let ledger = creator.ledger().await?;
    ledger.ensure_published_once(&dropped)?;
    assert_eq!(ledger.publishes.len(), 1, "{:?}", ledger.publishes);
    Ok(())
}

/// This scenario writes the posts table directly: the post of an upload that was requested three hours ago. Its video is
/// in the bucket before the post, so `publish` ignores the event.
async fn upload_without_event_is_published_instead_of_expired((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::small();
    let id = PostId::of_request(&IdempotencyKey::parse(&format!("lost-{}", creator.alias))?);
    let key = format!("uploads/{id}/clip.mp4");
    let put = cloud.put(Put::new(&key, &video)).await?;
    let publish = &cloud.outputs().publish_function;
    poll_until("an ignored event", Duration::from_mins(1), Duration::from_millis(500), async || {
        let lines = lines_of(&cloud, publish, Some(id.as_str())).await?;
        let is_ignored = |line: &serde_json::Value| line["message"] == "object ignored and reported";
        Ok(lines.iter().any(is_ignored).then_some(()))
    })
    .await?;
    let form = json!({ "file_name": "clip.mp4", "content_type": "video/mp4", "bytes": video.bytes }).to_string();
    let digest = UploadForm::read(form.as_bytes())?.digest();
    let account = creator.alias.clone();
    let request = Request {
        id: id.clone(),
        account,
        options: PostOptions::default(),
        digest,
        repost: Repost::Requested,
        trace: None,
    };
    let place = (put.source.bucket.clone(), key);
    let requested_at = runtime::clock::now() - Duration::from_secs(LATE_S + 3600);
    let waiting = Post::await_upload(request, place, VideoSize::new(video.bytes)?, None, requested_at);
    let created = cloud.posts.create(&waiting).await?;
    assert!(matches!(created, Created::New(_)), "{created:?}");
    creator.await_published_once(&Dropped { post: id, ..put }).await.map(drop)
}
