//! The one stretch of the object that is in memory.
//!
//! A window only moves forward: what lies behind its cursor is let go, what was
//! read is never asked for again. It knows nothing of what the bytes mean.

use std::ops::Range;

use super::inspect::InspectError;

/// The longest range that is asked for in one read, in bytes.
pub const MAX_READ_LEN: u64 = 64 * 1024;

/// Says why a walk over the bytes cannot go on where it stands.
#[derive(Debug)]
pub(super) enum Halt {
    /// More of the object must be in the window first.
    Wants,
    /// The bytes are not a video that can be judged.
    Failed(InspectError),
}

impl From<InspectError> for Halt {
    fn from(error: InspectError) -> Self {
        Self::Failed(error)
    }
}

/// Holds the object's size, a cursor into it, and the bytes around the cursor.
#[derive(Debug)]
pub(super) struct Window {
    size: u64,
    cursor: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Opens an empty window at the start of an object of `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        Self { size, cursor: 0, start: 0, bytes: Vec::new() }
    }

    /// Returns the whole object's size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns where the walk stands, in bytes from the object's start.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Returns the next `len` bytes without moving the cursor.
    ///
    /// # Errors
    ///
    /// [`Halt::Wants`] while they are not in the window; [`Halt::Failed`] when
    /// the object ends before.
    pub(super) fn peek(&self, len: u64) -> Result<&[u8], Halt> {
        if len > self.size - self.cursor {
            return Err(InspectError::damaged("it ends in the middle of its header").into());
        }
        self.held(len).ok_or(Halt::Wants)
    }

    fn held(&self, len: u64) -> Option<&[u8]> {
        let from = usize::try_from(self.cursor.checked_sub(self.start)?).ok()?;
        let until = from.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(from..until)
    }

    /// Moves the cursor forward to `position`; never back, never past the end.
    pub(super) fn skip_to(&mut self, position: u64) {
        self.cursor = position.clamp(self.cursor, self.size);
    }

    /// Returns the range to read when a [`peek`](Self::peek) found too little:
    /// what follows the bytes in the window, or what starts at the cursor if
    /// that is beyond them. Never empty after [`Halt::Wants`].
    pub(super) fn missing(&self) -> Range<u64> {
        let from = self.cursor.max(self.end());
        from..from.saturating_add(MAX_READ_LEN).min(self.size)
    }

    /// Takes in bytes that were read at `from`, and lets go of those behind the
    /// cursor.
    pub(super) fn extend(&mut self, from: u64, bytes: &[u8]) {
        if from == self.end() && self.cursor < from {
            let behind = usize::try_from(self.cursor - self.start).unwrap_or(usize::MAX);
            self.bytes.drain(..behind.min(self.bytes.len()));
            self.start = self.cursor;
        } else {
            self.bytes.clear();
            self.start = from;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
