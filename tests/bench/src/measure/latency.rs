//! How much of what a long road allows is used: every answer of S3 and TikTok
//! comes late, and each connection is narrow.
//!
//! The best that the road allows is both computed and measured. Computed: the
//! bytes at a connection's rate, since TikTok takes one chunk at a time; the
//! first byte of S3; and TikTok's answers, as few as its largest chunks make
//! them. Measured: a pipe with those chunks that reads ahead.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Extent;
use crate::bucket::BURST;
use crate::film::Film;
use crate::lane::{Road, open};
use crate::numbers::{least, mb};
use crate::pipe::{LARGEST_CHUNK, Manner, chunks};
use crate::stage::{Order, Stage, Way};

const FIRST_BYTE: Duration = Duration::from_millis(30);
const ANSWER: Duration = Duration::from_millis(100);
const BYTES_PER_SECOND: u32 = 90_000_000;

/// What was measured, in seconds and bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) video_bytes: u64,
    pub(crate) chunk_bytes: u64,
    pub(crate) chunks: u64,
    /// What the road allows, computed.
    pub(crate) allowed_s: f64,
    /// A pipe that was made for this road.
    pub(crate) tuned_pipe_s: Vec<f64>,
    /// The loop that others use.
    pub(crate) loop_s: f64,
    pub(crate) publish_s: Vec<f64>,
    /// The better of computed and tuned as a share of the best of `publish`.
    pub(crate) ratio: f64,
    /// The tuned pipe alone, likewise.
    pub(crate) ratio_to_pipe: f64,
    /// How many times faster than the loop `publish` is.
    pub(crate) times_loop: f64,
}

/// Measures.
pub(crate) async fn measure(stage: &Stage, extent: Extent) -> Result<Latency> {
    let film = Film::new(extent.choose(1_000_000_000, 200_000_000))?;
    let s3 = Road { delay: FIRST_BYTE, bytes_per_second: BYTES_PER_SECOND };
    let upload = Road { delay: ANSWER, bytes_per_second: BYTES_PER_SECOND };
    let from = open(stage.store.address, s3).await?;
    let to = open(stage.drain.address, upload).await?;
    let mut tiktok = stage.tiktok(Some(to)).await?;
    tiktok.api = open(tiktok.api, upload).await?;
    let way = Way { from, to, chunk: LARGEST_CHUNK };
    let (mut tuned_pipe_s, mut publish_s, mut cut) = (vec![], vec![], None);
    for _ in 0..extent.choose(2, 1) {
        tuned_pipe_s.push(stage.pipe(Manner::QueuePosition, &film, way).await?);
        let posted = stage.post(Order { film: &film, store: from, tiktok: &tiktok, set: vec![] }).await?;
        publish_s.push(posted.seconds);
        cut = Some(posted.entry.source_info);
    }
    let loop_s = stage.pipe(Manner::Loop, &film, way).await?;
    let (allowed_s, best) = (allowed(film.bytes()), least(&publish_s));
    Ok(Latency {
        video_bytes: film.bytes(),
        chunk_bytes: cut.as_ref().map_or(0, |cut| cut.chunk_size),
        chunks: cut.as_ref().map_or(0, |cut| cut.total_chunk_count),
        allowed_s,
        ratio: allowed_s.min(least(&tuned_pipe_s)) / best,
        ratio_to_pipe: least(&tuned_pipe_s) / best,
        times_loop: loop_s / best,
        tuned_pipe_s,
        loop_s,
        publish_s,
    })
}

/// The seconds that nobody can be faster than. Each answer is a pause, after
/// which the road lets a little pass at once.
fn allowed(bytes: u64) -> f64 {
    let answers = chunks(bytes, LARGEST_CHUNK).count() as u64;
    let held = bytes.saturating_sub(answers * u64::from(BURST));
    let flow = mb(held) / mb(u64::from(BYTES_PER_SECOND));
    flow + FIRST_BYTE.as_secs_f64() + ANSWER.as_secs_f64() * f64::from(u32::try_from(answers).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_allows_its_rate_one_first_byte_and_the_answers() {
        // 11.061 s for what is held to the rate, 0.03 s for S3, fifteen answers.
        assert!((allowed(1_000_000_000) - 12.591_111).abs() < 1e-5);
        assert!((allowed(9_300_000) - 0.23).abs() < 1e-9);
    }
}
