//! Fuzz target `video`: video files of any content, and of any size that S3 may state.
//!
//! Properties: reads are limited in number and length, go forward and stay inside
//! the stated size; facts are equal after they are read back; an error is one short
//! line.

use domain::video::{InspectError, Inspection, Inspector, Limits, MAX_READ_LEN, MAX_READS, VideoFacts, check};

use crate::checks::check_error;

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
            Err(error) => check_error(&error),
        }
    }
}

/// Checks facts: the picture has a size, the facts can be read back from storage,
/// and they can be compared with the limits of both modes.
fn check_facts(facts: &VideoFacts) {
    assert!(facts.width > 0 && facts.height > 0, "{facts:?}");
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
        let (mut reads, mut read_until) = (0, 0);
        loop {
            let inspection = inspector.advance();
            assert_eq!(inspector.advance(), inspection, "a repeated call returns another result");
            match inspection? {
                Inspection::Done(facts) => return Ok(facts),
                Inspection::Read { offset, len } => {
                    assert!((1..=MAX_READ_LEN).contains(&len), "the read has {len} bytes");
                    assert!(offset >= read_until, "byte {offset} is read twice");
                    assert!(len <= self.stated_size - offset, "the read exceeds the stated size");
                    reads += 1;
                    assert!(reads <= MAX_READS, "the inspector wants {reads} reads");
                    let bytes = self.read(offset, len.min(self.max_read));
                    read_until = offset + bytes.len() as u64;
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
