//! Versions that no person intended: a repeated PUT, a copy onto itself, a copy to another name, an empty first version.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::json;

use super::workstation::{Tool, Workstation};
use super::{THREE_PARTS, only_version, versions};
use crate::http::get;
use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    repeated_upload_of_each_tool_is_held_as_same_video,
    copy_onto_itself_is_held_as_same_video,
    same_video_from_two_tools_is_held,
    copy_of_multipart_upload_is_held_as_same_video,
    video_uploaded_after_empty_version_is_published_once,
];

/// Waits until the second drop is held as the same video as the first, which stays the only publication.
async fn await_held_as_same_video(creator: &Creator, first: &Dropped, second: &Dropped) -> Result<()> {
    creator.cloud.await_state(&second.post, StateName::Held).await?;
    let shown = get(&creator.cloud, &format!("/posts/{}", second.post)).await?.with_status(200)?;
    assert_eq!((&shown["hold_reason"], &shown["earlier_post"]), (&json!("same_video"), &json!(first.post)));
    creator.ledger().await?.ensure_published_once(first).map(drop)
}

/// Publishes a small video that a tool uploads as `clip.mp4`.
async fn publish(creator: &Creator, station: &Workstation, tool: Tool) -> Result<Dropped> {
    let video = TestVideo::small();
    station.write("clip.mp4", &video)?;
    station.upload(tool, "clip.mp4", &creator.key("clip.mp4")).await?;
    let dropped = only_version(creator, "clip.mp4", &video).await?;
    creator.await_published_once(&dropped).await?;
    Ok(dropped)
}

/// Checks that a published `clip.mp4` has a second version, which is held.
async fn ensure_second_version_is_held(creator: &Creator, first: &Dropped) -> Result<()> {
    let versions = versions(creator, "clip.mp4", &first.video).await?;
    ensure!(versions.len() == 2, "there are {} versions", versions.len());
    await_held_as_same_video(creator, first, &versions[1]).await
}

async fn repeated_upload_of_each_tool_is_held_as_same_video(cloud: Arc<Cloud>) -> Result<()> {
    for_each(Tool::ALL, async |tool| {
        let (creator, station) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?);
        let (first, key) = (publish(&creator, &station, tool).await?, creator.key("clip.mp4"));
        if tool == Tool::Rclone {
            // rclone does not upload an unchanged file again without this option.
            station.rclone(&["copyto", "--ignore-times", "clip.mp4", &station.path(&key)]).await?;
        } else {
            station.upload(tool, "clip.mp4", &key).await?;
        }
        ensure_second_version_is_held(&creator, &first).await
    })
    .await
}

/// A command with which a person changes an object, but not its bytes. S3 makes a new version.
#[derive(Debug, Clone, Copy)]
enum Change {
    AwsCliMetadata,
    AwsCliStorageClass,
    Boto3Copy,
    RcloneTouch,
    RcloneNewTime,
    S3cmdModify,
}

impl Change {
    const ALL: [Self; 6] = [
        Self::AwsCliMetadata,
        Self::AwsCliStorageClass,
        Self::Boto3Copy,
        Self::RcloneTouch,
        Self::RcloneNewTime,
        Self::S3cmdModify,
    ];

    const fn tool(self) -> Tool {
        match self {
            Self::AwsCliMetadata | Self::AwsCliStorageClass => Tool::AwsCli,
            Self::Boto3Copy => Tool::Boto3,
            Self::RcloneTouch | Self::RcloneNewTime => Tool::Rclone,
            Self::S3cmdModify => Tool::S3cmd,
        }
    }

    async fn apply(self, station: &Workstation, object: &Dropped) -> Result<()> {
        let (bucket, key) = (&object.source.bucket, &object.source.key);
        let (url, path) = (station.url(key), station.path(key));
        match self {
            Self::AwsCliMetadata => {
                let replace = ["--metadata-directive", "REPLACE", "--metadata", "reviewed=yes"];
                station.aws(&[&["s3", "cp"], &replace[..], &[&url, &url]].concat()).await
            }
            Self::AwsCliStorageClass => station.aws(&["s3", "cp", "--storage-class", "STANDARD_IA", &url, &url]).await,
            Self::Boto3Copy => {
                let copy = json!({
                    "Bucket": bucket, "Key": key, "CopySource": { "Bucket": bucket, "Key": key },
                    "MetadataDirective": "REPLACE",
                });
                station.boto3(&[json!({ "name": "copy_object", "arguments": copy })]).await
            }
            Self::RcloneTouch => station.rclone(&["touch", &path]).await,
            Self::RcloneNewTime => {
                station.touch("clip.mp4")?;
                station.rclone(&["copyto", "clip.mp4", &path]).await
            }
            Self::S3cmdModify => {
                station.s3cmd(&["modify", "--acl-private", "--add-header=x-amz-meta-reviewed:yes", &url]).await
            }
        }
    }
}

async fn copy_onto_itself_is_held_as_same_video(cloud: Arc<Cloud>) -> Result<()> {
    for_each(Change::ALL, async |change| {
        let (creator, station) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?);
        let first = publish(&creator, &station, change.tool()).await?;
        change.apply(&station, &first).await?;
        ensure_second_version_is_held(&creator, &first).await
    })
    .await
}

async fn same_video_from_two_tools_is_held((cloud, creator): WithCreator) -> Result<()> {
    // s3cmd sends parts and no checksum, so S3 stores a CRC-64. boto3 sends one part with a CRC-32. The two versions
    // have no checksum and no ETag in common.
    let (station, video) = (Workstation::new(&cloud)?, TestVideo::new(THREE_PARTS)?);
    station.write("clip.mp4", &video)?;
    station.upload(Tool::S3cmd, "clip.mp4", &creator.key("clip.mp4")).await?;
    let first = only_version(&creator, "clip.mp4", &video).await?;
    creator.await_published_once(&first).await?;
    let (bucket, key) = (&cloud.outputs().intake_bucket, creator.key("again.mp4"));
    let put = json!({ "name": "put_object", "body": "clip.mp4", "arguments": { "Bucket": bucket, "Key": key } });
    station.boto3(&[put]).await?;
    let second = only_version(&creator, "again.mp4", &video).await?;
    await_held_as_same_video(&creator, &first, &second).await
}

async fn copy_of_multipart_upload_is_held_as_same_video((cloud, creator): WithCreator) -> Result<()> {
    // The upload has a composite SHA-256, and its copy a SHA-256 of the whole object.
    let (station, video) = (Workstation::new(&cloud)?, TestVideo::new(THREE_PARTS)?);
    station.write("clip.mp4", &video)?;
    let upload = station.boto3_upload("clip.mp4", &creator.key("clip.mp4"), &json!({ "ChecksumAlgorithm": "SHA256" }));
    station.boto3(&[upload]).await?;
    let first = only_version(&creator, "clip.mp4", &video).await?;
    creator.await_published_once(&first).await?;
    let (bucket, source) = (&first.source.bucket, &first.source.key);
    let copy = json!({
        "Bucket": bucket, "Key": creator.key("copy.mp4"), "CopySource": { "Bucket": bucket, "Key": source },
    });
    station.boto3(&[json!({ "name": "copy_object", "arguments": copy })]).await?;
    let second = only_version(&creator, "copy.mp4", &video).await?;
    await_held_as_same_video(&creator, &first, &second).await
}

async fn video_uploaded_after_empty_version_is_published_once((cloud, creator): WithCreator) -> Result<()> {
    // A mounted folder and some SFTP servers write an empty object first, and the file when it is closed.
    let (station, video) = (Workstation::new(&cloud)?, TestVideo::small());
    station.write("clip.mp4", &video)?;
    let (bucket, key) = (&cloud.outputs().intake_bucket, creator.key("clip.mp4"));
    let empty = json!({ "name": "put_object", "arguments": { "Bucket": bucket, "Key": key } });
    station.boto3(&[empty, station.boto3_upload("clip.mp4", &key, &json!({}))]).await?;
    let versions = versions(&creator, "clip.mp4", &video).await?;
    let [empty, full] = versions.as_slice() else {
        bail!("there are {} versions", versions.len());
    };
    creator.await_published_once(full).await?;
    let state = cloud.posts.get(&empty.post).await?.map(|stored| stored.value.state_name());
    ensure!(state != Some(StateName::Failed), "the empty version is reported as a failure");
    Ok(())
}
