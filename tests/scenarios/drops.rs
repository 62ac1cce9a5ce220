//! Ways to drop a video, and what the person who dropped it sees.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use domain::identity::VideoId;
use domain::post::{PostState, StateName};
use simulator::{ChunkOutcome, LedgerEntry};
use tests::{Cloud, Creator, Dropped, Footage, PATIENCE, Put};
use tokio::process::Command;

use crate::harness::stories;

stories![among:
    a_large_drop_in_parts_is_published_in_exact_chunks,
    a_drop_is_published_once_and_its_link_comes_back,
    a_drop_by_the_aws_cli_is_published_with_the_title_that_it_was_given,
    a_file_directly_under_drop_goes_to_the_default_account,
    an_overwritten_file_is_another_post_and_each_has_its_own_bytes,
    a_key_may_hold_whatever_a_file_name_can,
    an_account_may_be_called_whatever_a_folder_can,
    what_is_no_video_and_no_sidecar_is_left_alone,
];

/// How long a tag may take to follow its state.
const TAGS_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a part of a multipart upload.
const PART: usize = 8 << 20;

async fn a_drop_is_published_once_and_its_link_comes_back(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let linked = |post: &domain::post::Post| matches!(&post.state, PostState::Published { links, .. } if links.share_url.is_some() && links.cover_url.is_some());
    let post = cloud.await_post(&dropped.post, "published, with its links", PATIENCE, linked).await?;
    let PostState::Published { links, video_ids, .. } = &post.state else {
        unreachable!("it was just found to be published");
    };
    let book = maker.book().await?;
    let publication = book.ensure_published_once(&dropped)?;
    let link = format!("https://www.tiktok.com/@{}/video/{}", maker.user.username, publication.post_id);
    assert_eq!(links.share_url.as_deref(), Some(link.as_str()));
    assert_eq!(video_ids.iter().map(VideoId::as_str).collect::<Vec<_>>(), [publication.post_id.as_str()]);
    assert_eq!(publication.title, "clip", "without a title, the file's name is it");
    assert_eq!(post.due_at, None, "nobody has to look at it again");
    await_tags(&cloud, &dropped, "published").await
}

/// Waits until who only has the S3 console sees the post and its state: a tag
/// follows the state that it tells of.
async fn await_tags(cloud: &Cloud, dropped: &Dropped, state: &str) -> Result<()> {
    let wanted = [("dropcast:post", dropped.post.as_str()), ("dropcast:state", state)];
    let begun = Instant::now();
    loop {
        let tags = tags_of(cloud, dropped).await?;
        if wanted.iter().all(|(key, value)| tags.iter().any(|(k, v)| k == key && v == value)) {
            return Ok(());
        }
        ensure!(begun.elapsed() < TAGS_PATIENCE, "the object should be tagged {wanted:?}, and is {tags:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn tags_of(cloud: &Cloud, dropped: &Dropped) -> Result<Vec<(String, String)>> {
    let domain::source::ObjectVersion::Id(version) = &dropped.source.version else {
        anyhow::bail!("the bucket keeps versions");
    };
    let ask = cloud.s3.get_object_tagging().bucket(&dropped.source.bucket).key(&dropped.source.key);
    let tagging = ask.version_id(version).send().await?;
    Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

async fn a_drop_by_the_aws_cli_is_published_with_the_title_that_it_was_given(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::long(9_000_000)?; // more than the CLI sends in one piece
    let folder = std::env::temp_dir().join(format!("dropcast-{}", maker.alias));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("holiday film.mp4");
    std::fs::write(&file, &footage.bytes)?;
    let (bucket, key) = (&cloud.outputs().intake_bucket, maker.key("holiday film.mp4"));
    let copied = Command::new(&cloud.contract.aws_cli)
        .args(["s3", "cp", "--only-show-errors", "--metadata", "title=From the shell,disable-comment=true"])
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
    let dropped = Dropped::at(bucket, &key, object.version_id().context("no version")?, &footage);
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    assert_eq!(book.ensure_published_once(&dropped)?.title, "From the shell");
    let asked = book.publishes[0].post_info.as_ref().context("it is a direct post")?;
    assert_eq!(asked.disable_comment, Some(true));
    Ok(())
}

async fn a_large_drop_in_parts_is_published_in_exact_chunks(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::long(25_000_123)?;
    let dropped = drop_in_parts(&cloud, &maker.key("long.mp4"), &footage).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "one init: {:?}", book.publishes);
    ensure_exact(&book.publishes[0], &footage)
}

async fn drop_in_parts(cloud: &Cloud, key: &str, footage: &Footage) -> Result<Dropped> {
    let bucket = &cloud.outputs().intake_bucket;
    let begun = cloud.s3.create_multipart_upload().bucket(bucket).key(key).send().await?;
    let upload = begun.upload_id().context("no upload id")?;
    let mut parts = CompletedMultipartUpload::builder();
    for (number, start) in (1..).zip((0..footage.bytes.len()).step_by(PART)) {
        let part = footage.bytes.slice(start..(start + PART).min(footage.bytes.len()));
        let put = cloud.s3.upload_part().bucket(bucket).key(key).upload_id(upload).part_number(number);
        let done = put.body(ByteStream::from(part)).send().await?;
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(done.e_tag).build());
    }
    let end = cloud.s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload);
    let ended = end.multipart_upload(parts.build()).send().await?;
    Ok(Dropped::at(bucket, key, ended.version_id().context("no version")?, footage))
}

/// Holds every chunk against the plan, and the plan against TikTok's rules:
/// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
fn ensure_exact(entry: &LedgerEntry, footage: &Footage) -> Result<()> {
    let (size, plan) = (footage.bytes.len() as u64, entry.source_info);
    assert_eq!(plan.video_size, size);
    assert_eq!(size / plan.chunk_size, plan.total_chunk_count, "the count is the floor: {plan:?}");
    assert_eq!(entry.chunks.len() as u64, plan.total_chunk_count, "none was sent twice: {:?}", entry.chunks);
    ensure!(plan.total_chunk_count > 1, "a film of this length is to be several chunks: {plan:?}");
    let mut first = 0;
    for (chunk, number) in entry.chunks.iter().zip(1..) {
        let last = if number == plan.total_chunk_count { size - 1 } else { first + plan.chunk_size - 1 };
        assert_eq!((chunk.first, chunk.last, chunk.outcome), (first, last, ChunkOutcome::Accepted));
        let range = usize::try_from(first)?..=usize::try_from(last)?;
        assert_eq!(chunk.sha256, Footage::of(footage.bytes.slice(range)).sha256, "chunk {number}");
        first = last + 1;
    }
    assert_eq!(entry.sha256.as_ref(), Some(&footage.sha256));
    Ok(())
}

async fn a_file_directly_under_drop_goes_to_the_default_account(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| "default".clone_into(&mut casting.alias)).await?;
    let key = format!("drop/for {}.mp4", maker.user.open_id);
    let dropped = cloud.put(Put::new(key, &Footage::fresh()?)).await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    assert_eq!(post.account.as_str(), "default");
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn an_overwritten_file_is_another_post_and_each_has_its_own_bytes(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let first = maker.drops("clip.mp4", &Footage::long(11_000_000)?).await?;
    let second = maker.drops("clip.mp4", &Footage::long(11_500_000)?).await?;
    assert_ne!(first.post, second.post);
    for dropped in [&first, &second] {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    maker.book().await?.ensure_published_each_once(&[&first, &second])
}

async fn a_key_may_hold_whatever_a_file_name_can(cloud: Arc<Cloud>) -> Result<()> {
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
    ];
    let mut drops = Vec::new();
    for name in names {
        let maker = Creator::connect(&cloud).await?;
        let title = format!("title of {name}");
        maker.options(&format!("{name}.json"), &serde_json::json!({ "title": title })).await?;
        let dropped = maker.drops(name, &Footage::fresh()?).await?;
        drops.push((maker, title, dropped));
    }
    for (maker, title, dropped) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await.with_context(|| dropped.source.key.clone())?;
        let book = maker.book().await?;
        assert_eq!(book.ensure_published_once(&dropped)?.title, title);
    }
    Ok(())
}

async fn an_account_may_be_called_whatever_a_folder_can(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| {
        casting.alias = format!("Bäckerei Süß & Söhne {}", casting.alias);
    })
    .await?;
    let key =
        format!("drop/Bäckerei Süß & Söhne {}/brot.mp4", maker.alias.as_str().rsplit(' ').next().unwrap_or_default());
    let dropped = cloud.put(Put::new(key, &Footage::fresh()?)).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn what_is_no_video_and_no_sidecar_is_left_alone(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let note = Footage::of("not for TikTok");
    let mut ignored = Vec::new();
    for name in ["notes.txt", "clip.avi", ".hidden.mp4", "folder/", "no ending"] {
        ignored.push(maker.drops(name, &note).await?);
    }
    // A drop that comes after them, so that their events have been taken when it is published.
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    for left_alone in ignored {
        let post = cloud.posts.get(&left_alone.post).await?;
        ensure!(post.is_none(), "{} became a post: {post:?}", left_alone.source.key);
    }
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}
