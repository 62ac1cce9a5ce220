//! Where the elements of an EBML file begin and end, and what values they hold,
//! as [RFC 8794](https://www.rfc-editor.org/rfc/rfc8794) lays them out.
//!
//! Knows sizes and names, not what any element is for. A size is as hostile as
//! the rest of the file: it is compared, never allocated.

use crate::video::fields::Fields;
use crate::video::inspect::InspectError;
use crate::video::window::{Halt, Window};

/// Where one element stands, in bytes from the file's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) id: u32,
    pub(super) body: u64,
    /// `None` where the element goes on until something ends it.
    pub(super) end: Option<u64>,
}

/// Reads the header of the element at the cursor; `None` when less than a
/// header is left before `limit`.
pub(super) fn next_element(window: &Window, limit: u64) -> Result<Option<Element>, Halt> {
    let start = window.cursor();
    let room = limit.saturating_sub(start);
    if room < 2 {
        return Ok(None);
    }
    let broken = |what| InspectError::damaged(format!("an element at byte {start} has {what}"));
    let id_len = vint_len(window.peek(1)?);
    if !(1..=4).contains(&id_len) {
        return Err(broken("no valid name").into());
    }
    if room <= id_len {
        return Ok(None);
    }
    let front = window.peek(id_len + 1)?;
    let (id, size_front) = front.split_at(front.len() - 1);
    let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let size_len = vint_len(size_front);
    if !(1..=8).contains(&size_len) || room < id_len + size_len {
        return Err(broken("no valid size").into());
    }
    let header = id_len + size_len;
    let mut fields = Fields::new(window.peek(header)?);
    fields.skip(front.len() - 1);
    let raw = fields.rest().iter().fold(0, |raw, byte| raw << 8 | u64::from(*byte));
    // Each byte of the size has seven bits of it; all of them set: unknown.
    let all = (1_u64 << (7 * size_len)) - 1;
    let body = start + header;
    let end = (raw & all != all).then(|| body.saturating_add(raw & all));
    Ok(Some(Element { id, body, end }))
}

/// Returns how many bytes a number is long that starts with this one: 1 to 8,
/// or 9 for none.
fn vint_len(first: &[u8]) -> u64 {
    first.first().map_or(9, |byte| u64::from(byte.leading_zeros()) + 1)
}

/// Reads an unsigned number of up to eight bytes.
pub(super) fn unsigned(value: &[u8]) -> Result<u64, InspectError> {
    if value.len() > 8 {
        return Err(InspectError::damaged("a number in its header is too long"));
    }
    Ok(value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Reads a floating-point number; `None` where the length is not one's.
pub(super) fn float(value: &[u8]) -> Option<f64> {
    match *value {
        [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
        _ => value.try_into().ok().map(f64::from_be_bytes),
    }
}

/// Reads a text up to its padding of zeros.
pub(super) fn text(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}
