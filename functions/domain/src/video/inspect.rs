//! The [`Inspector`]: names the next range to read and ends the inspection.
//!
//! It selects the parser and enforces [`MAX_READS`]. The formats are in the parsers `iso` and `ebml`.

use super::ebml;
use super::error::{InspectError, ParseError};
use super::facts::VideoFacts;
use super::iso;
use super::sniff::{self, Format};
use super::window::Window;

/// The most reads of one inspection.
///
/// A header at the front takes one read, a header at the back two, the header of an hour-long video about five. Only
/// a fragmented file without an index takes one read per fragment. If such a file reaches this limit, its duration
/// stays unknown.
pub const MAX_READS: u32 = 128;

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
    /// The first bytes, which select the parser, are missing.
    Start,
    Iso(iso::Parser),
    Ebml(ebml::Parser),
    Done(Result<VideoFacts, InspectError>),
}

/// Finds a video's facts in a few small byte ranges.
///
/// The caller repeats three steps: call [`advance`](Self::advance), read the range that it returns, and
/// [`feed`](Self::feed) the bytes. The loop ends when `advance` returns [`Inspection::Done`] or an error.
#[derive(Debug)]
pub struct Inspector {
    window: Window,
    state: State,
    /// Offset and length of the read that the caller has not fed yet.
    pending_read: Option<(u64, u64)>,
    reads: u32,
}

impl Inspector {
    /// Starts the inspection of an object of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self { window: Window::new(size), state: State::Start, pending_read: None, reads: 0 }
    }

    /// Parses the bytes fed so far. Returns the next range to read, or the facts.
    ///
    /// A second call without [`feed`](Self::feed) in between returns the same.
    ///
    /// # Errors
    /// Any [`InspectError`]. The inspection has then ended, and every further call returns the same error.
    pub fn advance(&mut self) -> Result<Inspection, InspectError> {
        if let Some((offset, len)) = self.pending_read {
            return Ok(Inspection::Read { offset, len });
        }
        match self.parse() {
            Ok(facts) => self.end(Ok(facts)),
            Err(ParseError::Failed(error)) => self.end(Err(error)),
            Err(ParseError::Incomplete) if self.reads == MAX_READS => {
                let result = self.facts_at_read_limit();
                self.end(result)
            }
            Err(ParseError::Incomplete) => {
                let range = self.window.next_read();
                let (offset, len) = (range.start, range.end - range.start);
                self.pending_read = Some((offset, len));
                Ok(Inspection::Read { offset, len })
            }
        }
    }

    /// Takes the bytes of the range that [`advance`](Self::advance) returned last.
    ///
    /// After a short read, `advance` returns the rest of the range. An empty read ends the inspection with an error,
    /// because the object is shorter than stated. Bytes beyond the range, or without a pending read, are ignored.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some((offset, len)) = self.pending_read.take() else {
            return;
        };
        self.reads += 1;
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
        if len == 0 {
            let reason = format!("no bytes could be read at byte {offset}, before its stated end");
            self.state = State::Done(Err(InspectError::damaged(reason)));
        } else {
            self.window.extend(offset, &bytes[..len]);
        }
    }

    fn parse(&mut self) -> Result<VideoFacts, ParseError> {
        if let State::Start = self.state {
            self.state = match sniff::detect(&self.window)? {
                Format::Iso(container) => State::Iso(iso::Parser::new(container, self.window.size())),
                Format::Ebml => State::Ebml(ebml::Parser::new(self.window.size())),
            };
        }
        match &mut self.state {
            State::Start => Err(ParseError::Incomplete),
            State::Iso(parser) => parser.advance(&mut self.window),
            State::Ebml(parser) => parser.advance(&mut self.window),
            State::Done(result) => Ok(result.clone()?),
        }
    }

    fn facts_at_read_limit(&self) -> Result<VideoFacts, InspectError> {
        let partial = match &self.state {
            State::Iso(parser) => parser.partial_facts(),
            State::Start | State::Ebml(_) | State::Done(_) => None,
        };
        partial.unwrap_or_else(|| {
            let reason = format!("its header was not found within {MAX_READS} reads of the file");
            Err(InspectError::unsupported(reason))
        })
    }

    fn end(&mut self, result: Result<VideoFacts, InspectError>) -> Result<Inspection, InspectError> {
        self.state = State::Done(result.clone());
        result.map(Inspection::Done)
    }
}
