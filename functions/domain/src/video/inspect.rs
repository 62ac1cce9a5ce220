//! The [`Inspector`]: names the next range to read and ends the inspection.
//!
//! After each read, the parser starts again from the beginning with all bytes that were read. So it needs no state of
//! its own. It ends, because each read adds bytes and [`PartialFile`] limits the reads.

use std::ops::Range;

use super::ebml;
use super::error::{InspectError, ParseError};
use super::facts::VideoFacts;
use super::file::PartialFile;
use super::iso;
use super::sniff::{self, Format};

/// The state of an inspection after [`Inspector::advance`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// The caller must read this range of the object and [`feed`](Inspector::feed) the bytes.
    Read {
        /// The start of the range, in bytes from the start of the object.
        offset: u64,
        /// The range's length in bytes: 1 to [`MAX_READ_LEN`](super::MAX_READ_LEN), never beyond the object's end.
        len: u64,
    },
    /// The inspection has ended with these facts.
    Done(VideoFacts),
}

#[derive(Debug)]
enum State {
    /// The parser must run.
    Parse,
    /// The caller must read this range first.
    Read(Range<u64>),
    Ended(Result<VideoFacts, InspectError>),
}

/// Finds a video's facts in a few small byte ranges.
///
/// The caller repeats three steps: call [`advance`](Self::advance), read the range that it returns, and
/// [`feed`](Self::feed) the bytes. The loop ends when `advance` returns [`Inspection::Done`] or an error.
#[derive(Debug)]
pub struct Inspector {
    file: PartialFile,
    state: State,
}

impl Inspector {
    /// Starts the inspection of an object of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self { file: PartialFile::new(size), state: State::Parse }
    }

    /// Parses the bytes fed so far. Returns the next range to read, or the facts.
    ///
    /// A second call without [`feed`](Self::feed) in between returns the same.
    ///
    /// # Errors
    /// Any [`InspectError`]. The inspection has then ended, and every further call returns the same error.
    pub fn advance(&mut self) -> Result<Inspection, InspectError> {
        let result = match &self.state {
            State::Read(range) => return Ok(Inspection::Read { offset: range.start, len: range.end - range.start }),
            State::Ended(result) => return result.clone().map(Inspection::Done),
            State::Parse => parse(&self.file),
        };
        self.state = match result {
            Ok(facts) => State::Ended(Ok(facts)),
            Err(ParseError::Needs(missing)) => State::Read(self.file.next_read(&missing)),
            Err(ParseError::Failed(error)) => State::Ended(Err(error)),
            // The parsers know what is unknown then. This is for a format that the first bytes do not show.
            Err(ParseError::Unreadable) => {
                let reason = "its first bytes match no known video format";
                State::Ended(Err(InspectError::not_a_video(reason)))
            }
        };
        self.advance()
    }

    /// Takes the bytes of the range that [`advance`](Self::advance) returned last.
    ///
    /// After a short read, `advance` returns the rest of the range. An empty read ends the inspection with an error,
    /// because the object is shorter than stated. Bytes beyond the range, or without a pending read, are ignored.
    pub fn feed(&mut self, bytes: &[u8]) {
        let State::Read(range) = &self.state else {
            return;
        };
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(bytes.len());
        if len == 0 {
            let reason = format!("no bytes could be read at byte {}, before its stated end", range.start);
            self.state = State::Ended(Err(InspectError::damaged(reason)));
        } else {
            self.file.add(range.start, &bytes[..len]);
            self.state = State::Parse;
        }
    }
}

fn parse(file: &PartialFile) -> Result<VideoFacts, ParseError> {
    match sniff::detect(file)? {
        Format::Iso(start) => iso::inspect(file, start),
        Format::Ebml(start) => ebml::inspect(file, start),
    }
}
