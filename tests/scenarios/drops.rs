//! Ways to drop a video into the bucket, and what the dropper sees of the post.

mod archived;
pub(crate) mod drafts;
mod events;
mod lost_events;
mod same_video;
mod streaming;
mod videos;

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use domain::identity::VideoId;
use domain::post::{Post, PostState, StateName};
use harness::{Cloud, Creator, Dropped, Put, TestVideo};
use serde_json::json;
use simulator::{ChunkOutcome, LedgerEntry};
use tokio::process::Command;

use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    multipart_drop_is_published_in_exact_chunks,
    drop_is_published_once_with_its_link,
    aws_cli_drop_is_published_with_its_title,
    file_directly_under_drop_uses_default_account,
    overwritten_file_makes_second_post_with_own_bytes,
    unusual_characters_in_key_are_published,
    folder_in_other_case_fails_and_names_the_account,
    longest_key_is_published_without_sidecar,
    other_file_types_are_ignored,
    sidecar_is_tagged_so_that_old_versions_expire;
    archived, drafts, events, lost_events, same_video, streaming, videos
];

/// How long a tag may lag behind the post's state.
const TAG_TIMEOUT: Duration = Duration::from_secs(20);
/// The size of a part of a multipart upload: 8 MiB. S3's minimum is 5 MiB.
const PART_BYTES: u64 = 8 << 20;

async fn drop_is_published_once_with_its_link((cloud, creator): WithCreator) -> Result<()> {
    let dropped = creator.drop_small("clip.mp4").await?;
    let is_linked = |post: &Post| matches!(&post.state, PostState::Published { links, .. } if links.share_url.is_some() && links.cover_url.is_some());
    let post = cloud.await_post(&dropped.post, "published, with its links", is_linked).await?;
    let PostState::Published { links, video_ids, .. } = &post.state else {
        unreachable!("the post is published");
    };
    let ledger = creator.ledger().await?;
    let publication = ledger.ensure_published_once(&dropped)?;
    let link = format!("https://www.tiktok.com/@{}/video/{}", creator.user.username, publication.post_id);
    assert_eq!(links.share_url.as_deref(), Some(link.as_str()));
    assert_eq!(video_ids.iter().map(VideoId::as_str).collect::<Vec<_>>(), [publication.post_id.as_str()]);
    assert_eq!(publication.title, "clip", "the default title is the file's name");
    assert_eq!(post.due_at, None, "no poll is due");
    await_tags(&cloud, &dropped, "published").await
}

/// Waits until the object's tags show the post and its state, for users who see only the S3 console. The tags are
/// written after the state.
pub(crate) async fn await_tags(cloud: &Cloud, dropped: &Dropped, state: &str) -> Result<()> {
    await_each_tag(cloud, dropped, &[("dropcast:post", dropped.post.as_str()), ("dropcast:state", state)]).await
}

pub(crate) async fn await_each_tag(cloud: &Cloud, dropped: &Dropped, wanted: &[(&str, &str)]) -> Result<()> {
    let begun = Instant::now();
    loop {
        let tags = tags_of(cloud, dropped).await?;
        if wanted.iter().all(|(key, value)| tags.iter().any(|(k, v)| k == key && v == value)) {
            return Ok(());
        }
        ensure!(begun.elapsed() < TAG_TIMEOUT, "the object should be tagged {wanted:?}, but is {tags:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn tags_of(cloud: &Cloud, dropped: &Dropped) -> Result<Vec<(String, String)>> {
    let read = cloud.s3.get_object_tagging().bucket(&dropped.source.bucket).key(&dropped.source.key);
    let tagging = read.version_id(dropped.version()?).send().await?;
    Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

async fn aws_cli_drop_is_published_with_its_title((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::new(9_000_000)?; // The CLI uses several parts from 8 MiB on.
    let folder = std::env::temp_dir().join(format!("dropcast-{}", creator.alias));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("holiday film.mp4");
    std::fs::write(&file, video.content())?;
    let (bucket, key) = (&cloud.outputs().intake_bucket, creator.key("holiday film.mp4"));
    let copied = Command::new(&cloud.contract.aws_cli)
        .args([
            "s3",
            "cp",
            "--only-show-errors",
            "--metadata",
            "dropcast-title=From the shell,dropcast-disable-comment=true",
        ])
        .arg(&file)
        .arg(format!("s3://{bucket}/{key}"))
        .envs(cloud.contract.cli_environment())
        .stdin(Stdio::null())
        .output()
        .await
        .context("the AWS CLI cannot be run")?;
    std::fs::remove_dir_all(&folder)?;
    ensure!(copied.status.success(), "aws s3 cp failed: {}", String::from_utf8_lossy(&copied.stderr));
    let object = cloud.s3.head_object().bucket(bucket).key(&key).send().await?;
    let dropped = Dropped::at(bucket, &key, object.version_id().context("no version")?, &video);
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publications[0].title, "From the shell");
    assert_eq!(ledger.post_info()?.disable_comment, Some(true));
    Ok(())
}

async fn multipart_drop_is_published_in_exact_chunks((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::new(25_000_123)?;
    let dropped = drop_in_parts(&cloud, &creator.key("long.mp4"), &video).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1, "one init: {:?}", ledger.publishes);
    ensure_exact_chunks(&ledger.publishes[0], &video)
}

async fn drop_in_parts(cloud: &Cloud, key: &str, video: &TestVideo) -> Result<Dropped> {
    let bucket = &cloud.outputs().intake_bucket;
    let created = cloud.s3.create_multipart_upload().bucket(bucket).key(key).send().await?;
    let upload = created.upload_id().context("no upload id")?;
    let mut parts = CompletedMultipartUpload::builder();
    for (number, start) in (1..).zip((0..video.bytes).step_by(usize::try_from(PART_BYTES)?)) {
        let part = video.slice(start, (start + PART_BYTES).min(video.bytes));
        let put = cloud.s3.upload_part().bucket(bucket).key(key).upload_id(upload).part_number(number);
        let done = put.body(ByteStream::from(part)).send().await?;
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(done.e_tag).build());
    }
    let complete = cloud.s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload);
    let completed = complete.multipart_upload(parts.build()).send().await?;
    Ok(Dropped::at(bucket, key, completed.version_id().context("no version")?, video))
}

/// Compares every chunk with the plan, and the plan with TikTok's rules:
/// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
fn ensure_exact_chunks(entry: &LedgerEntry, video: &TestVideo) -> Result<()> {
    let (size, plan) = (video.bytes, entry.source_info);
    assert_eq!(plan.video_size, size);
    assert_eq!(size / plan.chunk_size, plan.total_chunk_count, "the count is rounded down: {plan:?}");
    assert_eq!(entry.chunks.len() as u64, plan.total_chunk_count, "no chunk was sent twice: {:?}", entry.chunks);
    ensure!(plan.total_chunk_count > 1, "a video of this size needs several chunks: {plan:?}");
    let mut first = 0;
    for (chunk, number) in entry.chunks.iter().zip(1..) {
        let last = if number == plan.total_chunk_count { size - 1 } else { first + plan.chunk_size - 1 };
        assert_eq!((chunk.first, chunk.last, chunk.outcome), (first, last, ChunkOutcome::Accepted));
        assert_eq!(chunk.sha256, TestVideo::of(video.slice(first, last + 1)).sha256, "chunk {number}");
        first = last + 1;
    }
    assert_eq!(entry.sha256.as_ref(), Some(&video.sha256));
    Ok(())
}

async fn file_directly_under_drop_uses_default_account(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| "default".clone_into(&mut setup.alias)).await?;
    let key = format!("drop/for {}.mp4", creator.user.open_id);
    let dropped = cloud.put(Put::new(key, &TestVideo::small())).await?;
    creator.await_published_once(&dropped).await?;
    assert_eq!(cloud.post(&dropped.post).await?.account.as_str(), "default");
    Ok(())
}

async fn overwritten_file_makes_second_post_with_own_bytes(creator: Creator) -> Result<()> {
    let first = creator.drop_video("clip.mp4", &TestVideo::new(11_000_000)?).await?;
    let second = creator.drop_video("clip.mp4", &TestVideo::new(11_500_000)?).await?;
    assert_ne!(first.post, second.post);
    creator.await_each_published_once([&first, &second]).await.map(drop)
}

async fn unusual_characters_in_key_are_published(cloud: Arc<Cloud>) -> Result<()> {
    let names = [
        "two  blanks and a + sign.mp4",
        "50 % & more #1 ?a=b.mp4",
        "100%25 %2B.mp4",
        "Grüße aus Köln.mp4",
        "Gru\u{308}ße, decomposed.mp4",
        "猫と🎬🔥.mp4",
        "it's \"quoted\" and <tagged> `so`.mp4",
        "a/deep/er/fol der/with.dots/clip.v2.MP4",
        "semi;colon,comma=equals@at~tilde!.mp4",
        "x/./a.mp4",
        "/a.mp4",
        "../a.mp4",
    ];
    for_each(names, async |name| {
        let creator = Creator::create(&cloud).await?;
        let title = format!("title of {name}");
        creator.put_options(&format!("{name}.json"), &json!({ "title": title })).await?;
        let dropped = creator.drop_small(name).await?;
        assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, title);
        Ok(())
    })
    .await
}

async fn folder_in_other_case_fails_and_names_the_account((cloud, creator): WithCreator) -> Result<()> {
    let upper = creator.alias.as_str().to_uppercase();
    for key in [format!("drop/{upper}/clip.mp4"), format!("drop//{}/clip.mp4", creator.alias)] {
        let dropped = cloud.put(Put::new(&key, &TestVideo::small())).await?;
        let failure = cloud.await_failure(&dropped).await?;
        assert_eq!(failure.reason.code(), "folder_invalid", "{key}: {failure}");
        await_tags(&cloud, &dropped, "failed").await?;
        if key.contains(&upper) {
            assert!(failure.message.contains(creator.alias.as_str()), "the similar alias is named: {failure}");
        }
    }
    creator.ledger().await?.ensure_no_init()
}

async fn longest_key_is_published_without_sidecar(creator: Creator) -> Result<()> {
    let folders = "x".repeat(200) + "/";
    let name = folders.repeat(4) + &"y".repeat(1024 - creator.key("").len() - 4 * folders.len() - 4) + ".mp4";
    assert_eq!(creator.key(&name).len(), 1024);
    let dropped = creator.drop_small(&name).await?;
    creator.await_published_once(&dropped).await.map(drop)
}

async fn other_file_types_are_ignored((cloud, creator): WithCreator) -> Result<()> {
    let note = TestVideo::of("not for TikTok");
    let mut ignored = Vec::new();
    for name in ["notes.txt", "clip.avi", ".hidden.mp4", "folder/", "no ending"] {
        ignored.push(creator.drop_video(name, &note).await?);
    }
    // This drop comes last. When it is published, the events of the ignored objects have been handled.
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    for other in ignored {
        // A hidden file and a folder's marker have no tags. An event reports the others:
        // `observability::notices::ignored_drop_is_tagged_and_reported`.
        let file = other.source.key.trim_start_matches(creator.key("").as_str());
        let is_silent = file.starts_with('.') || file.ends_with('/');
        let tags = tags_of(&cloud, &other).await?;
        let is_tagged = tags.contains(&("dropcast:state".to_owned(), "ignored".to_owned()));
        assert_eq!((is_tagged, tags.is_empty()), (!is_silent, is_silent), "{file}: {tags:?}");
        let post = cloud.posts.get(&other.post).await?;
        ensure!(post.is_none(), "{} became a post: {post:?}", other.source.key);
    }
    creator.ledger().await?.ensure_published_once(&dropped)?;
    Ok(())
}

/// The bucket's lifecycle rules remove old versions with this tag.
async fn sidecar_is_tagged_so_that_old_versions_expire((cloud, creator): WithCreator) -> Result<()> {
    let sidecar = creator.drop_video("clip.json", &TestVideo::of(json!({ "title": "Bread" }).to_string())).await?;
    await_each_tag(&cloud, &sidecar, &[("dropcast:state", "sidecar")]).await
}
