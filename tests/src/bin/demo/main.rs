//! The demo: a real video goes the whole way, and every step is shown as it happens.
//!
//!     demo <video.mp4>
//!
//! It only drops a file and looks: at the post in its table and at TikTok's
//! ledger. What it shows is done by the deployed functions. `make demo` runs it.

mod proof;
mod scene;
mod screen;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tests::{Cloud, Footage};

use scene::Scene;
use screen::Screen;

#[tokio::main]
async fn main() -> ExitCode {
    let mut screen = Screen::open();
    match run(&mut screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even this cannot be written, the exit code says it.
            let _ = screen.failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(screen: &mut Screen) -> Result<()> {
    let video = std::env::args_os().nth(1).map(PathBuf::from).context("which video? Usage: demo <video.mp4>")?;
    let footage = Footage::read(&video)?;
    let cloud = Arc::new(Cloud::open().await?);
    let scene = Scene::prepare(&cloud, footage).await?;
    scene.announce(screen)?;
    let dropped = scene.drop_it(screen).await?;
    show::follow(screen, &cloud, &dropped).await?;
    proof::tell(screen, &scene, &dropped).await
}
