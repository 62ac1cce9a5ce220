//! The repost guard: uploaders repeat a PUT, and tools copy objects onto themselves. The video is published once, and
//! a person or an explicit request can publish it again.
//!
//! The scenarios that release a held post use drafts, because a postcondition of all scenarios is that no video is
//! published twice.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::types::MetadataDirective;
use domain::account::Requirement;
use domain::identity::PostId;
use domain::options::Mode;
use domain::post::{HoldReason, Post, PostState, StateName};
use harness::{Cloud, Creator, Dropped, Put, TestVideo, deferral_code, worker};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use posting::UploadWorker;
use serde_json::json;
use simulator::{Endpoint, FailReason, Fault, FaultKind};

use super::{drop_in_parts, tags_of};
use crate::http::{get, patch, post, post_with_key};
use crate::limits::isolated_env;
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    repeated_put_is_held_as_same_video,
    copy_onto_itself_or_other_key_is_held,
    multipart_upload_and_its_copy_are_same_video,
    versions_at_same_moment_publish_once,
    cancelled_earlier_post_lets_later_one_proceed,
    failed_earlier_post_lets_later_one_proceed,
    approval_publishes_same_video_again,
    approval_of_same_video_keeps_review_required,
    repost_option_publishes_same_video_again,
    request_with_idempotency_key_releases_held_post,
    explicit_requests_are_never_held,
    disabled_guard_publishes_every_version,
    empty_version_is_cancelled_when_content_follows,
    empty_file_fails_if_no_content_follows,
];

/// Waits until a post is held for the same video as an earlier one.
async fn await_held(cloud: &Cloud, id: &PostId, earlier: &PostId) -> Result<Post> {
    let wanted = HoldReason::SameVideo { earlier: earlier.clone() };
    let is_held = |post: &Post| matches!(&post.state, PostState::Held { reason } if *reason == wanted);
    cloud.await_post(id, "held for the same video", is_held).await
}

/// Copies an object, with other metadata, as tools do. Returns the drop of the new version.
async fn copy(cloud: &Cloud, from: &Dropped, key: &str) -> Result<Dropped> {
    let bucket = &from.source.bucket;
    let source = format!("{bucket}/{}?versionId={}", encoded(&from.source.key), from.version()?);
    let copy = cloud.s3.copy_object().bucket(bucket).key(key).copy_source(source);
    let copy = copy.metadata_directive(MetadataDirective::Replace).metadata("mtime", "1700000000.1");
    let version = copy.send().await?.version_id.context("the bucket is not versioned")?;
    Ok(Dropped::at(bucket, key, &version, &from.video))
}

fn encoded(key: &str) -> String {
    key.split('/').map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()).collect::<Vec<_>>().join("/")
}

/// A creator whose posts are drafts.
async fn drafting(cloud: &Arc<Cloud>) -> Result<Creator> {
    Creator::create_with(cloud, |setup| setup.defaults.mode = Some(Mode::Draft)).await
}

/// Drops a draft and waits for its delivery. Then drops the same video again and waits until it is held.
async fn deliver_and_repeat(creator: &Creator) -> Result<(Dropped, Dropped)> {
    let first = creator.drop_small("clip.mp4").await?;
    creator.cloud.await_state(&first.post, StateName::Delivered).await?;
    let second = creator.drop_video("clip.mp4", &first.video).await?;
    await_held(&creator.cloud, &second.post, &first.post).await?;
    Ok((first, second))
}

async fn await_delivered(cloud: &Cloud, dropped: &Dropped) -> Result<Post> {
    cloud.await_state(&dropped.post, StateName::Delivered).await
}

async fn repeated_put_is_held_as_same_video((cloud, creator): WithCreator) -> Result<()> {
    let first = creator.drop_small("clip.mp4").await?;
    creator.await_published_once(&first).await?;
    let second = creator.drop_video("clip.mp4", &first.video).await?;
    let held = await_held(&cloud, &second.post, &first.post).await?;
    assert_eq!(held.inits, 0);
    let shown = get(&cloud, &format!("/posts/{}", second.post)).await?.with_status(200)?;
    assert_eq!((&shown["hold_reason"], &shown["earlier_post"]), (&json!("same_video"), &json!(first.post)));
    // Once the earlier post is known to be published, the held one is not due any more.
    cloud.await_post(&second.post, "held without a due time", |post| post.due_at.is_none()).await?;
    let tags = tags_of(&cloud, &second).await?;
    let tag = ("dropcast:same-video-as".to_owned(), first.post.to_string());
    ensure!(tags.contains(&tag), "the tags are {tags:?}");
    creator.ledger().await?.ensure_published_once(&first).map(drop)
}

async fn copy_onto_itself_or_other_key_is_held((cloud, creator): WithCreator) -> Result<()> {
    let first = creator.drop_small("clip with blanks.mp4").await?;
    creator.await_published_once(&first).await?;
    for key in [first.source.key.clone(), creator.key("archive/clip.mp4")] {
        let copied = copy(&cloud, &first, &key).await?;
        await_held(&cloud, &copied.post, &first.post).await?;
    }
    creator.ledger().await?.ensure_published_once(&first).map(drop)
}

async fn multipart_upload_and_its_copy_are_same_video((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::new(9_000_000)?;
    let in_parts = drop_in_parts(&cloud, &creator.key("clip.mp4"), &video).await?;
    creator.await_published_once(&in_parts).await?;
    let copied = copy(&cloud, &in_parts, &creator.key("copy.mp4")).await?;
    let whole = creator.drop_video("whole.mp4", &video).await?;
    for later in [copied, whole] {
        await_held(&cloud, &later.post, &in_parts.post).await?;
    }
    creator.ledger().await?.ensure_published_once(&in_parts).map(drop)
}

async fn versions_at_same_moment_publish_once((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::small();
    let puts = ["a.mp4", "a.mp4", "b.mp4", "c.mp4"].map(|file| creator.drop_video(file, &video));
    let drops = futures::future::try_join_all(puts).await?;
    let settled = |post: &Post| matches!(post.state_name(), StateName::Published | StateName::Held);
    let mut states = Vec::new();
    for dropped in &drops {
        states.push(cloud.await_post(&dropped.post, "published or held", settled).await?.state_name());
    }
    let published = states.iter().filter(|state| **state == StateName::Published).count();
    assert_eq!(published, 1, "{states:?}");
    assert_eq!(creator.ledger().await?.times_published(&video), 1);
    Ok(())
}

async fn cancelled_earlier_post_lets_later_one_proceed((cloud, creator): WithCreator) -> Result<()> {
    creator.put_options("clip.json", &json!({ "publish_at": "2126-01-01T00:00:00Z" })).await?;
    let first = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&first.post, StateName::Scheduled).await?;
    let second = creator.drop_video("other.mp4", &first.video).await?;
    await_held(&cloud, &second.post, &first.post).await?;
    post(&cloud, &format!("/posts/{}/cancel", first.post), &json!(null)).await?.with_status(200)?;
    creator.await_published_once(&second).await?;
    Ok(())
}

async fn failed_earlier_post_lets_later_one_proceed((cloud, creator): WithCreator) -> Result<()> {
    let failing = FaultKind::FailPost { reason: FailReason::FileFormatCheckFailed };
    creator.inject(Fault::new(Endpoint::Upload, failing)).await?;
    let first = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&first.post, StateName::Failed).await?;
    let second = creator.drop_video("clip.mp4", &first.video).await?;
    creator.await_published_once(&second).await?;
    // The first post is a repeat now.
    post(&cloud, &format!("/posts/{}/retry", first.post), &json!(null)).await?.with_status(200)?;
    await_held(&cloud, &first.post, &second.post).await?;
    creator.ledger().await?.ensure_published_once(&second).map(drop)
}

async fn approval_publishes_same_video_again(cloud: Arc<Cloud>) -> Result<()> {
    let creator = drafting(&cloud).await?;
    let (first, second) = deliver_and_repeat(&creator).await?;
    let approve = format!("/posts/{}/approve", second.post);
    for _ in 0..2 {
        post(&cloud, &approve, &json!(null)).await?.with_status(200)?;
    }
    await_delivered(&cloud, &second).await?;
    let third = creator.drop_video("third.mp4", &first.video).await?;
    await_held(&cloud, &third.post, &first.post).await.map(drop)
}

async fn approval_of_same_video_keeps_review_required(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| {
        setup.defaults.mode = Some(Mode::Draft);
        setup.review = Requirement::Required;
    })
    .await?;
    let in_review = |post: &Post| matches!(post.state, PostState::Held { reason: HoldReason::Review });
    let first = creator.drop_small("clip.mp4").await?;
    cloud.await_post(&first.post, "held for review", in_review).await?;
    let second = creator.drop_video("clip.mp4", &first.video).await?;
    await_held(&cloud, &second.post, &first.post).await?;
    post(&cloud, &format!("/posts/{}/approve", second.post), &json!(null)).await?.with_status(200)?;
    cloud.await_post(&second.post, "held for review", in_review).await.map(drop)
}

async fn repost_option_publishes_same_video_again(cloud: Arc<Cloud>) -> Result<()> {
    let creator = drafting(&cloud).await?;
    let (first, second) = deliver_and_repeat(&creator).await?;
    patch(&cloud, &format!("/posts/{}", second.post), &json!({ "repost": true })).await?.with_status(200)?;
    await_delivered(&cloud, &second).await?;
    creator.put_options("again.json", &json!({ "repost": true })).await?;
    let third = creator.drop_video("again.mp4", &first.video).await?;
    await_delivered(&cloud, &third).await?;
    // A sidecar that comes after the video.
    let fourth = creator.drop_video("later.mp4", &first.video).await?;
    await_held(&cloud, &fourth.post, &first.post).await?;
    creator.put_options("later.json", &json!({ "repost": true })).await?;
    await_delivered(&cloud, &fourth).await.map(drop)
}

async fn request_with_idempotency_key_releases_held_post(cloud: Arc<Cloud>) -> Result<()> {
    let creator = drafting(&cloud).await?;
    let (_, second) = deliver_and_repeat(&creator).await?;
    let wanted = json!({ "account": creator.alias.as_str(), "key": second.source.key });
    post(&cloud, "/posts", &wanted).await?.problem(409, "post_exists")?;
    let key = format!("again-{}", creator.alias);
    for _ in 0..2 {
        let answer = post_with_key(&cloud, "/posts", &key, &wanted).await?.with_status(201)?;
        assert_eq!(answer["id"], json!(second.post), "the version keeps its post");
    }
    await_delivered(&cloud, &second).await?;
    let other = json!({ "account": creator.alias.as_str(), "key": second.source.key, "options": { "title": "x" } });
    post_with_key(&cloud, "/posts", &format!("{key}-2"), &other).await?.problem(409, "post_exists").map(drop)
}

async fn explicit_requests_are_never_held(cloud: Arc<Cloud>) -> Result<()> {
    let creator = drafting(&cloud).await?;
    let video = TestVideo::small();
    let key = format!("library/{}.mp4", creator.alias);
    let stored = cloud.put(Put::new(&key, &video)).await?;
    let wanted = json!({ "account": creator.alias.as_str(), "key": key });
    for n in 0..2 {
        let key = format!("explicit-{n}-{}", creator.alias);
        let answer = post_with_key(&cloud, "/posts", &key, &wanted).await?.with_status(201)?;
        cloud.await_state(&answer["id"].as_str().context("a post has an id")?.parse()?, StateName::Delivered).await?;
    }
    // Without a key of its own, a repeated request cannot be told from a new one.
    let answer = post(&cloud, "/posts", &wanted).await?.with_status(201)?;
    assert_eq!(answer["id"], json!(stored.post));
    cloud.await_state(&stored.post, StateName::Held).await.map(drop)
}

async fn disabled_guard_publishes_every_version(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[("REPOST_GUARD_DAYS", "0")]).await?;
    let creator = Creator::create(&env.cloud).await?;
    let first = creator.drop_small("clip.mp4").await?;
    let second = creator.drop_video("clip.mp4", &first.video).await?;
    for dropped in [&first, &second] {
        env.submit(dropped, env.now()).await?;
        env.work(&dropped.post).await?;
    }
    env.advance_until_published(2).await
}

async fn empty_version_is_cancelled_when_content_follows((cloud, creator): WithCreator) -> Result<()> {
    let (empty, _) = drop_empty(&cloud, &creator).await?;
    let whole = creator.drop_small("clip.mp4").await?;
    creator.await_published_once(&whole).await?;
    work_later(&cloud, &empty).await?;
    let post = cloud.await_state(&empty.post, StateName::Cancelled).await?;
    ensure!(post.history.iter().all(|entry| entry.state != StateName::Failed), "{:?}", post.history);
    ensure!(post.history.last().is_some_and(|entry| entry.note.contains("newer version")), "{:?}", post.history);
    // An empty version that is read after the whole file has arrived does not wait at all.
    let empty = creator.drop_video("b.mp4", &TestVideo::of("")).await?;
    let whole = creator.drop_small("b.mp4").await?;
    cloud.await_state(&whole.post, StateName::Published).await?;
    work_later(&cloud, &empty).await?;
    cloud.await_state(&empty.post, StateName::Cancelled).await.map(drop)
}

async fn empty_file_fails_if_no_content_follows((cloud, creator): WithCreator) -> Result<()> {
    let (empty, deferred) = drop_empty(&cloud, &creator).await?;
    ensure!(!deferred.is_in_account_queue(), "an empty file delays no other post");
    work_later(&cloud, &empty).await?;
    let failure = cloud.await_failure(&empty).await?;
    assert_eq!(failure.reason.code(), "file_empty");
    creator.ledger().await?.ensure_no_init()
}

/// Drops an empty file, and waits until its post waits for the content.
async fn drop_empty(cloud: &Cloud, creator: &Creator) -> Result<(Dropped, Post)> {
    let empty = creator.drop_video("clip.mp4", &TestVideo::of("")).await?;
    let is_waiting = |post: &Post| deferral_code(post) == Some("empty_version");
    let deferred = cloud.await_post(&empty.post, "deferred for its content", is_waiting).await?;
    Ok((empty, deferred))
}

/// Runs a worker whose clock is ahead by more than an empty file may stay empty.
async fn work_later(cloud: &Cloud, dropped: &Dropped) -> Result<()> {
    let dependencies = cloud.in_process(Duration::from_mins(15))?;
    let worker = worker(&dependencies, Duration::from_mins(10));
    UploadWorker::from(&dependencies).upload(&dropped.post, &worker).await?;
    Ok(())
}
