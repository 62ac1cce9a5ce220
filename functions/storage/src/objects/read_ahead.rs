//! A video that is read from S3 ahead of its consumer, the upload to TikTok.
//!
//! TikTok accepts one chunk after another and takes time to respond to each; S3 takes time until each first byte.
//! If a chunk were read only after the previous one was accepted, an upload would spend most of its time waiting.
//! The video is therefore read as one flow, independent of the chunks:
//!
//! ```text
//!               at                        at + window
//!  ── consumed ─┼── part ── part ── part ─┼── not requested yet ──
//!               │   (one GET request and one task per part)
//!               └─▶ chunk, chunk, chunk …   one after another, in order
//! ```
//!
//! - A task reads each part, so bytes arrive while the consumer takes none: the window fills while TikTok responds.
//!   The tasks do not know where chunks end.
//! - Parts are consumed in order, piece by piece as they came from the network. A piece is split where a chunk ends
//!   and is never copied.
//! - If the read of a part breaks off, it resumes at the next byte. All reads of the video share one
//!   [`RetryBudget`], so a chunk that is sent again has only the retries that are left.
//! - If a chunk is sent again, or a chunk other than the next is taken, a new flow begins. The bytes of the old flow
//!   are dropped.
//!
//! Invariant: the body of a chunk yields exactly the chunk, from its first byte on, or an error. A gap or a repeated
//! byte would be published.
//!
//! `window.rs` computes the parts, and `range.rs` reads one part.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use aws_sdk_s3::Client;
use bytes::Bytes;
use domain::source::Source;
use futures::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::error::ObjectError;
use super::range::Reader;
use super::retry_budget::RetryBudget;
use super::window::{Parts, Window};

/// How many times the reads of one video resume in total.
const MAX_RETRIES: u32 = 12;

/// A video that is consumed chunk by chunk.
#[derive(Debug)]
pub struct ReadAhead {
    object: Object,
    window: Window,
    size: u64,
    current: Option<CurrentFlow>,
}

/// The object to read, and what its reads share.
#[derive(Debug, Clone)]
struct Object {
    client: Client,
    source: Source,
    retries: RetryBudget,
}

/// The flow from which the last chunk was taken.
#[derive(Debug)]
struct CurrentFlow {
    flow: SharedFlow,
    /// Where the last chunk ends.
    chunk_end: u64,
}

impl ReadAhead {
    pub(super) fn new(client: Client, source: Source, size: u64, window: Window) -> Self {
        let object = Object { client, source, retries: RetryBudget::new(MAX_RETRIES) };
        Self { object, window, size, current: None }
    }

    /// Begins to read at an offset before the chunk is taken, so that S3 responds while the caller waits for TikTok.
    ///
    /// Must be called in a Tokio runtime.
    pub fn begin(&mut self, offset: u64) {
        self.current = Some(CurrentFlow { flow: self.flow_from(offset), chunk_end: offset });
    }

    /// The bytes of a chunk. If the chunk follows the previous chunk, and the previous chunk was consumed whole, its
    /// first bytes have usually been read already.
    ///
    /// Must be called in a Tokio runtime.
    pub fn chunk(&mut self, range: Range<u64>) -> ChunkBody {
        let follows = |last: &CurrentFlow| last.chunk_end == range.start && last.flow.lock().at == range.start;
        let flow = match self.current.take().filter(follows) {
            Some(last) => last.flow,
            None => self.flow_from(range.start),
        };
        self.current = Some(CurrentFlow { flow: flow.clone(), chunk_end: range.end });
        ChunkBody { flow, end: range.end }
    }

    fn flow_from(&self, offset: u64) -> SharedFlow {
        SharedFlow::begin(self.object.clone(), Parts::new(self.window, offset..self.size), offset)
    }

    /// Why the last chunk broke off, if reading from S3 failed. Returns each error once.
    pub fn take_failure(&mut self) -> Option<ObjectError> {
        self.current.as_ref().and_then(|last| last.flow.lock().failure.take())
    }
}

/// The bytes of one chunk, in order: exactly the chunk, or an error.
#[derive(Debug)]
pub struct ChunkBody {
    flow: SharedFlow,
    end: u64,
}

/// S3 did not return the whole chunk. [`ReadAhead::take_failure`] returns the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reading from S3 failed")]
pub struct BrokeOff;

impl ChunkBody {
    /// Waits for the first byte, without consuming it.
    ///
    /// # Errors
    /// The first byte cannot be read.
    pub async fn begun(&mut self) -> Result<(), BrokeOff> {
        poll_fn(|cx| self.flow.lock().poll_ready(cx)).await
    }
}

impl Stream for ChunkBody {
    type Item = Result<Bytes, BrokeOff>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.flow.lock().poll_until(self.end, cx)
    }
}

#[derive(Debug, Clone)]
struct SharedFlow(Arc<Mutex<Flow>>);

impl SharedFlow {
    fn begin(object: Object, parts: Parts, at: u64) -> Self {
        let mut flow = Flow { object, parts, requested: VecDeque::new(), rest: Bytes::new(), at, failure: None };
        flow.request_parts();
        Self(Arc::new(Mutex::new(flow)))
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes from an offset to the end of the video.
#[derive(Debug)]
struct Flow {
    object: Object,
    parts: Parts,
    /// The parts that were requested and not consumed yet, in order.
    requested: VecDeque<Part>,
    /// What is left of the current piece.
    rest: Bytes,
    /// The offset of the next byte to consume.
    at: u64,
    failure: Option<ObjectError>,
}

impl Flow {
    /// Requests every part that fits into the window.
    fn request_parts(&mut self) {
        while let Some(range) = self.parts.next(self.at) {
            self.requested.push_back(Part::read(self.object.clone(), range));
        }
    }

    /// The next piece before `end`; none at `end`.
    fn poll_until(&mut self, end: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        if self.at >= end {
            return Poll::Ready(None);
        }
        if let Err(broke_off) = ready!(self.poll_ready(cx)) {
            return Poll::Ready(Some(Err(broke_off)));
        }
        let max = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        let piece = self.rest.split_to(self.rest.len().min(max));
        self.at += piece.len() as u64;
        self.request_parts();
        Poll::Ready(Some(Ok(piece)))
    }

    /// Waits until a byte can be consumed.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BrokeOff>> {
        if self.rest.is_empty() {
            match ready!(self.poll_piece(cx)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => {
                    self.failure = Some(error);
                    return Poll::Ready(Err(BrokeOff));
                }
                // An earlier call returned the error of the part, or the part's task was aborted.
                None => return Poll::Ready(Err(BrokeOff)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The next piece of the first part; none if no part is left, or if the first part's task was aborted.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ObjectError>>> {
        while let Some(part) = self.requested.front_mut() {
            match ready!(part.pieces.poll_recv(cx)) {
                Some(Ok(piece)) => {
                    part.left = part.left.saturating_sub(piece.len() as u64);
                    return Poll::Ready(Some(Ok(piece)));
                }
                None if part.left == 0 => drop(self.requested.pop_front()),
                Some(Err(error)) => {
                    self.requested.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                // The task was aborted before its part was whole, for example because the runtime shuts down.
                None => break,
            }
        }
        Poll::Ready(None)
    }
}

/// A part that was requested and is not consumed yet.
#[derive(Debug)]
struct Part {
    pieces: UnboundedReceiver<Result<Bytes, ObjectError>>,
    /// How many of its bytes are not consumed.
    left: u64,
    task: AbortHandle,
}

impl Part {
    /// Starts the task that reads a part. The channel needs no limit of its own, because the whole part fits into the
    /// window.
    fn read(object: Object, range: Range<u64>) -> Self {
        let (sender, pieces) = unbounded_channel();
        let left = range.end - range.start;
        let Object { client, source, retries } = object;
        let reader = Reader::new(client, source, range, retries);
        let task = tokio::spawn(fetch(reader, sender)).abort_handle();
        Self { pieces, left, task }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn fetch(mut reader: Reader, pieces: UnboundedSender<Result<Bytes, ObjectError>>) {
    while let Some(piece) = reader.next().await.transpose() {
        let is_last = piece.is_err();
        if pieces.send(piece).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
