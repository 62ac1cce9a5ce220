//! Element headers and values of EBML files, as specified by [RFC 8794](https://www.rfc-editor.org/rfc/rfc8794).
//!
//! This file does not know what an element is for. It does not trust a stated size: sizes are compared, and no memory
//! is allocated for them.

use crate::video::error::{InspectError, ParseError};
use crate::video::fields::FieldReader;
use crate::video::window::Window;

/// The header of one element. Positions are in bytes from the start of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElementHeader {
    pub(super) id: u32,
    /// The position after the header.
    pub(super) body: u64,
    /// `None` if the element has an unknown size.
    pub(super) end: Option<u64>,
}

/// Reads the header of the element at the cursor. Returns `None` if no header fits before `limit`.
pub(super) fn next_element(window: &Window, limit: u64) -> Result<Option<ElementHeader>, ParseError> {
    let start = window.cursor();
    let room = limit.saturating_sub(start);
    if room < 2 {
        return Ok(None);
    }
    let invalid = |field| InspectError::damaged(format!("an element at byte {start} has no valid {field}"));
    let id_len = vint_len(window.peek(1)?);
    if !(1..=4).contains(&id_len) {
        return Err(invalid("ID").into());
    }
    if room <= id_len {
        return Ok(None);
    }
    let id_and_first_size_byte = window.peek(id_len + 1)?;
    let (id, first_size_byte) = id_and_first_size_byte.split_at(id_and_first_size_byte.len() - 1);
    let id_bytes = id.len();
    let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let size_len = vint_len(first_size_byte);
    if !(1..=8).contains(&size_len) || room < id_len + size_len {
        return Err(invalid("size").into());
    }
    let header_len = id_len + size_len;
    let mut fields = FieldReader::new(window.peek(header_len)?);
    fields.skip(id_bytes);
    let raw_size = fields.rest().iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
    // Each byte of the size carries 7 bits of the value; all bits set means an unknown size.
    let size_mask = (1_u64 << (7 * size_len)) - 1;
    let size = raw_size & size_mask;
    let body = start + header_len;
    let end = (size != size_mask).then(|| body.saturating_add(size));
    Ok(Some(ElementHeader { id, body, end }))
}

/// Returns the length in bytes, 1 to 8, of the variable-size integer that starts with this byte. Returns 9 for an
/// invalid or a missing byte.
fn vint_len(first: &[u8]) -> u64 {
    first.first().map_or(9, |byte| u64::from(byte.leading_zeros()) + 1)
}

/// Reads an unsigned integer of at most 8 bytes.
pub(super) fn unsigned(value: &[u8]) -> Result<u64, InspectError> {
    if value.len() > 8 {
        return Err(InspectError::damaged("a number in its header is too long"));
    }
    Ok(value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Reads a floating-point number. Returns `None` if the value has neither 4 nor 8 bytes.
pub(super) fn float(value: &[u8]) -> Option<f64> {
    match *value {
        [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
        _ => value.try_into().ok().map(f64::from_be_bytes),
    }
}

/// Reads a string without its padding of zero bytes.
pub(super) fn text(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}
