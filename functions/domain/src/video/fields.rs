//! Big-endian numbers, one after the other. Every read may find the bytes
//! ended; none panics.

/// Reads fields off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Starts at the front of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes the next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// Passes over `len` bytes.
    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.0 = self.0.get(len..)?;
        Some(())
    }

    /// Returns everything that was not taken yet.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Takes an unsigned number of two bytes.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes an unsigned number of four bytes.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a signed number of four bytes.
    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// Takes a number that the box's `version` made eight bytes long (1) or
    /// left at four (0).
    pub(super) fn sized(&mut self, version: u8) -> Option<u64> {
        if version == 1 { self.array().map(u64::from_be_bytes) } else { self.u32().map(u64::from) }
    }

    /// Takes the version and the 24 bits of flags that open a full box.
    pub(super) fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        let [version, a, b, c] = self.array()?;
        Some((version, u32::from_be_bytes([0, a, b, c])))
    }
}
