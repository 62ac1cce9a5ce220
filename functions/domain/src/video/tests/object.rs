//! An in-memory object for the tests, which also checks the inspector's reads.

use crate::video::{InspectError, Inspection, Inspector, MAX_READ_LEN, MAX_READS, VideoFacts};

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
        let (mut reads, mut read_until) = (0, 0);
        loop {
            match inspector.advance() {
                Ok(Inspection::Read { offset, len }) => {
                    assert_eq!(inspector.advance(), Ok(Inspection::Read { offset, len }));
                    assert!((1..=MAX_READ_LEN).contains(&len), "{len} bytes requested");
                    assert!(offset >= read_until, "byte {offset} was read before");
                    assert!(offset + len <= self.size, "read beyond the end");
                    read_until = offset + len;
                    reads += 1;
                    assert!(reads <= MAX_READS, "too many reads");
                    inspector.feed(&self.read(offset, len));
                }
                Ok(Inspection::Done(facts)) => return (Ok(facts), reads),
                Err(error) => {
                    assert_eq!(inspector.advance(), Err(error.clone()));
                    return (Err(error), reads);
                }
            }
        }
    }

    pub(super) fn facts(&self) -> VideoFacts {
        self.inspect().0.unwrap()
    }

    pub(super) fn error(&self) -> InspectError {
        self.inspect().0.unwrap_err()
    }
}
