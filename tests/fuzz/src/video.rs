//! Any file, of any size that its bucket may claim.

use domain::video::{InspectError, Inspector, Limits, MAX_READ_LEN, MAX_READS, Step, VideoFacts, check};

use crate::words::hold_error;

/// What there is behind the bytes of the input.
#[derive(Clone, Copy)]
enum Behind {
    /// The object is as large as it claims to be: zeros.
    Zeros,
    /// It is not, and reads come back short.
    Nothing,
}

/// An object in a bucket, as an input makes it.
struct Object<'a> {
    bytes: &'a [u8],
    /// The size that the bucket states.
    claim: u64,
    behind: Behind,
    /// The most bytes that one read brings.
    most: u64,
}

/// Inspects a file: as it is, in drops, cut, longer than it is, and under a size
/// that its last eight bytes say.
pub fn video(input: &[u8]) {
    let size = input.len() as u64;
    let said = input.last_chunk().map_or(1, |bytes| u64::from_be_bytes(*bytes));
    let drops = 1 + said % 1024;
    for (claim, behind, most) in [
        (size, Behind::Nothing, u64::MAX),
        (size, Behind::Nothing, drops),
        (size / 2, Behind::Nothing, u64::MAX),
        (size.saturating_add(100_000), Behind::Nothing, u64::MAX),
        (size.saturating_add(100_000), Behind::Zeros, u64::MAX),
        (said, Behind::Zeros, u64::MAX),
        (u64::MAX, Behind::Zeros, u64::MAX),
    ] {
        match (Object { bytes: input, claim, behind, most }).inspect() {
            Ok(facts) => hold(&facts),
            Err(error) => hold_error(&error),
        }
    }
}

/// Facts are of a picture, can be kept and read back, and can be judged.
fn hold(facts: &VideoFacts) {
    assert!(facts.width > 0 && facts.height > 0, "{facts:?}");
    let kept = serde_json::to_vec(facts).expect("facts can be kept");
    assert_eq!(serde_json::from_slice::<VideoFacts>(&kept).ok().as_ref(), Some(facts), "as they were kept");
    for limits in [Limits::draft(), Limits::direct(None)] {
        if let Err(faults) = check(facts, &limits) {
            hold_error(&faults);
        }
    }
}

impl Object<'_> {
    /// Holds every read against what `domain::video` promises.
    fn inspect(&self) -> Result<VideoFacts, InspectError> {
        let mut inspector = Inspector::new(self.claim);
        let (mut reads, mut read_until) = (0, 0);
        loop {
            let step = inspector.step();
            assert_eq!(inspector.step(), step, "asked again, it answers the same");
            match step? {
                Step::Done(facts) => return Ok(facts),
                Step::Read { offset, len } => {
                    assert!((1..=MAX_READ_LEN).contains(&len), "{len} bytes are asked for");
                    assert!(offset >= read_until, "byte {offset} was read before");
                    assert!(len <= self.claim - offset, "bytes beyond the end are asked for");
                    reads += 1;
                    assert!(reads <= MAX_READS, "{reads} reads");
                    let bytes = self.read(offset, len.min(self.most));
                    read_until = offset + bytes.len() as u64;
                    inspector.feed(&bytes);
                }
            }
        }
    }

    fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(self.bytes.len());
        let mut bytes = self.bytes[index(offset)..index(offset.saturating_add(len))].to_vec();
        if let Behind::Zeros = self.behind {
            bytes.resize(usize::try_from(len).unwrap_or_default(), 0);
        }
        bytes
    }
}
