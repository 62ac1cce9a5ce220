//! Folders that a tool keeps in sync: a video, its sidecar, and files that are not for TikTok.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::Requirement;
use harness::{Cloud, Creator, Dropped, TestVideo};

use super::workstation::{Tool, Workstation};
use super::{only_version, versions};
use crate::drops::tags_of;
use crate::runner::{for_each, poll_until, scenarios};

scenarios![concurrent:
    folder_synced_twice_is_published_once,
    other_files_of_synced_folder_are_tagged_ignored,
];

/// How long a tag may come after the object.
const TAG_TIMEOUT: Duration = Duration::from_secs(20);

/// The files in the folder that are neither a video nor a sidecar.
const OTHERS: [&str; 3] = [".DS_Store", "Thumbs.db", "notes.txt"];

/// Syncs a folder twice for a creator whose videos wait for their sidecars: a tool uploads files in any order.
/// Returns the drop of the folder's video.
async fn sync_twice(cloud: &Arc<Cloud>, tool: Tool) -> Result<(Creator, Dropped)> {
    let creator = Creator::create_with(cloud, |setup| setup.sidecar = Requirement::Required).await?;
    let (station, video) = (Workstation::new(cloud)?, TestVideo::small());
    station.write("clip.mp4", &video)?;
    station.write("clip.json", &TestVideo::of(r#"{"title":"From the folder"}"#))?;
    for name in OTHERS {
        station.write(name, &other(name))?;
    }
    for _ in 0..2 {
        station.sync(tool, &creator.key("")).await?;
    }
    let dropped = only_version(&creator, "clip.mp4", &video).await?;
    Ok((creator, dropped))
}

/// The content of a file that is not a video.
fn other(name: &str) -> TestVideo {
    TestVideo::of(format!("the content of {name}"))
}

async fn folder_synced_twice_is_published_once(cloud: Arc<Cloud>) -> Result<()> {
    for_each(Tool::COMMANDS, async |tool| {
        let (creator, dropped) = sync_twice(&cloud, tool).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publications[0].title, "From the folder");
        for name in OTHERS {
            let object = only_version(&creator, name, &other(name)).await?;
            ensure!(cloud.posts.get(&object.post).await?.is_none(), "{name} became a post");
        }
        Ok(())
    })
    .await
}

async fn other_files_of_synced_folder_are_tagged_ignored(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped) = sync_twice(&cloud, Tool::Rclone).await?;
    for name in ["Thumbs.db", "notes.txt"] {
        let object = only_version(&creator, name, &other(name)).await?;
        let is_ignored = async || {
            let tags = tags_of(&cloud, &object).await?;
            let value = |wanted: &str| tags.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
            let is_ignored = value("dropcast:state") == Some("ignored");
            Ok((is_ignored && value("dropcast:reason").is_some_and(|reason| !reason.is_empty())).then_some(()))
        };
        let wanted = format!("tag on {name} with the state `ignored` and a reason");
        poll_until(&wanted, TAG_TIMEOUT, Duration::from_millis(200), is_ignored).await?;
    }
    creator.await_published_once(&dropped).await?;
    let hidden = versions(&creator, ".DS_Store", &other(".DS_Store")).await?;
    let hidden = hidden.first().context("the hidden file was uploaded")?;
    assert_eq!(tags_of(&cloud, hidden).await?, [], "a hidden file is ignored silently");
    Ok(())
}
