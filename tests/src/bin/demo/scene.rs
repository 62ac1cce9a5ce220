//! Before the curtain rises: a creator, a video, and a TikTok that takes its time.

use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use simulator::{Endpoint, Fault, FaultKind, User};
use tests::{Cloud, Creator, Dropped, Footage};

use crate::screen::{Screen, megabytes};

/// How fast TikTok reads, so that the progress can be seen.
const BYTES_PER_SECOND: u64 = 12_000_000;
const CAPTION: &str = "Dropped into a bucket, posted by Dropcast";

/// What the demo plays with.
pub(crate) struct Scene {
    pub(crate) creator: Creator,
    pub(crate) footage: Footage,
}

impl Scene {
    /// Casts the creator and slows TikTok down, for this creator alone.
    pub(crate) async fn prepare(cloud: &Arc<Cloud>, footage: Footage) -> Result<Self> {
        let creator = Creator::cast(cloud, |casting| {
            "demo".clone_into(&mut casting.alias);
            casting.user = User::new(casting.user.open_id.as_str(), "dropcast_demo");
        })
        .await?;
        let slowly = FaultKind::SlowRead { bytes_per_second: BYTES_PER_SECOND };
        creator.inject(Fault::new(Endpoint::Upload, slowly).until_cleared()).await?;
        Ok(Self { creator, footage })
    }

    /// Says what is going to happen.
    pub(crate) fn announce(&self, screen: &mut Screen) -> Result<()> {
        screen.title("Dropcast: a video dropped into S3 becomes a TikTok post, once")?;
        let size = self.footage.bytes.len() as u64;
        screen.line(&format!(
            "{} MB go through a real S3 API, event, queue and the real functions, to a TikTok",
            megabytes(size)
        ))?;
        screen.line(&format!(
            "that is played on this machine, and that reads {} MB a second so that you can watch.",
            megabytes(BYTES_PER_SECOND)
        ))?;
        screen.line("")?;
        Ok(())
    }

    /// Drops the options, then the video.
    pub(crate) async fn drop_it(&self, screen: &mut Screen) -> Result<Dropped> {
        let options = json!({ "title": CAPTION, "mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE" });
        self.creator.options("demo.json", &options).await?;
        let bucket = &self.creator.cloud.outputs().intake_bucket;
        screen.start();
        screen.step("options", &format!("s3://{bucket}/{}", self.creator.key("demo.json")))?;
        let dropped = self.creator.drops("demo.mp4", &self.footage).await?;
        screen.step("video", &format!("s3://{bucket}/{}", dropped.source.key))?;
        Ok(dropped)
    }
}
