//! Where the boxes of an ISO base media file begin and end.
//!
//! Knows sizes and names, not what any box is for. A size is as hostile as the
//! rest of the file: it is compared, never allocated.

use crate::video::fields::Fields;
use crate::video::inspect::InspectError;
use crate::video::window::{Halt, Window};

/// Where one box stands, in bytes from the file's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoxAt {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    pub(super) body: u64,
    pub(super) end: u64,
}

impl BoxAt {
    /// Returns the first bytes of the box's body, at most `len`.
    pub(super) fn front<'w>(&self, window: &'w Window, len: u64) -> Result<Fields<'w>, Halt> {
        let header = self.body - self.start;
        let len = len.min(self.end - self.body);
        let mut fields = Fields::new(window.peek(header + len)?);
        // The header was read before, so it is there.
        fields.skip(usize::try_from(header).unwrap_or(usize::MAX));
        Ok(fields)
    }
}

/// Reads the header of the box at the cursor; `None` when less than a header is
/// left before `limit`. The box may end beyond `limit`.
pub(super) fn next_box(window: &Window, limit: u64) -> Result<Option<BoxAt>, Halt> {
    let start = window.cursor();
    let room = limit.saturating_sub(start);
    if room < 8 {
        return Ok(None);
    }
    let mut fields = Fields::new(window.peek(8)?);
    let (Some(size), Some(kind)) = (fields.u32(), fields.array()) else {
        return Ok(None);
    };
    let (header, size) = match size {
        0 => (8, room),
        1 if room < 16 => return Ok(None),
        1 => {
            let mut fields = Fields::new(window.peek(16)?);
            fields.skip(8);
            (16, fields.sized(1).unwrap_or_default())
        }
        size => (8, size.into()),
    };
    if size < header {
        let why = format!("its `{}` box has the impossible size {size}", kind.escape_ascii());
        return Err(InspectError::damaged(why).into());
    }
    Ok(Some(BoxAt { kind, start, body: start + header, end: start.saturating_add(size) }))
}

/// Says that the file of `size` bytes ends before the box does.
pub(super) fn cut_off(found: &BoxAt, size: u64) -> InspectError {
    InspectError::damaged(format!(
        "it is cut off: its `{}` box should end at byte {}, but the file has {size} bytes",
        found.kind.escape_ascii(),
        found.end,
    ))
}

/// Says that a box ends before the fields that its kind has.
pub(super) fn too_short(kind: [u8; 4]) -> InspectError {
    InspectError::damaged(format!("its `{}` box is too short", kind.escape_ascii()))
}
