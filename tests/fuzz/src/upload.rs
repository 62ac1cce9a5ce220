//! Whatever the upload host answers to a chunk.

use std::io;

use bytes::Bytes;
use domain::chunk::{Chunk, ChunkCeiling, ChunkPlan};
use domain::size::VideoSize;
use futures::stream;
use tiktok::{ChunkOutcome, UploadUrl};

use crate::stage::answered;
use crate::words::{hold_failure, hold_secrets};

const TOKEN: &str = "token-of-the-upload";
const BODY: &[u8] = b"0123456789";
/// The headers that are read, of all that may come.
const READ: [&str; 2] = ["content-range: ", "x-tt-logid: "];

/// Takes an input as an answer: the HTTP status in its first line, headers in
/// the others; once to the last of a video's chunks, and once to one before it.
pub fn upload(input: &[u8]) {
    let text: String = input.iter().map(|byte| char::from(*byte)).filter(|c| matches!(c, ' '..='~' | '\n')).collect();
    let mut lines = text.lines();
    let http = lines.next().and_then(|line| line.parse().ok()).unwrap_or(206_u16).clamp(200, 999);
    let headers: Vec<_> =
        lines.filter(|line| READ.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
    // A chunk of a few bytes stands for one of millions: TikTok's answer is the same.
    let chunk = Chunk { index: 0, first: 0, len: BODY.len() as u64 };
    for plan in [plan(chunk.len), plan(100_000_000)] {
        let outcome = answered(http, &headers, b"", async |tiktok, base| {
            let url = UploadUrl::restore(format!("{base}/upload?upload_token={TOKEN}").into());
            let body = stream::iter([Ok::<_, io::Error>(Bytes::from_static(BODY))]);
            tiktok.put_chunk(&url, "video/mp4", &plan, chunk, body).await
        });
        hold(&outcome, http, &plan, chunk == plan.last());
        hold_secrets(&format!("{outcome:?} {outcome}"), &[TOKEN]);
    }
}

/// Only a success is one, only the last chunk completes an upload, and a position
/// that is believed is one where a chunk ends.
fn hold(outcome: &ChunkOutcome, http: u16, plan: &ChunkPlan, is_last: bool) {
    match outcome {
        ChunkOutcome::Accepted { uploaded } | ChunkOutcome::Resync { uploaded } => {
            let accepted = matches!(outcome, ChunkOutcome::Accepted { .. });
            assert!(!accepted || (!is_last && (200..300).contains(&http)), "{outcome:?} to {http}");
            if let Some(boundary) = uploaded.and_then(|uploaded| plan.boundary_of(uploaded)) {
                assert!(boundary == plan.size().bytes() || plan.chunk_at(boundary).is_some(), "{boundary}");
            }
        }
        ChunkOutcome::Complete => assert!(is_last && (200..300).contains(&http), "complete at {http}"),
        ChunkOutcome::UrlRejected(why) | ChunkOutcome::Rejected(why) | ChunkOutcome::Retry { why, .. } => {
            hold_failure(why)
        }
        ChunkOutcome::Unknown { .. } | ChunkOutcome::SourceFailed(_) => {
            unreachable!("every request was answered as a whole: {outcome:?}")
        }
    }
}

fn plan(bytes: u64) -> ChunkPlan {
    let size = VideoSize::new(bytes).expect("it is a size");
    ChunkPlan::new(size, ChunkCeiling::new(10_000_025).expect("it is a ceiling"))
}
