//! How fast a video moves where nothing holds it up: `publish` beside plain
//! pipes, over the same servers, in turns.
//!
//! `publish` is timed from the handing over of its event to its answer, so
//! everything that a post takes is in it: checks, database, TikTok's calls. The
//! pipes are timed from their first connection to their last answer.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::Extent;
use crate::film::Film;
use crate::numbers::least;
use crate::pipe::Manner;
use crate::stage::{Order, Stage, Way, run};

const CURL: &str = "curl -sSf --noproxy '*'";

/// What was measured, in seconds and bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) video_bytes: u64,
    pub(crate) chunk_bytes: u64,
    /// What the store takes to give the video when nothing else is done.
    pub(crate) store_s: Vec<f64>,
    /// What the drain takes to take it, likewise.
    pub(crate) drain_s: Vec<f64>,
    pub(crate) pipe_s: Vec<f64>,
    /// Empty where there is no curl.
    pub(crate) curl_s: Vec<f64>,
    pub(crate) publish_s: Vec<f64>,
    /// The best plain pipe's time as a share of the best of `publish`.
    pub(crate) ratio: f64,
}

/// Measures.
pub(crate) async fn measure(stage: &Stage, extent: Extent) -> Result<Throughput> {
    let film = Film::new(extent.choose(1_000_000_000, 100_000_000))?;
    let tiktok = stage.tiktok(Some(stage.drain.address)).await?;
    let (from, to) = (stage.store.address, stage.drain.address);
    let order = || Order { film: &film, store: from, tiktok: &tiktok, set: vec![] };
    // The first one warms everything up, and tells the chunks that publish cuts.
    let chunk = stage.post(order()).await?.entry.source_info.chunk_size;
    let way = Way { from, to, chunk };
    let (mut store_s, mut drain_s) = (vec![], vec![]);
    let (mut pipe_s, mut curl_s, mut publish_s) = (vec![], vec![], vec![]);
    for _ in 0..extent.choose(15, 2) {
        store_s.push(stage.pipe(Manner::Pull, &film, way).await?);
        drain_s.push(stage.pipe(Manner::Push, &film, way).await?);
        pipe_s.push(stage.pipe(Manner::Stream, &film, way).await?);
        curl_s.extend(curl(&film, way).await?);
        publish_s.push(stage.post(order()).await?.seconds);
    }
    let ratio = least(&pipe_s).min(least(&curl_s)) / least(&publish_s);
    Ok(Throughput { video_bytes: film.bytes(), chunk_bytes: chunk, store_s, drain_s, pipe_s, curl_s, publish_s, ratio })
}

/// `curl | curl`, in one piece; nothing where there is no curl.
async fn curl(film: &Film, way: Way) -> Result<Option<f64>> {
    if run("curl".as_ref(), &["--version"]).await.is_err() {
        return Ok(None);
    }
    let range = format!("Content-Range: bytes 0-{}/{}", film.bytes() - 1, film.bytes());
    let pipe = format!(
        "{CURL} http://{}/bench/drop/{} | {CURL} -T - -H '{range}' -H 'Expect:' 'http://{}/upload?upload_id={}'",
        way.from,
        film.name(),
        way.to,
        uuid::Uuid::new_v4()
    );
    let began = Instant::now();
    run("sh".as_ref(), &["-c", &pipe]).await?;
    Ok(Some(began.elapsed().as_secs_f64()))
}
