//! The transfer of one chunk while it arrives: its bytes are hashed and counted, and not stored.
//!
//! A [`ChunkReceiver`] works on copies of the upload's hash and container detection. If the transfer ends early, the
//! copies are dropped and the upload is unchanged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::connection::ConnectionHandle;
use crate::container::Sniffer;
use crate::ledger::{ChunkOutcome, ChunkTransfer};
use crate::plan::Range;

/// What an upload knows about its transfer in progress. A [`ChunkReceiver`] receives the bytes.
#[derive(Debug, Clone)]
pub(crate) struct ActiveTransfer {
    number: u64,
    declared_bytes: u64,
    connection: ConnectionHandle,
    received: Arc<AtomicU64>,
}

impl ActiveTransfer {
    /// Makes a transfer over a connection. [`super::Upload::begin`] sets its number and length.
    pub(crate) fn new(connection: ConnectionHandle) -> Self {
        Self { number: 0, declared_bytes: 0, connection, received: Arc::default() }
    }

    /// Sets the transfer's number and declared length in bytes.
    pub(crate) fn numbered(mut self, number: u64, declared_bytes: u64) -> Self {
        (self.number, self.declared_bytes) = (number, declared_bytes);
        self
    }

    /// Returns whether this transfer has the number.
    pub(crate) fn has_number(&self, number: u64) -> bool {
        self.number == number
    }

    /// The number of bytes received so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Returns whether every declared byte arrived and the client is still connected.
    pub(crate) fn is_whole(&self) -> bool {
        self.received() == self.declared_bytes && !self.is_abandoned()
    }

    /// The counter of received bytes, which the [`ChunkReceiver`] updates.
    pub(crate) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// Returns whether the client has disconnected.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.connection.is_closed()
    }
}

/// Receives the bytes of one transfer.
#[derive(Debug, Clone)]
pub(crate) struct ChunkReceiver {
    number: u64,
    range: Range,
    is_repeated: bool,
    progress: Arc<AtomicU64>,
    bytes: u64,
    chunk_hasher: Sha256,
    file_hasher: Sha256,
    sniffer: Sniffer,
}

impl ChunkReceiver {
    pub(crate) fn new(
        number: u64,
        range: Range,
        is_repeated: bool,
        progress: Arc<AtomicU64>,
        (file_hasher, sniffer): (Sha256, Sniffer),
    ) -> Self {
        Self { number, range, is_repeated, progress, bytes: 0, chunk_hasher: Sha256::new(), file_hasher, sniffer }
    }

    /// Hashes and counts the next bytes. Those of a repeated chunk do not count as part of the file.
    pub(crate) fn update(&mut self, bytes: &Bytes) {
        self.chunk_hasher.update(bytes);
        if !self.is_repeated {
            self.file_hasher.update(bytes);
            self.sniffer.update(bytes);
        }
        self.bytes += bytes.len() as u64;
        self.progress.store(self.bytes, Ordering::Relaxed);
    }

    /// Returns whether every declared byte arrived.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes == self.range.len()
    }

    /// Returns whether this range was already accepted.
    pub(crate) fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// The number of bytes received.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The ledger's record of this transfer.
    pub(crate) fn record(&self, outcome: ChunkOutcome, time: Timestamp) -> ChunkTransfer {
        ChunkTransfer {
            first: self.range.first,
            last: self.range.last,
            bytes: self.bytes,
            sha256: HEXLOWER.encode(&self.chunk_hasher.clone().finalize()),
            time,
            outcome,
        }
    }

    /// The hash and container detection of the file, including this chunk.
    pub(crate) fn into_state(self) -> (Sha256, Sniffer) {
        (self.file_hasher, self.sniffer)
    }
}
