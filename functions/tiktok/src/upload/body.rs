//! The body of a chunk's PUT: a stream of exactly the chunk's bytes, and a view of how far it was sent.
//!
//! - [`ExactBody`] wraps the caller's stream, the *source*. It yields to the HTTP client either exactly as many bytes
//!   as `Content-Length` declares, or an error. After an error, the HTTP client closes the connection, so TikTok never
//!   takes a part of a chunk for the whole chunk.
//! - [`Progress`] tells the sender of the chunk how many bytes the HTTP client took, when it took the last ones, and
//!   why the body was aborted.
//!
//! When the sender drops [`Progress`], the source is dropped too. If TikTok responds early and reads no more, the HTTP
//! client may keep the connection and the body for long. The source's buffers (the read-ahead window of a video) must
//! not stay in memory with them.
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

use super::outcome::{Sent, SourceFault};
use crate::timeouts::Timeouts;

/// The state of a body.
struct BodyState {
    /// The declared length, in bytes.
    length: u64,
    /// How many bytes the HTTP client took. The socket may still buffer some of them.
    sent: u64,
    last_sent_at: Instant,
    source: SourceState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceState {
    /// The source yielded bytes when it was last polled, or was not polled yet.
    Flowing,
    /// The source was polled, and has no bytes yet.
    Pending,
    /// The source failed, and the body is aborted.
    Failed(SourceFault),
    /// [`Progress`] was closed or dropped before all bytes were sent, and the body is aborted.
    Dropped,
}

type ByteStream = BoxStream<'static, Result<Bytes, ()>>;

/// What [`ExactBody`] and [`Progress`] share. The state is not locked while the source is polled, so that
/// [`Progress`] can read it at any time.
pub(crate) struct SharedBody {
    state: Mutex<BodyState>,
    /// The source; none before [`ExactBody::new`], and after [`Progress`] was dropped.
    source: Mutex<Option<ByteStream>>,
}

impl SharedBody {
    fn state(&self) -> MutexGuard<'_, BodyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> MutexGuard<'_, Option<ByteStream>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The view of a body for the function that sends it. Dropping it aborts an incomplete body and drops the source.
pub(crate) struct Progress(Arc<SharedBody>);

impl Progress {
    /// Creates the progress of a body of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        let state = BodyState { length, sent: 0, last_sent_at: Instant::now(), source: SourceState::Flowing };
        Self(Arc::new(SharedBody { state: Mutex::new(state), source: Mutex::default() }))
    }

    /// Returns the shared part for [`ExactBody::new`].
    pub(crate) fn share(&self) -> Arc<SharedBody> {
        Arc::clone(&self.0)
    }

    /// Returns how many bytes the HTTP client took.
    pub(crate) fn sent(&self) -> u64 {
        self.0.state().sent
    }

    /// Returns whether the HTTP client took every byte.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.0.state();
        state.sent == state.length
    }

    /// Returns how the source failed, if it did.
    pub(crate) fn fault(&self) -> Option<SourceFault> {
        match self.0.state().source {
            SourceState::Failed(fault) => Some(fault),
            SourceState::Flowing | SourceState::Pending | SourceState::Dropped => None,
        }
    }

    /// Returns whether the body is stalled because the source is pending, and not because TikTok reads no more.
    pub(crate) fn is_waiting_for_source(&self) -> bool {
        self.0.state().source == SourceState::Pending
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

    /// Ends the body: no further byte is handed to the connection. Returns how much of the body was handed to it before.
    pub(crate) fn close(&self) -> Sent {
        let mut state = self.0.state();
        if state.sent == state.length {
            return Sent::Whole;
        }
        if !matches!(state.source, SourceState::Failed(_)) {
            state.source = SourceState::Dropped;
        }
        Sent::Partly
    }

    fn deadline(&self, timeouts: &Timeouts) -> Instant {
        let limit: Duration = if self.is_complete() { timeouts.chunk_response } else { timeouts.chunk_stall };
        self.0.state().last_sent_at + limit
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.close();
        // Two statements, so that the source is dropped after its lock is released.
        let source = self.0.source().take();
        drop(source);
    }
}

/// A stream of exactly the declared number of bytes.
pub(crate) struct ExactBody(Arc<SharedBody>);

/// The error that aborts a request. [`Progress::fault`] returns the cause.
#[derive(Debug, thiserror::Error)]
#[error("the body was aborted")]
pub(crate) struct Aborted;

/// What the body does when the HTTP client polls it.
enum Next {
    End,
    Abort,
    PollSource,
}

impl ExactBody {
    /// Wraps a source. `shared` is [`Progress::share`] of the same body.
    pub(crate) fn new<S, E>(source: S, shared: Arc<SharedBody>) -> Self
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
            Next::PollSource => {}
        }
        let item = match &mut *self.0.source() {
            Some(source) => source.poll_next_unpin(cx),
            // Progress was dropped after the state was read above.
            None => return Poll::Ready(Some(Err(Aborted))),
        };
        self.0.state().record(item)
    }
}

impl BodyState {
    fn next(&self) -> Next {
        match self.source {
            SourceState::Failed(_) | SourceState::Dropped => Next::Abort,
            SourceState::Flowing | SourceState::Pending if self.sent == self.length => Next::End,
            SourceState::Flowing | SourceState::Pending => Next::PollSource,
        }
    }

    /// Records what the source yielded, and returns what the HTTP client gets.
    fn record<E>(&mut self, item: Poll<Option<Result<Bytes, E>>>) -> Poll<Option<Result<Bytes, Aborted>>> {
        // The body may have been closed while the source was polled. Its result, `Sent::Partly`, must stay true.
        if matches!(self.source, SourceState::Failed(_) | SourceState::Dropped) {
            return Poll::Ready(Some(Err(Aborted)));
        }
        let fault = match item {
            Poll::Pending => {
                self.source = SourceState::Pending;
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(bytes))) => {
                let sent = self.sent + bytes.len() as u64;
                if sent <= self.length {
                    (self.sent, self.last_sent_at, self.source) = (sent, Instant::now(), SourceState::Flowing);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                SourceFault::TooLong
            }
            Poll::Ready(Some(Err(_))) => SourceFault::Erred,
            Poll::Ready(None) => SourceFault::EndedEarly,
        };
        self.source = SourceState::Failed(fault);
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

    /// The parts of a source, by their lengths in bytes.
    fn parts<const N: usize>(lengths: [usize; N]) -> Vec<Part> {
        lengths.map(|length| Ok(Bytes::from(vec![7; length]))).to_vec()
    }

    /// Reads a body of declared `length` to its end or its error. Returns the progress, the number of yielded bytes,
    /// and whether the body was aborted.
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
        // Each body declares 6 bytes. A part that exceeds them is not sent.
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
    fn closed_body_yields_no_further_byte() {
        let progress = Progress::new(6);
        let handle = progress.share();
        // The body is closed while its source is polled for the last bytes.
        let closing = stream::poll_fn(move |_| {
            handle.state().source = SourceState::Dropped;
            Poll::Ready(Some(Ok::<_, ()>(Bytes::from_static(&[7; 6]))))
        });
        let mut body = ExactBody::new(closing, progress.share());
        assert!(matches!(block_on(body.next()), Some(Err(Aborted))));
        assert_eq!((progress.sent(), progress.close()), (0, Sent::Partly));
        let (whole, ..) = read_body(6, parts([6]));
        assert_eq!(whole.close(), Sent::Whole);
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
