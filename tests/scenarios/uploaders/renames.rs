//! Objects that are uploaded under one name and moved to another: S3 copies the object and deletes the old one.

use std::sync::Arc;

use anyhow::{Result, ensure};
use harness::{Cloud, Creator, TestVideo};

use super::workstation::{Tool, Workstation};
use super::{THREE_PARTS, only_version};
use crate::drops::{await_tags, tags_of};
use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    upload_under_temporary_name_is_published_once,
    video_moved_into_drop_folder_is_published_once,
];

async fn upload_under_temporary_name_is_published_once(cloud: Arc<Cloud>) -> Result<()> {
    for_each(Tool::COMMANDS, async |tool| {
        let (creator, station) = (Creator::create(&cloud).await?, Workstation::new(&cloud)?);
        let video = TestVideo::small();
        station.write("clip.mp4", &video)?;
        let (temporary, key) = (creator.key("clip.mp4.part"), creator.key("clip.mp4"));
        station.upload(tool, "clip.mp4", &temporary).await?;
        station.rename(tool, &temporary, &key).await?;
        let dropped = only_version(&creator, "clip.mp4", &video).await?;
        creator.await_published_once(&dropped).await?;
        // S3 copies the tags of the temporary object, which is ignored. They must not stay on the video.
        await_tags(&cloud, &dropped, "published").await?;
        let tags = tags_of(&cloud, &dropped).await?;
        ensure!(tags.iter().all(|(key, _)| key != "dropcast:reason"), "the video is published, but tagged {tags:?}");
        Ok(())
    })
    .await
}

async fn video_moved_into_drop_folder_is_published_once((cloud, creator): WithCreator) -> Result<()> {
    // The AWS CLI copies an object of this size in parts.
    let (station, video) = (Workstation::new(&cloud)?, TestVideo::new(THREE_PARTS)?);
    station.write("clip.mp4", &video)?;
    let staged = format!("staging/{}.mp4", creator.alias);
    station.upload(Tool::AwsCli, "clip.mp4", &staged).await?;
    station.rename(Tool::AwsCli, &staged, &creator.key("clip.mp4")).await?;
    let dropped = only_version(&creator, "clip.mp4", &video).await?;
    creator.await_published_once(&dropped).await.map(drop)
}
