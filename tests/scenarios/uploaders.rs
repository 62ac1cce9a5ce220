//! Drops with other people's upload tools: AWS CLI, boto3, rclone and s3cmd.
//!
//! `docs/uploaders.md` has the commands that run here.

mod copies;
mod folders;
mod metadata;
mod renames;
mod workstation;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::json;

use crate::runner::{WithCreator, for_each, scenarios};
use workstation::{Tool, Workstation};

scenarios![concurrent:
    small_upload_of_each_tool_is_published_once,
    multipart_upload_of_each_tool_is_published_once,
    unusual_names_from_each_tool_are_published,
    conditional_upload_makes_one_version;
    copies, folders, metadata, renames
];

/// The size in bytes of a video that the tools send in three parts.
const THREE_PARTS: u64 = 11_000_000;

/// Reads the versions of an object in the creator's folder, oldest first. Each is a drop of this video.
async fn versions(creator: &Creator, file: &str, video: &TestVideo) -> Result<Vec<Dropped>> {
    let (bucket, key) = (&creator.cloud.outputs().intake_bucket, creator.key(file));
    let listed = creator.cloud.s3.list_object_versions().bucket(bucket).prefix(&key).send().await?;
    let of_object = listed.versions().iter().filter(|version| version.key() == Some(key.as_str()));
    let ids = of_object.map(|version| version.version_id().context("the bucket has versioning"));
    let mut drops = ids.map(|id| Ok(Dropped::at(bucket, &key, id?, video))).collect::<Result<Vec<_>>>()?;
    drops.reverse(); // S3 lists the newest version first.
    Ok(drops)
}

/// Reads the only version of an object.
async fn only_version(creator: &Creator, file: &str, video: &TestVideo) -> Result<Dropped> {
    let mut versions = versions(creator, file, video).await?;
    ensure!(versions.len() == 1, "{file} has {} versions", versions.len());
    Ok(versions.remove(0))
}

/// Uploads a video with each tool for a creator of its own. It must be published once, with the same bytes.
async fn publish_with_each_tool(cloud: &Arc<Cloud>, video: impl Fn() -> Result<TestVideo>, parts: u32) -> Result<()> {
    for_each(Tool::ALL, async |tool| {
        let (creator, station, video) = (Creator::create(cloud).await?, Workstation::new(cloud)?, video()?);
        station.write("clip.mp4", &video)?;
        station.upload(tool, "clip.mp4", &creator.key("clip.mp4")).await?;
        let dropped = only_version(&creator, "clip.mp4", &video).await?;
        let head = cloud.s3.head_object().bucket(&dropped.source.bucket).key(&dropped.source.key).send().await?;
        let etag = head.e_tag().context("an object has an ETag")?.trim_matches('"');
        let sent_parts = etag.split_once('-').map_or(Ok(1), |(_, parts)| parts.parse())?;
        ensure!(sent_parts == parts, "the tool sent {sent_parts} parts");
        creator.await_published_once(&dropped).await.map(drop)
    })
    .await
}

async fn small_upload_of_each_tool_is_published_once(cloud: Arc<Cloud>) -> Result<()> {
    publish_with_each_tool(&cloud, || Ok(TestVideo::small()), 1).await
}

async fn multipart_upload_of_each_tool_is_published_once(cloud: Arc<Cloud>) -> Result<()> {
    publish_with_each_tool(&cloud, || TestVideo::new(THREE_PARTS), 3).await
}

async fn unusual_names_from_each_tool_are_published(cloud: Arc<Cloud>) -> Result<()> {
    // TikTok accepts six uploads a minute of one creator.
    let names = [
        "two  blanks, it's \"quoted\" + plus.mp4",
        "50 % #1 ?a=b&c.mp4",
        "100%25 %2B 猫🎬.mp4",
        "Grüße, composed.mp4",
        "Gru\u{308}ße, decomposed.mp4",
    ];
    for_each(Tool::ALL, async |tool| {
        let (creator, station) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?);
        let videos = names.map(|name| (name, TestVideo::small()));
        for (name, video) in &videos {
            station.write(name, video)?;
        }
        station.sync(tool, &creator.key("")).await?;
        let mut drops = Vec::new();
        for (name, video) in &videos {
            drops.push(only_version(&creator, name, video).await?);
        }
        creator.await_each_published_once(&drops).await.map(drop)
    })
    .await
}

/// `If-None-Match: *` makes a repeated upload harmless:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
async fn conditional_upload_makes_one_version((cloud, creator): WithCreator) -> Result<()> {
    let (station, video) = (Workstation::new(&cloud)?, TestVideo::new(THREE_PARTS)?);
    station.write("clip.mp4", &video)?;
    let (bucket, key) = (&cloud.outputs().intake_bucket, creator.key("clip.mp4"));
    let put = ["s3api", "put-object", "--if-none-match", "*", "--body", "clip.mp4", "--bucket", bucket, "--key", &key];
    station.aws(&put).await?;
    let repeat = |name| {
        let arguments = json!({ "Bucket": bucket, "Key": key, "IfNoneMatch": "*" });
        json!({ "name": name, "body": "clip.mp4", "arguments": arguments, "error": "PreconditionFailed" })
    };
    station.boto3(&["put_object", "put_in_parts"].map(repeat)).await?;
    let dropped = only_version(&creator, "clip.mp4", &video).await?;
    creator.await_published_once(&dropped).await.map(drop)
}
