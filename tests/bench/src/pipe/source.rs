//! One long stream of bytes, handed out in exact lengths.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::Mutex;

/// Bytes as they come.
pub(super) type Pieces = BoxStream<'static, Result<Bytes>>;

/// How many pieces a stream may be ahead: some tens of megabytes.
const AHEAD: usize = 256;

/// A stream from which lengths are taken one after the other.
#[derive(Clone)]
pub(super) struct Source(Arc<Mutex<Rest>>);

struct Rest {
    pieces: Pieces,
    /// What is left of a piece that was cut.
    left: Bytes,
}

impl Source {
    /// Takes from a stream as it comes.
    pub(super) fn passing(pieces: Pieces) -> Self {
        Self(Arc::new(Mutex::new(Rest { pieces, left: Bytes::new() })))
    }

    /// Takes from a stream that runs ahead.
    pub(super) fn ahead(mut pieces: Pieces) -> Self {
        let (mut sender, receiver) = futures::channel::mpsc::channel(AHEAD);
        tokio::spawn(async move {
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Self::passing(receiver.boxed())
    }

    /// The next so many bytes.
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

impl Rest {
    async fn next(&mut self, most: u64) -> Result<Bytes> {
        while self.left.is_empty() {
            match self.pieces.next().await {
                Some(piece) => self.left = piece?,
                None => bail!("the stream ended early"),
            }
        }
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(self.left.len());
        Ok(self.left.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lengths_are_exact_wherever_the_pieces_end() {
        for source in [Source::passing as fn(Pieces) -> Source, Source::ahead] {
            let source = source(stream::iter(["abc", "", "defgh", "i"].map(|piece| Ok(Bytes::from(piece)))).boxed());
            for expected in ["ab", "cdef", "ghi"] {
                let taken: Vec<_> = source.take(expected.len() as u64).map(Result::unwrap).collect().await;
                assert_eq!(taken.concat(), expected.as_bytes());
            }
            assert!(source.take(1).next().await.unwrap().is_err(), "there is no more");
        }
    }
}
