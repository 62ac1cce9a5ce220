//! The upload of a video's chunks to an upload URL.
//!
//! TikTok's rules: the chunks are sent in order, each in one PUT with exact `Content-Type`, `Content-Length` and
//! `Content-Range` headers. The body is the unchanged bytes. No token is sent and no redirect is followed.
//! <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
//!
//! - [`url`]: the upload URL, a secret.
//! - `body`: the body of a PUT, which counts the sent bytes. It aborts the request if the caller's stream yields fewer
//!   or more bytes than declared, so TikTok never takes an incomplete PUT for a complete one.
//! - [`response`]: the table of TikTok's responses.
//! - [`outcome`]: the result for the caller.
//!
//! This module does not know where the bytes come from, what is stored about them, or how often a chunk was sent. It
//! never asks TikTok how many bytes arrived. After [`ChunkOutcome::Unknown`] the caller must do so first
//! ([`TikTok::fetch_status`]).

mod body;
pub mod outcome;
pub mod response;
pub mod url;

use bytes::Bytes;
use domain::chunk::{Chunk, ChunkPlan};
use domain::failure::Failure;
use domain::reason::Reason;
use futures::Stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use reqwest::{Body, Response};
use tracing::debug;

use self::body::{ExactBody, Progress};
pub use self::outcome::{ChunkOutcome, Sent, SourceFault};
use self::response::ChunkPosition;
pub use self::url::UploadUrl;
use crate::client::TikTok;
use crate::error::ErrorKind;
use crate::error_codes::RETRY_DELAY;
use crate::transport::{chain_without_url, was_not_sent};

impl TikTok {
    /// Sends one chunk.
    ///
    /// `body` must yield exactly the chunk's bytes. If the returned future is dropped, the request is aborted. TikTok
    /// then has less than the chunk, unless its last byte was already sent. The caller must treat both cases like
    /// [`ChunkOutcome::Unknown`].
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
        let Some(target) = url.target(&self.upload_hosts) else {
            return ChunkOutcome::Rejected(ErrorKind::UploadHostRefused.failure());
        };
        let progress = Progress::new(chunk.len);
        let total = plan.size().bytes();
        let request = self
            .http
            .put(target)
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, chunk.len)
            .header(CONTENT_RANGE, format!("bytes {}-{}/{total}", chunk.first, chunk.end() - 1))
            .body(Body::wrap_stream(ExactBody::new(body, progress.share())));
        let position = if chunk == plan.last() { ChunkPosition::Last } else { ChunkPosition::NotLast };
        let outcome = match progress.watch(request.send(), &self.timeouts).await {
            Some(Ok(response)) => response_outcome(&response, position, total, &progress),
            Some(Err(error)) => error_outcome(error, &progress),
            None => timeout_outcome(&progress),
        };
        debug!(chunk.index, chunk.first, chunk.bytes = chunk.len, sent.bytes = progress.sent(), outcome = %outcome, "chunk sent");
        outcome
    }
}

fn response_outcome(response: &Response, position: ChunkPosition, total: u64, progress: &Progress) -> ChunkOutcome {
    response::outcome(response.status().as_u16(), position, progress.close(), response.headers(), total)
}

fn error_outcome(error: reqwest::Error, progress: &Progress) -> ChunkOutcome {
    if let Some(fault) = progress.fault() {
        return ChunkOutcome::SourceFailed(fault);
    }
    let not_sent = was_not_sent(&error);
    let error = chain_without_url(error);
    if not_sent {
        let message = format!("the upload host cannot be reached: {error}");
        let why = Failure::of(Reason::UploadUnreachable, message);
        ChunkOutcome::Retry { after: RETRY_DELAY, why, sent: Sent::Partly }
    } else {
        unknown(format!("the connection failed while a chunk was sent: {error}"), progress)
    }
}

fn timeout_outcome(progress: &Progress) -> ChunkOutcome {
    let is_source_stalled = progress.is_waiting_for_source();
    match progress.close() {
        Sent::Whole => unknown("TikTok did not respond to a chunk in time".to_owned(), progress),
        Sent::Partly if is_source_stalled => ChunkOutcome::SourceFailed(SourceFault::Stalled),
        Sent::Partly => unknown("TikTok stopped reading a chunk's bytes".to_owned(), progress),
    }
}

/// The outcome after which the chunk may have arrived. Its reason covers a lost connection, too.
fn unknown(message: String, progress: &Progress) -> ChunkOutcome {
    ChunkOutcome::Unknown { why: Failure::of(Reason::UploadAnswerTimeout, message), sent: progress.close() }
}

#[cfg(test)]
mod tests;
