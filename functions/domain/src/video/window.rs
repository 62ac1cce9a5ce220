//! The one range of the object's bytes that is in memory.
//!
//! A window only moves forward. It drops bytes before its cursor and never requests a byte twice. It does not
//! interpret the bytes.

use std::ops::Range;

use super::error::{InspectError, ParseError};

/// The longest read, in bytes.
pub const MAX_READ_LEN: u64 = 64 * 1024;

/// The object's size, the parser's cursor, and the buffered bytes around it.
///
/// All positions are in bytes from the start of the object.
#[derive(Debug)]
pub(super) struct Window {
    size: u64,
    cursor: u64,
    /// The position of the first byte in `bytes`.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Creates an empty window at the start of an object of `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        Self { size, cursor: 0, start: 0, bytes: Vec::new() }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Returns the next `len` bytes without moving the cursor.
    ///
    /// # Errors
    /// [`ParseError::Incomplete`] if the window lacks some of them; [`ParseError::Failed`] if the object ends
    /// before them.
    pub(super) fn peek(&self, len: u64) -> Result<&[u8], ParseError> {
        if len > self.size - self.cursor {
            return Err(InspectError::damaged("it ends in the middle of its header").into());
        }
        self.buffered(len).ok_or(ParseError::Incomplete)
    }

    fn buffered(&self, len: u64) -> Option<&[u8]> {
        let from = usize::try_from(self.cursor.checked_sub(self.start)?).ok()?;
        let until = from.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(from..until)
    }

    /// Moves the cursor forward to `position`, at most to the object's end. An earlier position changes nothing.
    pub(super) fn skip_to(&mut self, position: u64) {
        self.cursor = position.clamp(self.cursor, self.size);
    }

    /// Returns the range to read after [`ParseError::Incomplete`]; never empty then.
    ///
    /// The range starts at the end of the buffered bytes, or at the cursor if the cursor is further.
    pub(super) fn next_read(&self) -> Range<u64> {
        let from = self.cursor.max(self.end());
        from..from.saturating_add(MAX_READ_LEN).min(self.size)
    }

    /// Adds bytes that were read at position `from`, and drops the bytes before the cursor.
    pub(super) fn extend(&mut self, from: u64, bytes: &[u8]) {
        if from == self.end() && self.cursor < from {
            let consumed = usize::try_from(self.cursor - self.start).unwrap_or(usize::MAX);
            self.bytes.drain(..consumed.min(self.bytes.len()));
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
