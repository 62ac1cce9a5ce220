//! A reader of consecutive big-endian fields in a byte slice.
//!
//! Every read returns `None` when the slice ends before the field; none panics.

/// Reads fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    /// Creates a reader at the front of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.0 = self.0.get(len..)?;
        Some(())
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads a field whose width depends on the version of the box: 64 bits in version 1, otherwise 32 bits.
    pub(super) fn versioned(&mut self, version: u8) -> Option<u64> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }

    /// Reads a signed field whose width depends on the version of the box.
    pub(super) fn signed_versioned(&mut self, version: u8) -> Option<i64> {
        if version == 1 { self.u64().map(u64::cast_signed) } else { self.i32().map(i64::from) }
    }

    /// Reads the first fields of an ISO `FullBox`: the version and 24 bits of flags.
    pub(super) fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        let [version, a, b, c] = self.array()?;
        Some((version, u32::from_be_bytes([0, a, b, c])))
    }
}
