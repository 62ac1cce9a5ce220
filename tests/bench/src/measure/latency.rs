//! Latency benchmark: how close `publish` comes to the fastest possible transfer
//! over slow links to S3 and TikTok.
//!
//! The fastest possible transfer is both computed and measured, and the faster of
//! the two is the baseline:
//! - Computed (`lower_bound`): the bytes at the bandwidth of one connection, since
//!   TikTok takes one chunk at a time; S3's first byte; and TikTok's responses to
//!   as few chunks as its maximum chunk size permits.
//! - Measured: a pipe with chunks of that size that reads ahead.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Extent;
use crate::harness::{Harness, PostRequest, Route};
use crate::pipe::{MAX_CHUNK_BYTES, Strategy, chunks};
use crate::slow_link::{self, Link};
use crate::statistics::{mb, min};
use crate::test_video::TestVideo;
use crate::token_bucket::BURST_BYTES;

/// The delay before the first byte of each of S3's responses.
const S3_LATENCY: Duration = Duration::from_millis(30);
/// The delay before each of TikTok's responses.
const TIKTOK_LATENCY: Duration = Duration::from_millis(100);
/// The bandwidth of each connection in bytes per second.
const BYTES_PER_SECOND: u32 = 90_000_000;

/// The measurements. Names that end in `_s` are in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) video_bytes: u64,
    pub(crate) chunk_bytes: u64,
    pub(crate) chunks: u64,
    /// The computed time of the fastest possible transfer. The key in the JSON report is older than this name.
    #[serde(rename = "allowed_s")]
    pub(crate) lower_bound_s: f64,
    /// The read-ahead pipe with chunks of 64 MB.
    pub(crate) tuned_pipe_s: Vec<f64>,
    /// The usual loop (`Strategy::Loop`).
    pub(crate) loop_s: f64,
    pub(crate) publish_s: Vec<f64>,
    /// The smaller of the lower bound and the best tuned pipe, divided by the best
    /// `publish`.
    pub(crate) ratio: f64,
    /// The best tuned pipe divided by the best `publish`.
    pub(crate) ratio_to_pipe: f64,
    /// The loop divided by the best `publish`.
    pub(crate) times_loop: f64,
}

/// Runs the benchmark.
pub(crate) async fn measure(harness: &Harness, extent: Extent) -> Result<Latency> {
    let video = TestVideo::new(extent.choose(1_000_000_000, 200_000_000))?;
    let s3_link = Link { latency: S3_LATENCY, bytes_per_second: BYTES_PER_SECOND };
    let tiktok_link = Link { latency: TIKTOK_LATENCY, bytes_per_second: BYTES_PER_SECOND };
    let from = slow_link::start(harness.s3.address, s3_link).await?;
    let to = slow_link::start(harness.upload_host.address, tiktok_link).await?;
    let mut tiktok = harness.tiktok(Some(to)).await?;
    tiktok.api = slow_link::start(tiktok.api, tiktok_link).await?;
    let route = Route { from, to, chunk_bytes: MAX_CHUNK_BYTES };
    // `publish` calls TikTok's API and uploads over links of the same latency.
    let (mut tuned_pipe_s, mut publish_s, mut source_info) = (vec![], vec![], None);
    for _ in 0..extent.choose(2, 1) {
        tuned_pipe_s.push(harness.pipe(Strategy::ReadAhead, &video, route).await?);
        let request = PostRequest { video: &video, s3: from, tiktok: &tiktok, extra_env: vec![] };
        let result = harness.post(request).await?;
        publish_s.push(result.seconds);
        source_info = Some(result.entry.source_info);
    }
    let loop_s = harness.pipe(Strategy::Loop, &video, route).await?;
    let (lower_bound_s, best) = (lower_bound(video.bytes()), min(&publish_s));
    Ok(Latency {
        video_bytes: video.bytes(),
        chunk_bytes: source_info.as_ref().map_or(0, |info| info.chunk_size),
        chunks: source_info.as_ref().map_or(0, |info| info.total_chunk_count),
        lower_bound_s,
        ratio: lower_bound_s.min(min(&tuned_pipe_s)) / best,
        ratio_to_pipe: min(&tuned_pipe_s) / best,
        times_loop: loop_s / best,
        tuned_pipe_s,
        loop_s,
        publish_s,
    })
}

/// The seconds of the fastest possible transfer. The connection idles during each
/// response, so one burst of the token bucket then passes without delay.
fn lower_bound(bytes: u64) -> f64 {
    let responses = chunks(bytes, MAX_CHUNK_BYTES).count() as u64;
    let limited = bytes.saturating_sub(responses * u64::from(BURST_BYTES));
    let transfer_s = mb(limited) / mb(u64::from(BYTES_PER_SECOND));
    let responses = f64::from(u32::try_from(responses).unwrap_or(u32::MAX));
    transfer_s + S3_LATENCY.as_secs_f64() + TIKTOK_LATENCY.as_secs_f64() * responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_bound_adds_transfer_first_byte_and_responses() {
        // 11.061 s for the bytes less 15 bursts at the limited rate, 0.03 s for S3, and 15 responses of 0.1 s.
        assert!((lower_bound(1_000_000_000) - 12.591_111).abs() < 1e-5);
        // One chunk: 9.3 MB less a burst of 0.3 MB take 0.1 s, S3 0.03 s, and the response 0.1 s.
        assert!((lower_bound(9_300_000) - 0.23).abs() < 1e-9);
    }
}
