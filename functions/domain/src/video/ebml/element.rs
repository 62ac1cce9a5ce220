//! Element headers and values of EBML files, as specified by [RFC 8794](https://www.rfc-editor.org/rfc/rfc8794).
//!
//! This file does not know what an element is for. It does not trust a stated size: sizes are compared, and no memory
//! is allocated for them.

use crate::video::error::ParseError;
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;

/// The most bytes read from the value of an element.
const MAX_VALUE_LEN: u64 = 64;

/// The longest header: an ID of 4 bytes and a size of 8 bytes.
const MAX_HEADER_LEN: u64 = 12;

/// The header of one element. Positions are in bytes from the start of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElementHeader {
    pub(super) id: u32,
    /// The position after the header.
    pub(super) body: u64,
    /// The end of the element, or the end of its parent if the element states a later end or none. A live recording
    /// does not state the end of an element that is written during the recording.
    pub(super) end: u64,
    /// The end that the element states.
    pub(super) stated_end: Option<u64>,
}

impl ElementHeader {
    /// Returns how many bytes the stated end is beyond the parent's end.
    pub(super) fn excess(&self) -> u64 {
        self.stated_end.map_or(0, |stated| stated - self.end)
    }

    /// Returns the elements inside this one.
    pub(super) fn children<'f>(&self, file: &'f PartialFile) -> Elements<'f> {
        Elements { file, position: self.body, limit: self.end }
    }

    /// Returns the first bytes of the value, enough for any number.
    pub(super) fn value<'f>(&self, file: &'f PartialFile) -> Result<&'f [u8], ParseError> {
        file.bytes(self.body..self.end.min(self.body.saturating_add(MAX_VALUE_LEN)))
    }

    /// Returns the value as an unsigned integer. Returns `None` if it has more than 8 bytes.
    pub(super) fn unsigned(&self, file: &PartialFile) -> Result<Option<u64>, ParseError> {
        let value = self.value(file)?;
        Ok((value.len() <= 8).then(|| value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
    }

    /// Returns the value as a floating-point number. Returns `None` if it has neither 4 nor 8 bytes.
    pub(super) fn float(&self, file: &PartialFile) -> Result<Option<f64>, ParseError> {
        Ok(match *self.value(file)? {
            [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
            ref value => value.try_into().ok().map(f64::from_be_bytes),
        })
    }

    /// Returns the value as a string without its padding of zero bytes.
    pub(super) fn text<'f>(&self, file: &'f PartialFile) -> Result<&'f [u8], ParseError> {
        Ok(self.value(file)?.split(|byte| *byte == 0).next().unwrap_or_default())
    }
}

/// Consecutive elements up to the end of their parent. The bytes after the last valid element are ignored.
pub(super) struct Elements<'f> {
    file: &'f PartialFile,
    /// The position of the next element.
    pub(super) position: u64,
    limit: u64,
}

impl<'f> Elements<'f> {
    /// Returns the elements of a file from the position `start`.
    pub(super) fn from(file: &'f PartialFile, start: u64) -> Self {
        Self { file, position: start, limit: file.size() }
    }
}

impl Iterator for Elements<'_> {
    type Item = Result<ElementHeader, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = element_at(self.file, self.position, self.limit).transpose()?;
        self.position = header.as_ref().map_or(self.limit, |header| header.end);
        Some(header)
    }
}

/// Reads the header of the element at `start`, whose parent ends at `limit`. Returns `None` if no valid header is
/// there.
fn element_at(file: &PartialFile, start: u64, limit: u64) -> Result<Option<ElementHeader>, ParseError> {
    if start >= limit {
        return Ok(None);
    }
    let bytes = file.bytes(start..limit.min(start.saturating_add(MAX_HEADER_LEN)))?;
    Ok(parse_header(bytes).map(|(id, size, header_len)| {
        let body = start + header_len;
        let stated_end = size.map(|size| body.saturating_add(size));
        ElementHeader { id, body, end: stated_end.unwrap_or(limit).min(limit), stated_end }
    }))
}

/// Returns an element's ID, its size unless that is unknown, and the length of its header. Returns `None` if the bytes
/// are no valid header.
fn parse_header(bytes: &[u8]) -> Option<(u32, Option<u64>, u64)> {
    let id_len = vint_len(*bytes.first()?).filter(|len| *len <= 4)?;
    let (id, rest) = bytes.split_at_checked(id_len)?;
    let size_len = vint_len(*rest.first()?)?;
    let raw_size = number(rest.get(..size_len)?);
    // Each byte of the size carries 7 bits of the value; all bits set means an unknown size.
    let size_mask = (1_u64 << (7 * size_len)) - 1;
    let size = raw_size & size_mask;
    let id = u32::try_from(number(id)).ok()?;
    Some((id, (size != size_mask).then_some(size), (id_len + size_len).try_into().ok()?))
}

/// Reads the number of a block's track and the block's timestamp, relative to its cluster ([RFC 9559, section
/// 10](https://www.rfc-editor.org/rfc/rfc9559#section-10)).
pub(super) fn block_track_and_time(block: &[u8]) -> Option<(u64, i16)> {
    let number_len = vint_len(*block.first()?)?;
    let (track, rest) = block.split_at_checked(number_len)?;
    let time = FieldReader::new(rest).u16()?.cast_signed();
    Some((number(track) & ((1 << (7 * number_len)) - 1), time))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Returns the length in bytes, 1 to 8, of the variable-size integer that starts with this byte.
fn vint_len(first: u8) -> Option<usize> {
    let len = usize::try_from(first.leading_zeros()).ok()? + 1;
    (len <= 8).then_some(len)
}
