//! Memory benchmark: the peak resident memory of a fresh `publish` process for
//! each video size. 1 MB is 10^6 bytes.

use anyhow::Result;
use serde::Serialize;

use super::Extent;
use crate::harness::{Harness, PostRequest};
use crate::statistics::{max, mb, min};
use crate::test_video::TestVideo;

/// The measurements.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) posts: Vec<PostMemory>,
    /// The largest peak.
    pub(crate) peak_mb: f64,
    /// The largest peak divided by the smallest: 1 if memory does not depend on the
    /// video's size.
    pub(crate) flatness: f64,
}

/// The measurements of one post.
#[derive(Debug, Serialize)]
pub(crate) struct PostMemory {
    pub(crate) video_bytes: u64,
    pub(crate) peak_mb: f64,
    pub(crate) seconds: f64,
}

/// Runs the benchmark. The largest video of a full run has 4 GB (not 4 GiB), TikTok's maximum.
pub(crate) async fn measure(harness: &Harness, extent: Extent) -> Result<Memory> {
    let full = [10_000_000, 1_000_000_000, 4_000_000_000];
    let tiktok = harness.tiktok(Some(harness.upload_host.address)).await?;
    let mut posts = vec![];
    for video_bytes in extent.choose(full, [10_000_000, 50_000_000, 200_000_000]) {
        let video = TestVideo::new(video_bytes)?;
        let request = PostRequest { video: &video, s3: harness.s3.address, tiktok: &tiktok, extra_env: vec![] };
        let result = harness.post(request).await?;
        posts.push(PostMemory { video_bytes, peak_mb: mb(result.peak_memory), seconds: result.seconds });
    }
    let peaks: Vec<_> = posts.iter().map(|post| post.peak_mb).collect();
    Ok(Memory { peak_mb: max(&peaks), flatness: max(&peaks) / min(&peaks), posts })
}
