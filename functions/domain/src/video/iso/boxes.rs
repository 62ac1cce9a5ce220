//! Box headers of ISO base media files: kind, start and end of a box (ISO/IEC 14496-12, section 4.2).
//!
//! This file does not know what a box is for. It does not trust a stated size: sizes are compared, and no memory is
//! allocated for them.

use std::ops::Range;

use crate::video::error::ParseError;
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;

/// The most bytes read from a box without a table.
const MAX_FIELDS_LEN: u64 = 128;

/// The length of the longest box header, in bytes.
pub(super) const MAX_HEADER_LEN: u64 = 16;

/// The header of one box. Positions are in bytes from the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoxHeader {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    /// The position after the header.
    pub(super) body: u64,
    /// The end of the box, or the end of its parent if the box states a later end.
    pub(super) end: u64,
    /// The end that the box states. A box without a stated size ends with its parent.
    pub(super) stated_end: u64,
    /// Whether the box states its size.
    pub(super) has_size: bool,
}

impl BoxHeader {
    /// Returns how many bytes the stated end is beyond the parent's end.
    pub(super) fn excess(&self) -> u64 {
        self.stated_end - self.end
    }

    /// Returns the positions of the whole box.
    pub(super) fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Returns a reader of the first bytes of the box, enough for all fields of a box without a table.
    pub(super) fn fields<'f>(&self, file: &'f PartialFile) -> Result<FieldReader<'f>, ParseError> {
        let end = self.end.min(self.body.saturating_add(MAX_FIELDS_LEN));
        Ok(FieldReader::new(file.bytes(self.body..end)?))
    }

    /// Returns a reader of the whole box.
    pub(super) fn table<'f>(&self, file: &'f PartialFile) -> Result<FieldReader<'f>, ParseError> {
        Ok(FieldReader::new(file.bytes(self.body..self.end)?))
    }

    /// Returns the boxes inside this one.
    pub(super) fn children<'f>(&self, file: &'f PartialFile) -> Boxes<'f> {
        Boxes { file, position: self.body, limit: self.end }
    }
}

/// Consecutive boxes up to the end of their parent. The bytes after the last valid box are ignored.
pub(super) struct Boxes<'f> {
    file: &'f PartialFile,
    position: u64,
    limit: u64,
}

impl<'f> Boxes<'f> {
    /// Returns the boxes between two positions.
    pub(super) fn between(file: &'f PartialFile, range: Range<u64>) -> Self {
        Self { file, position: range.start, limit: range.end }
    }
}

impl Iterator for Boxes<'_> {
    type Item = Result<BoxHeader, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = box_at(self.file, self.position, self.limit).transpose()?;
        self.position = header.as_ref().map_or(self.limit, |header| header.end);
        Some(header)
    }
}

/// Reads the header of the box at `start`, whose parent ends at `limit`. Returns `None` if no valid header is there.
pub(super) fn box_at(file: &PartialFile, start: u64, limit: u64) -> Result<Option<BoxHeader>, ParseError> {
    let room = limit.saturating_sub(start);
    if room < 8 {
        return Ok(None);
    }
    let mut fields = FieldReader::new(file.bytes(start..start + 8)?);
    let (Some(stated_size), Some(kind)) = (fields.u32(), fields.array()) else {
        return Ok(None);
    };
    let (header_len, size) = match stated_size {
        // The box extends to the end.
        0 => (8, room),
        // A 64-bit size follows the kind.
        1 if room < MAX_HEADER_LEN => return Ok(None),
        1 => {
            let mut fields = FieldReader::new(file.bytes(start + 8..start + MAX_HEADER_LEN)?);
            (MAX_HEADER_LEN, fields.u64().unwrap_or_default())
        }
        size => (8, size.into()),
    };
    if size < header_len {
        return Ok(None);
    }
    let stated_end = start.saturating_add(size);
    let end = stated_end.min(limit);
    Ok(Some(BoxHeader { kind, start, body: start + header_len, end, stated_end, has_size: stated_size != 0 }))
}
