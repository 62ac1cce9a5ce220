//! A video on its way out of the bucket, read ahead of whoever takes it.
//!
//! TikTok takes one chunk after the other and thinks about each; S3 thinks
//! before each first byte. Were the two strung together, an upload would mostly
//! wait. So the video is one flow, whatever it is cut into:
//!
//! ```text
//!             at                        at + window
//!  ── taken ──┼── part ── part ── part ─┼── nobody has asked for these ──
//!             │   (each by a GET of its own, on a task of its own)
//!             └─▶ chunk, chunk, chunk …   one after the other, in order
//! ```
//!
//! - Each part is read by a task, so bytes arrive while nobody takes any: while
//!   TikTok answers, the window fills. It knows no chunk's end.
//! - Parts are handed on in order, each piece as it came off the wire: split
//!   where a chunk ends, never copied.
//! - A part that breaks off goes on at its next byte. All breaks of the video
//!   draw on one [`RetryBudget`], also those before a chunk was sent again.
//! - A chunk that is sent again, or another than the next, begins a new flow.
//!   What the old one still holds is dropped with it.
//!
//! Invariant: what a chunk's body yields is the chunk, from its first byte on,
//! or an error.

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

/// How often the reads of one video go on after a break.
const BREAKS: u32 = 12;

/// A video of which one chunk after the other can be taken.
#[derive(Debug)]
pub struct ReadAhead {
    object: Object,
    window: Window,
    size: u64,
    flow: Option<Lent>,
}

/// What is read, and with what.
#[derive(Debug, Clone)]
struct Object {
    client: Client,
    source: Source,
    patience: RetryBudget,
}

/// The flow that the last chunk was taken from, and where that chunk ends.
#[derive(Debug)]
struct Lent {
    flow: Shared,
    until: u64,
}

impl ReadAhead {
    pub(super) fn new(client: Client, source: Source, size: u64, window: Window) -> Self {
        let object = Object { client, source, patience: RetryBudget::new(BREAKS) };
        Self { object, window, size, flow: None }
    }

    /// Begins to read at an offset, so that the chunk that begins there finds its
    /// first bytes.
    ///
    /// To be called within a Tokio runtime.
    pub fn begin(&mut self, offset: u64) {
        self.flow = Some(Lent { flow: self.flow_from(offset), until: offset });
    }

    /// The bytes of a chunk. Where it follows the one before, and that was taken
    /// whole, its first bytes are mostly there already.
    ///
    /// To be called within a Tokio runtime.
    pub fn chunk(&mut self, range: Range<u64>) -> ChunkBody {
        let lent = self.flow.take().filter(|lent| lent.until == range.start && lent.flow.lock().at == range.start);
        let flow = match lent {
            Some(lent) => lent.flow,
            None => self.flow_from(range.start),
        };
        self.flow = Some(Lent { flow: flow.clone(), until: range.end });
        ChunkBody { flow, end: range.end }
    }

    fn flow_from(&self, offset: u64) -> Shared {
        Shared::begin(self.object.clone(), Parts::new(self.window, offset..self.size), offset)
    }

    /// Why the last chunk broke off, if it was the bucket's fault. It is told once.
    pub fn take_failure(&mut self) -> Option<ObjectError> {
        self.flow.as_ref().and_then(|lent| lent.flow.lock().failure.take())
    }
}

/// The bytes of one chunk, in order: exactly the chunk, or an error.
#[derive(Debug)]
pub struct ChunkBody {
    flow: Shared,
    end: u64,
}

/// The bucket did not give the chunk to its end; [`ReadAhead::take_failure`]
/// tells why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bucket broke off")]
pub struct BrokeOff;

impl ChunkBody {
    /// Waits for the first byte, without taking it.
    ///
    /// # Errors
    /// The bucket gives none.
    pub async fn begun(&mut self) -> Result<(), BrokeOff> {
        poll_fn(|cx| self.flow.lock().ready(cx)).await
    }
}

impl Stream for ChunkBody {
    type Item = Result<Bytes, BrokeOff>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.flow.lock().take_until(self.end, cx)
    }
}

#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Flow>>);

impl Shared {
    fn begin(object: Object, parts: Parts, at: u64) -> Self {
        let mut flow = Flow { object, parts, under_way: VecDeque::new(), rest: Bytes::new(), at, failure: None };
        flow.ask();
        Self(Arc::new(Mutex::new(flow)))
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes from some offset to the video's end, as far as they are there.
#[derive(Debug)]
struct Flow {
    object: Object,
    parts: Parts,
    /// The parts that were asked for, in order.
    under_way: VecDeque<Part>,
    /// What is left of a piece that a chunk's end cut.
    rest: Bytes,
    /// The next byte to be handed on.
    at: u64,
    failure: Option<ObjectError>,
}

impl Flow {
    /// Asks for every part that fits.
    fn ask(&mut self) {
        while let Some(range) = self.parts.next(self.at) {
            self.under_way.push_back(Part::read(self.object.clone(), range));
        }
    }

    fn take_until(&mut self, end: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        if self.at >= end {
            return Poll::Ready(None);
        }
        if let Err(broke_off) = ready!(self.ready(cx)) {
            return Poll::Ready(Some(Err(broke_off)));
        }
        let most = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        let piece = self.rest.split_to(self.rest.len().min(most));
        self.at += piece.len() as u64;
        self.ask();
        Poll::Ready(Some(Ok(piece)))
    }

    /// Waits until there is a byte to be handed on.
    fn ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BrokeOff>> {
        if self.rest.is_empty() {
            match ready!(self.poll_piece(cx)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => {
                    self.failure = Some(error);
                    return Poll::Ready(Err(BrokeOff));
                }
                // A part that failed was told of, and gives no more.
                None => return Poll::Ready(Err(BrokeOff)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The next piece of the foremost part; none where nothing is under way.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ObjectError>>> {
        while let Some(part) = self.under_way.front_mut() {
            match ready!(part.pieces.poll_recv(cx)) {
                Some(Ok(piece)) => {
                    part.left = part.left.saturating_sub(piece.len() as u64);
                    return Poll::Ready(Some(Ok(piece)));
                }
                None if part.left == 0 => drop(self.under_way.pop_front()),
                Some(Err(error)) => {
                    self.under_way.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                // Its task was ended before it was done, as at the runtime's end.
                None => break,
            }
        }
        Poll::Ready(None)
    }
}

/// A part that is being read, or is read and not yet taken.
#[derive(Debug)]
struct Part {
    pieces: UnboundedReceiver<Result<Bytes, ObjectError>>,
    /// How many of its bytes have not been taken.
    left: u64,
    task: AbortHandle,
}

impl Part {
    /// The channel has no bound of its own: it holds at most the part, which
    /// fits into the window.
    fn read(object: Object, range: Range<u64>) -> Self {
        let (sender, pieces) = unbounded_channel();
        let left = range.end - range.start;
        let Object { client, source, patience } = object;
        let reader = Reader::new(client, source, range, patience);
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
        let last = piece.is_err();
        if pieces.send(piece).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
