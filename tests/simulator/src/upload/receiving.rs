//! A chunk that is arriving: hashed as it passes, counted, and kept nowhere.
//!
//! Works on copies of the file's running state, so that a transfer which ends
//! early leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::container::Sniffer;
use crate::ledger::{ChunkOutcome, ChunkReceived};
use crate::plan::Range;
use crate::wire::Wire;

/// The mark that a transfer leaves on its upload while it lasts.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    number: u64,
    announced: u64,
    wire: Wire,
    received: Arc<AtomicU64>,
}

impl InFlight {
    /// Marks a transfer over a connection.
    pub(crate) fn over(wire: Wire) -> Self {
        Self { number: 0, announced: 0, wire, received: Arc::default() }
    }

    /// Numbers the transfer, of so many announced bytes.
    pub(crate) fn numbered(mut self, number: u64, announced: u64) -> Self {
        (self.number, self.announced) = (number, announced);
        self
    }

    /// Tells whether this is the mark of a certain transfer.
    pub(crate) fn is(&self, number: u64) -> bool {
        self.number == number
    }

    /// The number of bytes that arrived up to now.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Tells whether every announced byte arrived, from a client that is still there.
    pub(crate) fn is_whole(&self) -> bool {
        self.received() == self.announced && !self.is_abandoned()
    }

    pub(crate) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// Tells whether the client has hung up on this transfer.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.wire.is_closed()
    }
}

/// The running state of a transfer.
#[derive(Debug, Clone)]
pub(crate) struct Receiving {
    number: u64,
    range: Range,
    repeated: bool,
    received: Arc<AtomicU64>,
    bytes: u64,
    chunk: Sha256,
    whole: Sha256,
    sniffer: Sniffer,
}

impl Receiving {
    pub(crate) fn new(
        number: u64,
        range: Range,
        repeated: bool,
        received: Arc<AtomicU64>,
        (whole, sniffer): (Sha256, Sniffer),
    ) -> Self {
        Self { number, range, repeated, received, bytes: 0, chunk: Sha256::new(), whole, sniffer }
    }

    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, bytes: &Bytes) {
        self.chunk.update(bytes);
        if !self.repeated {
            self.whole.update(bytes);
            self.sniffer.update(bytes);
        }
        self.bytes += bytes.len() as u64;
        self.received.store(self.bytes, Ordering::Relaxed);
    }

    /// Tells whether every announced byte is here.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes == self.range.len()
    }

    /// Tells whether this range had been accepted before.
    pub(crate) fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// The number of bytes that arrived.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Writes the transfer down.
    pub(crate) fn record(&self, outcome: ChunkOutcome, time: Timestamp) -> ChunkReceived {
        ChunkReceived {
            first: self.range.first,
            last: self.range.last,
            bytes: self.bytes,
            sha256: HEXLOWER.encode(&self.chunk.clone().finalize()),
            time,
            outcome,
        }
    }

    /// Gives the file's new running state back.
    pub(crate) fn into_state(self) -> (Sha256, Sniffer) {
        (self.whole, self.sniffer)
    }
}
