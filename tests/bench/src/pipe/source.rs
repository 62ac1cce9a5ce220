//! A byte stream from which a pipe takes chunks of exact lengths.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::Mutex;

/// Pieces of a response body, of any length.
pub(super) type Pieces = BoxStream<'static, Result<Bytes>>;

/// How many pieces of a response a read-ahead source buffers: some tens of MB.
const READ_AHEAD_PIECES: usize = 256;

/// A stream that is divided into consecutive chunks.
#[derive(Clone)]
pub(super) struct Source(Arc<Mutex<Remaining>>);

struct Remaining {
    pieces: Pieces,
    /// The rest of a piece that a chunk boundary divided.
    rest: Bytes,
}

impl Source {
    /// Reads the stream only when a chunk needs bytes.
    pub(super) fn direct(pieces: Pieces) -> Self {
        Self(Arc::new(Mutex::new(Remaining { pieces, rest: Bytes::new() })))
    }

    /// Reads the stream in a background task into a buffer.
    pub(super) fn read_ahead(mut pieces: Pieces) -> Self {
        let (mut sender, receiver) = futures::channel::mpsc::channel(READ_AHEAD_PIECES);
        tokio::spawn(async move {
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Self::direct(receiver.boxed())
    }

    /// The next `length` bytes.
    pub(super) fn take(&self, length: u64) -> Pieces {
        stream::try_unfold((self.clone(), length), |(source, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let piece = source.0.lock().await.next(left).await?;
            let left = left - piece.len() as u64;
            Ok(Some((piece, (source, left))))
        })
        .boxed()
    }
}

impl Remaining {
    /// The next piece, cut to at most `max` bytes.
    async fn next(&mut self, max: u64) -> Result<Bytes> {
        while self.rest.is_empty() {
            match self.pieces.next().await {
                Some(piece) => self.rest = piece?,
                None => bail!("the stream ended before the last chunk"),
            }
        }
        let length = usize::try_from(max).unwrap_or(usize::MAX).min(self.rest.len());
        Ok(self.rest.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunk_lengths_are_independent_of_piece_lengths() {
        for source in [Source::direct as fn(Pieces) -> Source, Source::read_ahead] {
            let source = source(stream::iter(["abc", "", "defgh", "i"].map(|piece| Ok(Bytes::from(piece)))).boxed());
            for expected in ["ab", "cdef", "ghi"] {
                let taken: Vec<_> = source.take(expected.len() as u64).map(Result::unwrap).collect().await;
                assert_eq!(taken.concat(), expected.as_bytes());
            }
            assert!(source.take(1).next().await.unwrap().is_err(), "the stream has ended");
        }
    }
}
