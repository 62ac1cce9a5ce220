//! Throughput benchmark: `publish` compared with plain pipes, over the same servers
//! without added latency. The programs alternate.
//!
//! The time of `publish` runs from its event to its response, so it includes the
//! checks, the database and TikTok's API. The time of a pipe runs from its first
//! connection to its last response.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::Extent;
use crate::harness::{Harness, PostRequest, Route, run};
use crate::pipe::Strategy;
use crate::statistics::min;
use crate::test_video::TestVideo;

const CURL: &str = "curl -sSf --noproxy '*'";

/// The measurements. Names that end in `_s` are in seconds, one number per round.
#[derive(Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) video_bytes: u64,
    pub(crate) chunk_bytes: u64,
    /// The download alone (`Strategy::DownloadOnly`). This key and the next in the JSON
    /// report are older than the names here.
    #[serde(rename = "store_s")]
    pub(crate) download_s: Vec<f64>,
    /// The upload alone (`Strategy::UploadOnly`).
    #[serde(rename = "drain_s")]
    pub(crate) upload_s: Vec<f64>,
    pub(crate) pipe_s: Vec<f64>,
    /// `curl | curl`; empty if curl is not installed.
    pub(crate) curl_s: Vec<f64>,
    pub(crate) publish_s: Vec<f64>,
    /// The best plain pipe divided by the best `publish`.
    pub(crate) ratio: f64,
}

/// Runs the benchmark.
pub(crate) async fn measure(harness: &Harness, extent: Extent) -> Result<Throughput> {
    let video = TestVideo::new(extent.choose(1_000_000_000, 100_000_000))?;
    let tiktok = harness.tiktok(Some(harness.upload_host.address)).await?;
    let (from, to) = (harness.s3.address, harness.upload_host.address);
    let request = || PostRequest { video: &video, s3: from, tiktok: &tiktok, extra_env: vec![] };
    // The first post is a warm-up. Its chunk size is used for the pipes.
    let chunk_bytes = harness.post(request()).await?.entry.source_info.chunk_size;
    let route = Route { from, to, chunk_bytes };
    let (mut download_s, mut upload_s) = (vec![], vec![]);
    let (mut pipe_s, mut curl_s, mut publish_s) = (vec![], vec![], vec![]);
    for _ in 0..extent.choose(15, 2) {
        download_s.push(harness.pipe(Strategy::DownloadOnly, &video, route).await?);
        upload_s.push(harness.pipe(Strategy::UploadOnly, &video, route).await?);
        pipe_s.push(harness.pipe(Strategy::Stream, &video, route).await?);
        curl_s.extend(curl(&video, route).await?);
        publish_s.push(harness.post(request()).await?.seconds);
    }
    // Without curl, its minimum is infinite and has no effect.
    let ratio = min(&pipe_s).min(min(&curl_s)) / min(&publish_s);
    let video_bytes = video.bytes();
    Ok(Throughput { video_bytes, chunk_bytes, download_s, upload_s, pipe_s, curl_s, publish_s, ratio })
}

/// Copies the video with `curl | curl` in a single chunk and returns the seconds;
/// none if curl is not installed.
async fn curl(video: &TestVideo, route: Route) -> Result<Option<f64>> {
    if run("curl".as_ref(), &["--version"]).await.is_err() {
        return Ok(None);
    }
    let range = format!("Content-Range: bytes 0-{}/{}", video.bytes() - 1, video.bytes());
    let pipe = format!(
        "{CURL} http://{}/bench/drop/{} | {CURL} -T - -H '{range}' -H 'Expect:' 'http://{}/upload?upload_id={}'",
        route.from,
        video.file_name(),
        route.to,
        uuid::Uuid::new_v4()
    );
    let started = Instant::now();
    run("sh".as_ref(), &["-c", &pipe]).await?;
    Ok(Some(started.elapsed().as_secs_f64()))
}
