//! How much memory a post takes: the peak of what a fresh process had resident,
//! a process for each size. MB is 10^6 bytes.

use anyhow::Result;
use serde::Serialize;

use super::Extent;
use crate::film::Film;
use crate::numbers::{greatest, least, mb};
use crate::stage::{Order, Stage};

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) posts: Vec<OfOnePost>,
    pub(crate) peak_mb: f64,
    /// The largest peak over the smallest.
    pub(crate) flatness: f64,
}

/// What one post took.
#[derive(Debug, Serialize)]
pub(crate) struct OfOnePost {
    pub(crate) video_bytes: u64,
    pub(crate) peak_mb: f64,
    pub(crate) seconds: f64,
}

/// Measures. 4 GB, which is not 4 GiB, is the most that a video may have.
pub(crate) async fn measure(stage: &Stage, extent: Extent) -> Result<Memory> {
    let full = [10_000_000, 1_000_000_000, 4_000_000_000];
    let tiktok = stage.tiktok(Some(stage.drain.address)).await?;
    let mut posts = vec![];
    for video_bytes in extent.choose(full, [10_000_000, 50_000_000, 200_000_000]) {
        let film = Film::new(video_bytes)?;
        let order = Order { film: &film, store: stage.store.address, tiktok: &tiktok, set: vec![] };
        let posted = stage.post(order).await?;
        posts.push(OfOnePost { video_bytes, peak_mb: mb(posted.peak_memory), seconds: posted.seconds });
    }
    let peaks: Vec<_> = posts.iter().map(|post| post.peak_mb).collect();
    Ok(Memory { peak_mb: greatest(&peaks), flatness: greatest(&peaks) / least(&peaks), posts })
}
