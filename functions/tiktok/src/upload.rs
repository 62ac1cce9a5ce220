//! A chunk on its way to the upload URL.
//!
//! The rules: chunks go in order, each by one PUT with an exact `Content-Type`,
//! `Content-Length` and `Content-Range`, the bytes as they are, no token, no
//! redirect. <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
//!
//! The parts: [`url`] is the secret that the bytes go to; `body` counts the
//! bytes that leave and breaks the request off where their source does not keep
//! its word, so that no short PUT can pass for a whole one; [`answer`] is the
//! table of TikTok's answers; [`outcome`] is what a caller gets to know.
//!
//! It does not know where the bytes come from, what has been stored of them, or
//! how often a chunk was tried, and it asks TikTok nothing after a doubtful end:
//! that is the caller's to do before anything else.

pub mod answer;
mod body;
pub mod outcome;
pub mod url;

use bytes::Bytes;
use domain::chunk::{Chunk, ChunkPlan};
use domain::failure::Failure;
use futures::Stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use reqwest::{Body, Response};
use tracing::debug;

use self::answer::ChunkPosition;
use self::body::{Measured, Progress};
pub use self::outcome::{ChunkOutcome, SourceFault};
pub use self::url::UploadUrl;
use crate::client::TikTok;
use crate::error::{ErrorKind, SHORTLY};
use crate::transport::{in_words, was_not_sent};

impl TikTok {
    /// Sends one chunk.
    ///
    /// The body must yield exactly the chunk's bytes. If the future is dropped,
    /// the request is broken off; TikTok then has less than the chunk, unless
    /// its last byte had already left.
    pub async fn put_chunk<S, E>(
        &self,
        url: &UploadUrl,
        content_type: &'static str,
        plan: &ChunkPlan,
        chunk: Chunk,
        body: S,
    ) -> ChunkOutcome
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: 'static,
    {
        let Some(target) = url.target(&self.hosts) else {
            return ChunkOutcome::Rejected(ErrorKind::UploadHostRefused.failure());
        };
        let progress = Progress::begin(chunk.len);
        let total = plan.size().bytes();
        let request = self
            .http
            .put(target)
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, chunk.len)
            .header(CONTENT_RANGE, format!("bytes {}-{}/{total}", chunk.first, chunk.end() - 1))
            .body(Body::wrap_stream(Measured::new(body, progress.share())));
        let place = if chunk == plan.last() { ChunkPosition::Last } else { ChunkPosition::Before };
        let outcome = match progress.watch(request.send(), &self.patience).await {
            Some(Ok(response)) => answered(&response, place, total, &progress),
            Some(Err(error)) => unanswered(error, &progress),
            None => timed_out(&progress),
        };
        debug!(chunk.index, chunk.first, chunk.bytes = chunk.len, sent.bytes = progress.sent(), outcome = %outcome, "chunk put");
        outcome
    }
}

fn answered(response: &Response, place: ChunkPosition, total: u64, progress: &Progress) -> ChunkOutcome {
    let outcome = answer::of(response.status().as_u16(), place, response.headers(), total);
    match outcome {
        ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete if !progress.is_whole() => {
            unknown(format!("TikTok answered HTTP {} before it had the whole chunk", response.status().as_u16()))
        }
        outcome => outcome,
    }
}

fn unanswered(error: reqwest::Error, progress: &Progress) -> ChunkOutcome {
    if let Some(fault) = progress.fault() {
        return ChunkOutcome::SourceFailed(fault);
    }
    let not_sent = was_not_sent(&error);
    let words = in_words(error);
    if not_sent {
        let why = Failure::new(
            "upload_unreachable",
            format!("the upload host cannot be reached: {words}"),
            "Dropcast tries again by itself.",
        );
        ChunkOutcome::Retry { after: SHORTLY, why }
    } else {
        unknown(format!("the connection broke while a chunk was sent: {words}"))
    }
}

fn timed_out(progress: &Progress) -> ChunkOutcome {
    if progress.is_whole() {
        unknown("TikTok did not answer to a chunk in time".to_owned())
    } else if progress.is_waiting_for_source() {
        ChunkOutcome::SourceFailed(SourceFault::Stalled)
    } else {
        unknown("TikTok stopped taking a chunk's bytes".to_owned())
    }
}

fn unknown(message: String) -> ChunkOutcome {
    ChunkOutcome::Unknown {
        why: Failure::new("upload_answer_timeout", message, "Dropcast asks TikTok and goes on by itself."),
    }
}

#[cfg(test)]
mod tests;
