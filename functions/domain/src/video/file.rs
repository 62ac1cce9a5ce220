//! The bytes of an object that were read so far, and the budget of further reads.
//!
//! A parser asks for ranges in any order. This file does not interpret the bytes.

use std::ops::Range;

use super::error::ParseError;

/// The most reads of one inspection.
///
/// A header at the front takes one read, a header at the back two. A file whose parts are scattered takes more.
pub const MAX_READS: u32 = 16;

/// The most bytes that one inspection reads: 2 MiB.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// The longest read, in bytes.
pub const MAX_READ_LEN: u64 = 1024 * 1024;

/// The length of a read in bytes, if the parser needs fewer.
const USUAL_READ_LEN: u64 = 64 * 1024;

/// The object's size and the ranges of it that were read.
///
/// All positions are in bytes from the start of the object.
#[derive(Debug)]
pub(super) struct PartialFile {
    size: u64,
    /// Sorted by position. Ranges neither overlap nor touch.
    ranges: Vec<ReadRange>,
    reads: u32,
    bytes_read: u64,
}

#[derive(Debug)]
struct ReadRange {
    start: u64,
    bytes: Vec<u8>,
}

impl ReadRange {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl PartialFile {
    /// Creates a file of `size` bytes of which nothing was read.
    pub(super) fn new(size: u64) -> Self {
        Self { size, ranges: Vec::new(), reads: 0, bytes_read: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the number of reads so far.
    pub(super) fn reads(&self) -> u32 {
        self.reads
    }

    /// Returns the bytes of `range`.
    ///
    /// # Errors
    /// - [`ParseError::Needs`] if some of the bytes must be read first.
    /// - [`ParseError::Unreadable`] if the budget does not suffice, or the range exceeds the file.
    pub(super) fn bytes(&self, range: Range<u64>) -> Result<&[u8], ParseError> {
        if range.end > self.size || range.start > range.end {
            return Err(ParseError::Unreadable);
        }
        if range.is_empty() {
            return Ok(&[]);
        }
        let missing = match self.ranges.iter().find(|read| (read.start..=read.end()).contains(&range.start)) {
            Some(read) if range.end <= read.end() => {
                let index = |position: u64| usize::try_from(position - read.start).unwrap_or(usize::MAX);
                return read.bytes.get(index(range.start)..index(range.end)).ok_or(ParseError::Unreadable);
            }
            Some(read) => read.end()..range.end,
            None => range,
        };
        let budget = if self.reads < MAX_READS { MAX_BYTES - self.bytes_read } else { 0 };
        if missing.end - missing.start <= budget {
            Err(ParseError::Needs(missing))
        } else {
            Err(ParseError::Unreadable)
        }
    }

    /// Returns whether the bytes of `range` were read.
    pub(super) fn has(&self, range: Range<u64>) -> bool {
        self.bytes(range).is_ok()
    }

    /// Returns whether the bytes of `range` were read or can be read within the budget.
    pub(super) fn can_have(&self, range: Range<u64>) -> bool {
        matches!(self.bytes(range), Ok(_) | Err(ParseError::Needs(_)))
    }

    /// Returns the range to read if `missing` is needed. It starts with `missing` and is not empty.
    ///
    /// It is longer than needed, because the bytes after the needed ones are often needed next. It contains no byte
    /// that was read before.
    pub(super) fn next_read(&self, missing: &Range<u64>) -> Range<u64> {
        let next_range = self.ranges.iter().map(|read| read.start).find(|start| *start > missing.start);
        let limit = next_range.unwrap_or(self.size) - missing.start;
        let len = (missing.end - missing.start).clamp(USUAL_READ_LEN, MAX_READ_LEN);
        missing.start..missing.start + len.min(MAX_BYTES - self.bytes_read).min(limit)
    }

    /// Adds the bytes that were read at position `start`.
    pub(super) fn add(&mut self, start: u64, bytes: &[u8]) {
        self.reads += 1;
        self.bytes_read = self.bytes_read.saturating_add(bytes.len() as u64);
        let index = self.ranges.partition_point(|read| read.start < start);
        self.ranges.insert(index, ReadRange { start, bytes: bytes.to_vec() });
        self.join(index);
        if let Some(before) = index.checked_sub(1) {
            self.join(before);
        }
    }

    /// Joins the range at `index` and the next one if they touch.
    fn join(&mut self, index: usize) {
        if let [range, next, ..] = &mut self.ranges[index..]
            && range.end() == next.start
        {
            range.bytes.append(&mut next.bytes);
            self.ranges.remove(index + 1);
        }
    }
}
