//! An in-memory object for the tests, which also checks the inspector's reads.

use crate::video::{InspectError, Inspection, Inspector, MAX_BYTES, MAX_READ_LEN, MAX_READS, VideoFacts};

/// A sparse object of `size` bytes: zeros, except for the bytes of `parts`, which are pairs of an offset and content.
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) parts: Vec<(u64, Vec<u8>)>,
}

impl Object {
    pub(super) fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { size: bytes.len() as u64, parts: vec![(0, bytes)] }
    }

    pub(super) fn fixture(name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/");
        Self::from_bytes(std::fs::read(format!("{folder}{name}")).unwrap())
    }

    /// Adds bytes at the end, then `zeros` zero bytes.
    pub(super) fn push(&mut self, bytes: Vec<u8>, zeros: u64) {
        let len = bytes.len() as u64;
        self.parts.push((self.size, bytes));
        self.size += len + zeros;
    }

    pub(super) fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        for (start, part) in &self.parts {
            let from = offset.max(*start);
            let until = (offset + len).min(start + part.len() as u64);
            if from < until {
                let at = |position: u64, base: u64| usize::try_from(position - base).unwrap();
                bytes[at(from, offset)..at(until, offset)].copy_from_slice(&part[at(from, *start)..at(until, *start)]);
            }
        }
        bytes
    }

    /// Inspects the object and returns the result and the number of reads. Checks each read against the invariants
    /// that [`crate::video`] states.
    pub(super) fn inspect(&self) -> (Result<VideoFacts, InspectError>, u32) {
        let mut inspector = Inspector::new(self.size);
        let mut reads: Vec<(u64, u64)> = Vec::new();
        loop {
            let result = match inspector.advance() {
                Ok(Inspection::Read { offset, len }) => {
                    assert_eq!(inspector.advance(), Ok(Inspection::Read { offset, len }));
                    assert!((1..=MAX_READ_LEN).contains(&len), "{len} bytes requested");
                    assert!(offset + len <= self.size, "read beyond the end");
                    let is_new = reads.iter().all(|(start, end)| offset + len <= *start || *end <= offset);
                    assert!(is_new, "byte {offset} was read before");
                    reads.push((offset, offset + len));
                    inspector.feed(&self.read(offset, len));
                    continue;
                }
                Ok(Inspection::Done(facts)) => Ok(facts),
                Err(error) => Err(error),
            };
            assert_eq!(inspector.advance(), result.clone().map(Inspection::Done));
            let count = u32::try_from(reads.len()).unwrap();
            assert!(count <= MAX_READS, "{count} reads");
            let bytes: u64 = reads.iter().map(|(start, end)| end - start).sum();
            assert!(bytes <= MAX_BYTES, "{bytes} bytes read");
            return (result, count);
        }
    }

    pub(super) fn facts(&self) -> VideoFacts {
        self.inspect().0.unwrap()
    }

    pub(super) fn error(&self) -> InspectError {
        self.inspect().0.unwrap_err()
    }
}
