//! User-defined metadata: options that a tool sends, and what tools add on their own.

use std::sync::Arc;

use anyhow::{Result, ensure};
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::{Value, json};

use super::only_version;
use super::workstation::{Tool, Workstation};
use crate::runner::{for_each, scenarios};

scenarios![concurrent:
    each_tool_sets_the_title_by_metadata,
    title_beyond_ascii_is_published_as_written,
    metadata_of_other_tools_is_ignored,
    file_metadata_of_rclone_is_ignored,
];

/// Checks that a drop is published with a title, and that its post has no remark about metadata.
async fn ensure_title(creator: &Creator, dropped: &Dropped, title: &str) -> Result<()> {
    let ledger = creator.await_published_once(dropped).await?;
    assert_eq!(ledger.publications[0].title, title);
    let post = creator.cloud.post(&dropped.post).await?;
    let remark = post.history.iter().find(|entry| entry.note.contains("metadata"));
    ensure!(remark.is_none(), "{remark:?}");
    Ok(())
}

async fn each_tool_sets_the_title_by_metadata(cloud: Arc<Cloud>) -> Result<()> {
    for_each(Tool::ALL, async |tool| {
        let (creator, station, video) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?, TestVideo::small());
        station.write("clip.mp4", &video)?;
        station.upload_with(tool, "clip.mp4", &creator.key("clip.mp4"), "dropcast-title", "Bread, finally").await?;
        let dropped = only_version(&creator, "clip.mp4", &video).await?;
        ensure_title(&creator, &dropped, "Bread, finally").await
    })
    .await
}

async fn title_beyond_ascii_is_published_as_written(cloud: Arc<Cloud>) -> Result<()> {
    // The AWS CLI and boto3 refuse other bytes than ASCII, so their user encodes the title in RFC 2047. rclone and
    // s3cmd send UTF-8, which S3 reads as Latin-1.
    let encoded = "=?UTF-8?B?R3LDvMOfZSDwn42e?=";
    let written = "Grüße 🍞";
    let cases = [(Tool::AwsCli, encoded), (Tool::Boto3, encoded), (Tool::Rclone, written), (Tool::S3cmd, written)];
    for_each(cases, async |(tool, sent)| {
        let (creator, station, video) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?, TestVideo::small());
        station.write("clip.mp4", &video)?;
        station.upload_with(tool, "clip.mp4", &creator.key("clip.mp4"), "dropcast-title", sent).await?;
        let dropped = only_version(&creator, "clip.mp4", &video).await?;
        ensure_title(&creator, &dropped, written).await
    })
    .await
}

async fn metadata_of_other_tools_is_ignored(cloud: Arc<Cloud>) -> Result<()> {
    let cases = [
        ("AWS Transfer Family", json!({ "user-agent": "AWSTransfer", "user-agent-id": "anna@s-1234567890abcdef0" })),
        (
            "AWS DataSync",
            json!({
                "file-owner": "0", "file-group": "0", "file-permissions": "0100644", "file-acl": "",
                "file-atime": "1577836800000000000ns", "file-mtime": "1577836800000000000ns",
            }),
        ),
        ("s3fs", json!({ "mode": "33188", "uid": "0", "gid": "0", "mtime": "1577836800.0", "xattr": "" })),
        ("rclone", json!({ "mode": "100644", "btime": "2026-01-01T00:00:00Z" })),
        ("goofys, S3 File Gateway", json!({ "file-permissions": "0644", "user-agent": "aws-storage-gateway" })),
        ("Cyberduck", json!({ "mtime": "1577836800", "md5chksum": "1B2M2Y8AsgTpgAmY7PhCfg==" })),
    ];
    for_each(cases, async |(_, metadata): (&str, Value)| {
        let (creator, station, video) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?, TestVideo::small());
        station.write("clip.mp4", &video)?;
        let key = creator.key("clip.mp4");
        station.boto3(&[station.boto3_upload("clip.mp4", &key, &json!({ "Metadata": metadata }))]).await?;
        let dropped = only_version(&creator, "clip.mp4", &video).await?;
        ensure_title(&creator, &dropped, "clip").await
    })
    .await
}

async fn file_metadata_of_rclone_is_ignored(cloud: Arc<Cloud>) -> Result<()> {
    // `--metadata` sends the file's mode, owner and times beside the entries of `--metadata-set`.
    let (creator, station, video) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?, TestVideo::small());
    station.write("clip.mp4", &video)?;
    let path = station.path(&creator.key("clip.mp4"));
    let title = "dropcast-title=With every time";
    station.rclone(&["copyto", "--metadata", "--metadata-set", title, "clip.mp4", &path]).await?;
    let dropped = only_version(&creator, "clip.mp4", &video).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publications[0].title, "With every time");
    Ok(())
}
