//! The demo: posts a real video through the local cloud and shows each step.
//!
//!     demo <video.mp4>
//!
//! It drops the file, then reads the post and TikTok's ledger. The deployed functions do everything else. `make demo`
//! runs it.

mod ledger;
mod progress;
mod screen;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::json;
use simulator::{Endpoint, Fault, FaultKind, User};

use screen::{Screen, megabytes};

/// The speed at which the simulated TikTok reads in the demo, slow enough to show the progress.
const BYTES_PER_SECOND: u64 = 12_000_000;
const TITLE: &str = "Dropped into a bucket, posted by Dropcast";

#[tokio::main]
async fn main() -> ExitCode {
    let mut screen = Screen::open();
    match run(&mut screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If this cannot be written either, the exit code still reports the failure.
            let _ = screen.failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(screen: &mut Screen) -> Result<()> {
    let video = std::env::args_os().nth(1).map(PathBuf::from).context("usage: demo <video.mp4>")?;
    let video = TestVideo::read(&video)?;
    let cloud = Arc::new(Cloud::open().await?);
    let creator = create_creator(&cloud).await?;
    introduce(screen, &video)?;
    let dropped = drop_video(screen, &creator, &video).await?;
    progress::follow(screen, &cloud, &dropped).await?;
    ledger::verify(screen, &creator, &dropped).await
}

/// Creates a creator for whom TikTok reads slowly.
async fn create_creator(cloud: &Arc<Cloud>) -> Result<Creator> {
    let creator = Creator::create_with(cloud, |setup| {
        "demo".clone_into(&mut setup.alias);
        setup.user = User::new(setup.user.open_id.as_str(), "dropcast_demo");
    })
    .await?;
    let slow = FaultKind::SlowRead { bytes_per_second: BYTES_PER_SECOND };
    creator.inject(Fault::new(Endpoint::Upload, slow).until_cleared()).await?;
    Ok(creator)
}

fn introduce(screen: &mut Screen, video: &TestVideo) -> Result<()> {
    let (size, speed) = (megabytes(video.bytes), megabytes(BYTES_PER_SECOND));
    screen.title("Dropcast: a video dropped into S3 becomes a TikTok post, once")?;
    screen
        .line(&format!("{size} MB go through a real S3 API, event, queue and the real functions, to a simulator of"))?;
    screen.line(&format!("TikTok on this machine. It reads {speed} MB a second, so that you can watch."))?;
    screen.line("")?;
    Ok(())
}

/// Drops the sidecar, then the video.
async fn drop_video(screen: &mut Screen, creator: &Creator, video: &TestVideo) -> Result<Dropped> {
    let options = json!({ "title": TITLE, "mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE" });
    creator.put_options("demo.json", &options).await?;
    let bucket = &creator.cloud.outputs().intake_bucket;
    screen.start();
    screen.step("options", &format!("s3://{bucket}/{}", creator.key("demo.json")))?;
    let dropped = creator.drop_video("demo.mp4", video).await?;
    screen.step("video", &format!("s3://{bucket}/{}", dropped.source.key))?;
    Ok(dropped)
}
