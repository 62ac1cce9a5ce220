//! Fuzz target `upload_response`: responses of TikTok's upload host to a chunk.
//!
//! Properties: only a 2xx response accepts a chunk; only a 201 for the last chunk
//! completes an upload; no status disproves a chunk that was sent as a whole; an offset that the plan confirms is a chunk boundary; no outcome
//! shows the upload URL's token.

use std::io;

use bytes::Bytes;
use domain::chunk::{Chunk, ChunkCeiling, ChunkPlan};
use domain::size::VideoSize;
use futures::stream;
use tiktok::{ChunkOutcome, UploadUrl};

use crate::checks::{check_failure, check_no_secret};
use crate::fake_tiktok::with_response;

const TOKEN: &str = "token-of-the-upload";
const BODY: &[u8] = b"0123456789";
/// The headers that the client reads. The fake server sends no others.
const HEADERS: [&str; 4] = ["content-range: ", "x-tt-logid: ", "retry-after: ", "date: "];

/// Reads an input as a response: the first line is the HTTP status, the other lines
/// are headers. It is the response once to a video's last chunk, and once to an
/// earlier one.
pub fn upload_response(input: &[u8]) {
    let text: String = input.iter().map(|byte| char::from(*byte)).filter(|c| matches!(c, ' '..='~' | '\n')).collect();
    let mut lines = text.lines();
    let http_status = lines.next().and_then(|line| line.parse().ok()).unwrap_or(206_u16).clamp(200, 999);
    let headers: Vec<_> =
        lines.filter(|line| HEADERS.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
    // In the first plan, the chunk is the last one; in the second, it is not. The
    // client sends only 10 bytes, although the second plan's chunks have millions:
    // the response does not depend on the number of bytes.
    let chunk = Chunk { index: 0, first: 0, len: BODY.len() as u64 };
    for plan in [plan(chunk.len), plan(100_000_000)] {
        let outcome = with_response(http_status, &headers, b"", async |tiktok, base_url| {
            let url = UploadUrl::restore(format!("{base_url}/upload?upload_token={TOKEN}").into());
            let body = stream::iter([Ok::<_, io::Error>(Bytes::from_static(BODY))]);
            tiktok.put_chunk(&url, "video/mp4", &plan, chunk, body).await
        });
        check_outcome(&outcome, http_status, &plan, chunk == plan.last());
        check_no_secret(&format!("{outcome:?} {outcome}"), &[TOKEN]);
    }
}

/// Checks an outcome: only a 2xx response accepts a chunk, only the last chunk
/// completes an upload, and an offset that the plan confirms is a chunk boundary.
fn check_outcome(outcome: &ChunkOutcome, http_status: u16, plan: &ChunkPlan, is_last: bool) {
    let is_success = (200..300).contains(&http_status);
    match outcome {
        ChunkOutcome::Accepted { uploaded } | ChunkOutcome::Resync { uploaded } => {
            let accepted = matches!(outcome, ChunkOutcome::Accepted { .. });
            assert!(!accepted || (!is_last && is_success), "{outcome:?} for HTTP status {http_status}");
            if let Some(boundary) = uploaded.and_then(|uploaded| plan.boundary_of(uploaded)) {
                assert!(boundary == plan.size().bytes() || plan.chunk_at(boundary).is_some(), "{boundary}");
            }
        }
        ChunkOutcome::Complete => assert!(is_last && http_status == 201, "complete for HTTP status {http_status}"),
        ChunkOutcome::Unconfirmed(why) => {
            assert!(is_last, "{outcome:?}");
            check_failure(why);
        }
        ChunkOutcome::UrlRejected(why) | ChunkOutcome::Rejected(why) => {
            assert!(!is_last, "the whole last chunk was sent: {outcome:?}");
            check_failure(why);
        }
        ChunkOutcome::Retry { why, .. } => check_failure(why),
        ChunkOutcome::Unknown { .. } | ChunkOutcome::SourceFailed(_) => {
            unreachable!("every request received a whole response: {outcome:?}")
        }
    }
}

fn plan(bytes: u64) -> ChunkPlan {
    let size = VideoSize::new(bytes).expect("the size is valid");
    ChunkPlan::new(size, ChunkCeiling::new(10_000_025).expect("the ceiling is valid"))
}
