//! Fuzz target `video`: video files of any content, and of any size that S3 may state.
//!
//! Properties: reads are limited in number, length and sum, stay inside the stated
//! size, and read no byte twice; facts are equal after they are read back; an error
//! and its advice are one short line each.

use domain::video::{
    InspectError, Inspection, Inspector, Limits, MAX_BYTES, MAX_READ_LEN, MAX_READS, VideoFacts, check,
};

use crate::checks::{check_error, check_text};

/// By how much a stated size exceeds the input: more than one read (`MAX_READ_LEN`).
const EXCESS_BYTES: u64 = 100_000;

/// What reads beyond the input's bytes return.
#[derive(Clone, Copy)]
enum Padding {
    /// Zeros up to the stated size.
    Zeros,
    /// Nothing: the reads are short.
    Nothing,
}

/// An object in S3 whose first bytes are the input.
struct Object<'a> {
    bytes: &'a [u8],
    /// The size that S3 states.
    stated_size: u64,
    padding: Padding,
    /// The maximum number of bytes of one read.
    max_read: u64,
}

/// Inspects a file: with its real size, with short reads, with a smaller and a
/// larger stated size, and with the size in its last eight bytes.
pub fn video(input: &[u8]) {
    let size = input.len() as u64;
    let fuzzed_size = input.last_chunk().map_or(1, |bytes| u64::from_be_bytes(*bytes));
    let short_read = 1 + fuzzed_size % 1024;
    for (stated_size, padding, max_read) in [
        (size, Padding::Nothing, u64::MAX),
        (size, Padding::Nothing, short_read),
        (size / 2, Padding::Nothing, u64::MAX),
        (size.saturating_add(EXCESS_BYTES), Padding::Nothing, u64::MAX),
        (size.saturating_add(EXCESS_BYTES), Padding::Zeros, u64::MAX),
        (fuzzed_size, Padding::Zeros, u64::MAX),
        (u64::MAX, Padding::Zeros, u64::MAX),
    ] {
        match (Object { bytes: input, stated_size, padding, max_read }).inspect() {
            Ok(facts) => check_facts(&facts),
            Err(error) => {
                check_error(&error);
                check_text(&error.advice());
            }
        }
    }
}

/// Checks facts: a known picture size is not 0, the facts can be read back from storage,
/// and they can be compared with the limits of both modes.
fn check_facts(facts: &VideoFacts) {
    assert!(facts.width != Some(0) && facts.height != Some(0), "{facts:?}");
    let stored = serde_json::to_vec(facts).expect("facts can be serialized");
    let read_back = serde_json::from_slice::<VideoFacts>(&stored);
    assert_eq!(read_back.ok().as_ref(), Some(facts), "the facts change when they are read back");
    for limits in [Limits::draft(), Limits::direct(None)] {
        if let Err(violations) = check(facts, &limits) {
            check_error(&violations);
        }
    }
}

impl Object<'_> {
    /// Inspects the object, and checks every read against the limits of `domain::video`.
    fn inspect(&self) -> Result<VideoFacts, InspectError> {
        let mut inspector = Inspector::new(self.stated_size);
        let mut reads: Vec<(u64, u64)> = Vec::new();
        loop {
            let inspection = inspector.advance();
            assert_eq!(inspector.advance(), inspection, "a repeated call returns another result");
            match inspection? {
                Inspection::Done(facts) => return Ok(facts),
                Inspection::Read { offset, len } => {
                    assert!((1..=MAX_READ_LEN).contains(&len), "the read has {len} bytes");
                    assert!(len <= self.stated_size - offset, "the read exceeds the stated size");
                    let is_new = reads.iter().all(|(start, end)| offset + len <= *start || *end <= offset);
                    assert!(is_new, "bytes from {offset} are read twice");
                    let bytes = self.read(offset, len.min(self.max_read));
                    reads.push((offset, offset + bytes.len() as u64));
                    assert!(reads.len() as u64 <= u64::from(MAX_READS), "the inspector wants {} reads", reads.len());
                    let total: u64 = reads.iter().map(|(start, end)| end - start).sum();
                    assert!(total <= MAX_BYTES, "the inspector reads {total} bytes");
                    inspector.feed(&bytes);
                }
            }
        }
    }

    fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(self.bytes.len());
        let mut bytes = self.bytes[index(offset)..index(offset.saturating_add(len))].to_vec();
        if let Padding::Zeros = self.padding {
            bytes.resize(usize::try_from(len).unwrap_or_default(), 0);
        }
        bytes
    }
}
