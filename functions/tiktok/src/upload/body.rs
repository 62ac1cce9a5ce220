//! The bytes of a chunk on their way out, counted.
//!
//! [`Measured`] wraps the caller's stream. It gives HTTP exactly as many bytes as
//! the head declares or an error, and the error breaks the connection off, so
//! that TikTok cannot mistake a part for the whole. [`Progress`] is the other end
//! of it: what has left, when last, and why no more. When that end is dropped, so
//! is the caller's stream: a connection whose peer has answered and reads no more
//! may live for long, and what is still to be read must not live with it.
//!
//! Neither knows what a chunk or an answer is.

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

/// What has happened to a body so far.
struct State {
    length: u64,
    sent: u64,
    moved_at: Instant,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It gave what it was asked for.
    Flowing,
    /// It was asked for more, and has not given it.
    Awaited,
    /// It failed; the body is broken off.
    Failed(SourceFault),
    /// Nobody waits for the answer any more; the body is broken off.
    Abandoned,
}

type Bytestream = BoxStream<'static, Result<Bytes, ()>>;

/// What both ends of a body share. The state is not locked while the source works.
struct Both {
    state: Mutex<State>,
    source: Mutex<Option<Bytestream>>,
}

/// A view of a body; both ends have one.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Both>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> MutexGuard<'_, Option<Bytestream>> {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sender's end. Dropping it breaks off what has not left, and lets its
/// source go.
pub(crate) struct Progress(Shared);

impl Progress {
    /// Begins the count of a body of this many bytes.
    pub(crate) fn begin(length: u64) -> Self {
        let state = State { length, sent: 0, moved_at: Instant::now(), source: Source::Flowing };
        Self(Shared(Arc::new(Both { state: Mutex::new(state), source: Mutex::default() })))
    }

    /// The body's end.
    pub(crate) fn share(&self) -> Shared {
        self.0.clone()
    }

    /// How many bytes have been handed to the connection.
    pub(crate) fn sent(&self) -> u64 {
        self.0.state().sent
    }

    /// Tells whether every byte has been handed to the connection.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.0.state();
        state.sent == state.length
    }

    /// How the source failed, if it did.
    pub(crate) fn fault(&self) -> Option<SourceFault> {
        match self.0.state().source {
            Source::Failed(fault) => Some(fault),
            Source::Flowing | Source::Awaited | Source::Abandoned => None,
        }
    }

    /// Tells whether it is the source that nothing comes from.
    pub(crate) fn is_waiting_for_source(&self) -> bool {
        self.0.state().source == Source::Awaited
    }

    /// Waits for the answer as long as bytes move, and for a while after the
    /// last; none where it was waited for in vain.
    pub(crate) async fn watch<F: Future>(&self, sending: F, patience: &Timeouts) -> Option<F::Output> {
        let mut sending = std::pin::pin!(sending);
        loop {
            let deadline = self.deadline(patience);
            match timeout_at(deadline, sending.as_mut()).await {
                Ok(answer) => return Some(answer),
                Err(_) if self.deadline(patience) > deadline => {}
                Err(_) => return None,
            }
        }
    }

    fn abandon(&self) {
        let mut state = self.0.state();
        if state.sent < state.length {
            state.source = Source::Abandoned;
        }
    }

    fn deadline(&self, patience: &Timeouts) -> Instant {
        let limit: Duration = if self.is_whole() { patience.answer } else { patience.idle };
        self.0.state().moved_at + limit
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.abandon();
        let source = self.0.source().take();
        drop(source);
    }
}

/// A stream of exactly the bytes that were declared.
pub(crate) struct Measured(Shared);

/// Why a body was broken off; HTTP wants an error, the state says which.
#[derive(Debug, thiserror::Error)]
#[error("the body was broken off")]
pub(crate) struct BrokenOff;

/// What HTTP gets next.
enum Next {
    End,
    BrokenOff,
    FromSource,
}

impl Measured {
    pub(crate) fn new<S, E>(source: S, shared: Shared) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: 'static,
    {
        *shared.source() = Some(source.map_err(drop).boxed());
        Self(shared)
    }
}

impl Stream for Measured {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.state().next();
        match next {
            Next::End => return Poll::Ready(None),
            Next::BrokenOff => return Poll::Ready(Some(Err(BrokenOff))),
            Next::FromSource => {}
        }
        let item = match &mut *self.0.source() {
            Some(source) => source.poll_next_unpin(cx),
            // The other end was dropped this very moment.
            None => return Poll::Ready(Some(Err(BrokenOff))),
        };
        self.0.state().note(item)
    }
}

impl State {
    fn next(&self) -> Next {
        match self.source {
            Source::Failed(_) | Source::Abandoned => Next::BrokenOff,
            Source::Flowing | Source::Awaited if self.sent == self.length => Next::End,
            Source::Flowing | Source::Awaited => Next::FromSource,
        }
    }

    /// Notes what the source gave, and passes on what HTTP may have of it.
    fn note<E>(&mut self, item: Poll<Option<Result<Bytes, E>>>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let fault = match item {
            Poll::Pending => {
                self.source = Source::Awaited;
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(bytes))) => {
                let sent = self.sent + bytes.len() as u64;
                if sent <= self.length {
                    (self.sent, self.moved_at, self.source) = (sent, Instant::now(), Source::Flowing);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                SourceFault::TooLong
            }
            Poll::Ready(Some(Err(_))) => SourceFault::Erred,
            Poll::Ready(None) => SourceFault::EndedEarly,
        };
        self.source = Source::Failed(fault);
        Poll::Ready(Some(Err(BrokenOff)))
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

    /// Runs a source through to its end or its error.
    fn run(length: u64, parts: Vec<Part>) -> (Progress, u64, bool) {
        let progress = Progress::begin(length);
        let mut measured = Measured::new(stream::iter(parts), progress.share());
        let (mut given, mut broken) = (0, false);
        while let Some(item) = block_on(measured.next()) {
            let Ok(bytes) = item else {
                broken = true;
                break;
            };
            given += bytes.len() as u64;
        }
        (progress, given, broken)
    }

    #[test]
    fn a_source_that_keeps_its_word_passes_through() {
        let (progress, given, broken) = run(6, parts([1, 0, 5]));
        assert_eq!((given, broken, progress.is_whole(), progress.fault()), (6, false, true, None));
    }

    #[test]
    fn a_source_that_does_not_is_broken_off_and_told_apart() {
        for (given_parts, sent, fault) in [
            (parts([1, 4]), 5, SourceFault::EndedEarly),
            (vec![], 0, SourceFault::EndedEarly),
            (parts([5, 2]), 5, SourceFault::TooLong),
            ([parts([5]), vec![Err(())]].concat(), 5, SourceFault::Erred),
        ] {
            let (progress, given, broken) = run(6, given_parts);
            assert_eq!((given, broken, progress.fault()), (sent, true, Some(fault)));
            assert!(!progress.is_whole());
        }
    }

    #[test]
    fn an_abandoned_body_gives_no_more() {
        let progress = Progress::begin(6);
        let mut measured = Measured::new(stream::iter(parts([3, 3])), progress.share());
        assert!(matches!(block_on(measured.next()), Some(Ok(_))));
        drop(progress);
        assert!(matches!(block_on(measured.next()), Some(Err(BrokenOff))));
    }

    proptest! {
        #[test]
        fn http_gets_the_declared_length_or_an_error(length in 1u64..100, lengths in proptest::collection::vec(0usize..30, 0..8)) {
            let total: u64 = lengths.iter().map(|&length| length as u64).sum();
            let (progress, given, broken) = run(length, lengths.into_iter().map(|length| Ok(Bytes::from(vec![7; length]))).collect());
            prop_assert!(given <= length);
            prop_assert_eq!(given == length, !broken);
            prop_assert_eq!(progress.sent(), given);
            prop_assert!(total >= length || broken);
        }
    }
}
