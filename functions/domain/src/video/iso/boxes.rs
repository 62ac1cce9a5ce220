//! Box headers of ISO base media files: kind, start and end of a box.
//!
//! This file does not know what a box is for. It does not trust a stated size: sizes are compared, and no memory is
//! allocated for them.

use crate::video::error::{InspectError, ParseError};
use crate::video::fields::FieldReader;
use crate::video::window::Window;

/// The most bytes read from a box without a table.
pub(super) const MAX_FIELDS_LEN: u64 = 128;

/// The header of one box. Positions are in bytes from the start of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoxHeader {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    /// The position after the header.
    pub(super) body: u64,
    pub(super) end: u64,
}

impl BoxHeader {
    /// Returns a reader of the first bytes of the box's body, at most `max_len`. The window's cursor must be at the
    /// start of the box.
    pub(super) fn fields<'w>(&self, window: &'w Window, max_len: u64) -> Result<FieldReader<'w>, ParseError> {
        let header_len = self.body - self.start;
        let len = max_len.min(self.end - self.body);
        let mut fields = FieldReader::new(window.peek(header_len + len)?);
        // This cannot fail: `peek` returned the whole header.
        fields.skip(usize::try_from(header_len).unwrap_or(usize::MAX));
        Ok(fields)
    }

    /// Reads mandatory fields of a box without a table.
    pub(super) fn read<T>(
        &self,
        window: &Window,
        read: impl FnOnce(FieldReader<'_>) -> Option<T>,
    ) -> Result<T, ParseError> {
        Ok(read(self.fields(window, MAX_FIELDS_LEN)?).ok_or_else(|| too_short(self.kind))?)
    }
}

/// Reads the header of the box at the cursor. Returns `None` if no header fits before `limit`. The end of the box may
/// be beyond `limit`; the caller checks it.
pub(super) fn next_box(window: &Window, limit: u64) -> Result<Option<BoxHeader>, ParseError> {
    let start = window.cursor();
    let room = limit.saturating_sub(start);
    if room < 8 {
        return Ok(None);
    }
    let mut fields = FieldReader::new(window.peek(8)?);
    let (Some(size), Some(kind)) = (fields.u32(), fields.array()) else {
        return Ok(None);
    };
    let (header_len, size) = match size {
        // The box extends to the end.
        0 => (8, room),
        // A 64-bit size follows the kind.
        1 if room < 16 => return Ok(None),
        1 => {
            let mut fields = FieldReader::new(window.peek(16)?);
            fields.skip(8);
            (16, fields.u64().unwrap_or_default())
        }
        size => (8, size.into()),
    };
    if size < header_len {
        let reason = format!("its `{}` box has the impossible size {size}", kind.escape_ascii());
        return Err(InspectError::damaged(reason).into());
    }
    Ok(Some(BoxHeader { kind, start, body: start + header_len, end: start.saturating_add(size) }))
}

/// Returns the error for a file of `file_size` bytes that ends inside a box.
pub(super) fn truncated(header: &BoxHeader, file_size: u64) -> InspectError {
    InspectError::damaged(format!(
        "it is truncated: its `{}` box should end at byte {}, but the file has {file_size} bytes",
        header.kind.escape_ascii(),
        header.end,
    ))
}

/// Returns the error for a box that ends before its mandatory fields.
pub(super) fn too_short(kind: [u8; 4]) -> InspectError {
    InspectError::damaged(format!("its `{}` box is too short", kind.escape_ascii()))
}
