//! The body of a chunk's PUT: streams the chunk's bytes and counts them.
//!
//! - [`ExactBody`] wraps the caller's stream. It yields to the HTTP client either exactly as many bytes as
//!   `Content-Length` declares, or an error. The error aborts the connection, so TikTok never takes a part of a chunk
//!   for the whole chunk.
//! - [`Progress`] observes the body: how many bytes were sent, when the last bytes were sent, and why sending stopped.
//!
//! Dropping [`Progress`] also drops the caller's stream. A connection whose peer responded early and reads no more may
//! stay open for long. The stream's buffers (the read-ahead window of a video) must not stay in memory that long.
//!
//! This module does not know chunks or responses.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};

use super::outcome::SourceFault;
use crate::timeouts::Timeouts;

/// The state of a body.
struct State {
    /// The declared length, in bytes.
    length: u64,
    /// How many bytes were handed to the HTTP client. The socket may still buffer some of them.
    sent: u64,
    last_sent_at: Instant,
    source_status: SourceState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceState {
    /// The source yielded bytes when it was last polled, or was not polled yet.
    Flowing,
    /// The source was polled, and has no bytes yet.
    Pending,
    /// The source failed, and the body is aborted.
    Failed(SourceFault),
    /// [`Progress`] was dropped, and the body is aborted.
    Abandoned,
}

type ByteStream = BoxStream<'static, Result<Bytes, ()>>;

/// What [`ExactBody`] and [`Progress`] share. The state is not locked while the source is polled, so that
/// [`Progress`] can read it at any time.
struct Inner {
    state: Mutex<State>,
    source: Mutex<Option<ByteStream>>,
}

/// A handle to the shared state of a body.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> MutexGuard<'_, Option<ByteStream>> {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The view of a body for the function that sends it. Dropping it aborts an incomplete body and drops the source.
pub(crate) struct Progress(Shared);

impl Progress {
    /// Creates the progress of a body of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        let state = State { length, sent: 0, last_sent_at: Instant::now(), source_status: SourceState::Flowing };
        Self(Shared(Arc::new(Inner { state: Mutex::new(state), source: Mutex::default() })))
    }

    /// Returns the handle for [`ExactBody::new`].
    pub(crate) fn share(&self) -> Shared {
        self.0.clone()
    }

    /// Returns how many bytes were handed to the connection.
    pub(crate) fn sent(&self) -> u64 {
        self.0.state().sent
    }

    /// Returns whether every byte was handed to the connection.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.0.state();
        state.sent == state.length
    }

    /// Returns how the source failed, if it did.
    pub(crate) fn fault(&self) -> Option<SourceFault> {
        match self.0.state().source_status {
            SourceState::Failed(fault) => Some(fault),
            SourceState::Flowing | SourceState::Pending | SourceState::Abandoned => None,
        }
    }

    /// Returns whether the body is stalled because the source is pending, and not because TikTok reads no more.
    pub(crate) fn is_waiting_for_source(&self) -> bool {
        self.0.state().source_status == SourceState::Pending
    }

    /// Waits for the response.
    ///
    /// Returns `None` after [`Timeouts::chunk_stall`] without a sent byte, or [`Timeouts::chunk_response`] after the
    /// last byte.
    pub(crate) async fn watch<F: Future>(&self, response: F, timeouts: &Timeouts) -> Option<F::Output> {
        let mut response = std::pin::pin!(response);
        loop {
            let deadline = self.deadline(timeouts);
            match timeout_at(deadline, response.as_mut()).await {
                Ok(response) => return Some(response),
                // Bytes were sent meanwhile, which moved the deadline.
                Err(_) if self.deadline(timeouts) > deadline => {}
                Err(_) => return None,
            }
        }
    }

    fn abandon(&self) {
        let mut state = self.0.state();
        if state.sent < state.length {
            state.source_status = SourceState::Abandoned;
        }
    }

    fn deadline(&self, timeouts: &Timeouts) -> Instant {
        let limit: Duration = if self.is_complete() { timeouts.chunk_response } else { timeouts.chunk_stall };
        self.0.state().last_sent_at + limit
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.abandon();
        let source = self.0.source().take();
        drop(source);
    }
}

/// A stream of exactly the declared number of bytes.
pub(crate) struct ExactBody(Shared);

/// The error that aborts a request. [`Progress::fault`] returns the cause.
#[derive(Debug, thiserror::Error)]
#[error("the body was aborted")]
pub(crate) struct Aborted;

/// What the body yields next.
enum Next {
    End,
    Abort,
    FromSource,
}

impl ExactBody {
    pub(crate) fn new<S, E>(source: S, shared: Shared) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: 'static,
    {
        *shared.source() = Some(source.map_err(drop).boxed());
        Self(shared)
    }
}

impl Stream for ExactBody {
    type Item = Result<Bytes, Aborted>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.state().next();
        match next {
            Next::End => return Poll::Ready(None),
            Next::Abort => return Poll::Ready(Some(Err(Aborted))),
            Next::FromSource => {}
        }
        let item = match &mut *self.0.source() {
            Some(source) => source.poll_next_unpin(cx),
            // Progress was dropped since `next` was called.
            None => return Poll::Ready(Some(Err(Aborted))),
        };
        self.0.state().record(item)
    }
}

impl State {
    fn next(&self) -> Next {
        match self.source_status {
            SourceState::Failed(_) | SourceState::Abandoned => Next::Abort,
            SourceState::Flowing | SourceState::Pending if self.sent == self.length => Next::End,
            SourceState::Flowing | SourceState::Pending => Next::FromSource,
        }
    }

    /// Records what the source yielded, and returns what the HTTP client gets.
    fn record<E>(&mut self, item: Poll<Option<Result<Bytes, E>>>) -> Poll<Option<Result<Bytes, Aborted>>> {
        let fault = match item {
            Poll::Pending => {
                self.source_status = SourceState::Pending;
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(bytes))) => {
                let sent = self.sent + bytes.len() as u64;
                if sent <= self.length {
                    (self.sent, self.last_sent_at, self.source_status) = (sent, Instant::now(), SourceState::Flowing);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                SourceFault::TooLong
            }
            Poll::Ready(Some(Err(_))) => SourceFault::Erred,
            Poll::Ready(None) => SourceFault::EndedEarly,
        };
        self.source_status = SourceState::Failed(fault);
        Poll::Ready(Some(Err(Aborted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::stream;
    use proptest::prelude::*;

    type Part = Result<Bytes, ()>;

    fn parts<const N: usize>(lengths: [usize; N]) -> Vec<Part> {
        lengths.map(|length| Ok(Bytes::from(vec![7; length]))).to_vec()
    }

    /// Reads a body to its end or its error. Returns the progress, the yielded bytes, and whether it was aborted.
    fn read_body(length: u64, parts: Vec<Part>) -> (Progress, u64, bool) {
        let progress = Progress::new(length);
        let mut body = ExactBody::new(stream::iter(parts), progress.share());
        let (mut yielded, mut aborted) = (0, false);
        while let Some(item) = block_on(body.next()) {
            let Ok(bytes) = item else {
                aborted = true;
                break;
            };
            yielded += bytes.len() as u64;
        }
        (progress, yielded, aborted)
    }

    #[test]
    fn source_of_declared_length_passes_through() {
        let (progress, yielded, aborted) = read_body(6, parts([1, 0, 5]));
        assert_eq!((yielded, aborted, progress.is_complete(), progress.fault()), (6, false, true, None));
    }

    #[test]
    fn source_of_other_length_aborts_with_its_fault() {
        for (source, sent, fault) in [
            (parts([1, 4]), 5, SourceFault::EndedEarly),
            (vec![], 0, SourceFault::EndedEarly),
            (parts([5, 2]), 5, SourceFault::TooLong),
            ([parts([5]), vec![Err(())]].concat(), 5, SourceFault::Erred),
        ] {
            let (progress, yielded, aborted) = read_body(6, source);
            assert_eq!((yielded, aborted, progress.fault()), (sent, true, Some(fault)));
            assert!(!progress.is_complete());
        }
    }

    #[test]
    fn dropped_progress_aborts_the_body() {
        let progress = Progress::new(6);
        let mut body = ExactBody::new(stream::iter(parts([3, 3])), progress.share());
        assert!(matches!(block_on(body.next()), Some(Ok(_))));
        drop(progress);
        assert!(matches!(block_on(body.next()), Some(Err(Aborted))));
    }

    proptest! {
        #[test]
        fn body_has_declared_length_or_aborts(length in 1u64..100, lengths in proptest::collection::vec(0usize..30, 0..8)) {
            let total: u64 = lengths.iter().map(|&length| length as u64).sum();
            let source = lengths.into_iter().map(|length| Ok(Bytes::from(vec![7; length]))).collect();
            let (progress, yielded, aborted) = read_body(length, source);
            prop_assert!(yielded <= length);
            prop_assert_eq!(yielded == length, !aborted);
            prop_assert_eq!(progress.sent(), yielded);
            prop_assert!(total >= length || aborted);
        }
    }
}
