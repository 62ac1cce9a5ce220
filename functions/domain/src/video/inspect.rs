//! The conversation: which range is wanted next, and how it ends.
//!
//! Counts reads and keeps the promise that they are few. Knows no format.

use super::VideoFacts;
use super::ebml;
use super::iso;
use super::sniff::{self, Format};
use super::window::{Halt, Window};

/// The most reads that one inspection asks for.
///
/// A header at the front takes 1, at the back 2, of an hour-long video a
/// handful. Only a fragmented file without an index takes one for each
/// fragment; after this many its duration is left unknown.
pub const MAX_READS: u32 = 128;

/// Says what an inspection needs or has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read this range of the object and [`feed`](Inspector::feed) it.
    Read {
        /// Where the range starts, in bytes from the object's start.
        offset: u64,
        /// How long it is in bytes: at least 1, at most
        /// [`MAX_READ_LEN`](super::MAX_READ_LEN), never beyond the object's end.
        len: u64,
    },
    /// The inspection is over, and this is the video.
    Done(VideoFacts),
}

/// Says why an object has no facts that a video has.
///
/// TikTok would answer each with `file_format_check_failed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The bytes are no video at all.
    #[error("the file is not a video: {why}; drop an MP4, MOV or WebM file")]
    NotAVideo {
        /// What they are instead, or what they lack.
        why: String,
    },
    /// A video in a format that TikTok does not take or that cannot be judged.
    #[error("the video is in a format that cannot be posted: {why}; convert it to MP4 with H.264 and drop that")]
    Unsupported {
        /// Which format, or which trait of it.
        why: String,
    },
    /// A video that is cut off or contradicts itself.
    #[error("the video file is damaged: {why}; drop the whole file again, or export it anew")]
    Damaged {
        /// Where it breaks.
        why: String,
    },
}

impl InspectError {
    /// Returns the `fail_reason` that TikTok has for such a file.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "file_format_check_failed"
    }

    pub(super) fn not_a_video(why: impl Into<String>) -> Self {
        Self::NotAVideo { why: why.into() }
    }

    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self::Unsupported { why: why.into() }
    }

    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged { why: why.into() }
    }
}

#[derive(Debug)]
enum State {
    Unknown,
    Iso(iso::Walk),
    Ebml(ebml::Walk),
    Over(Result<VideoFacts, InspectError>),
}

/// Finds a video's facts in a few small ranges of its bytes.
///
/// The caller repeats: [`step`](Self::step), read the range it names, and
/// [`feed`](Self::feed) the bytes; until `step` answers `Done` or an error.
#[derive(Debug)]
pub struct Inspector {
    window: Window,
    state: State,
    asked: Option<(u64, u64)>,
    reads: u32,
}

impl Inspector {
    /// Starts on an object of `size` bytes, none of which has been read.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { window: Window::new(size), state: State::Unknown, asked: None, reads: 0 }
    }

    /// Goes on as far as the bytes fed so far allow. Called again without a
    /// [`feed`](Self::feed) in between, it answers the same.
    ///
    /// # Errors
    ///
    /// Any [`InspectError`]; the inspection is over and stays at that answer.
    pub fn step(&mut self) -> Result<Step, InspectError> {
        if let Some((offset, len)) = self.asked {
            return Ok(Step::Read { offset, len });
        }
        match self.advance() {
            Ok(facts) => self.end(Ok(facts)),
            Err(Halt::Failed(error)) => self.end(Err(error)),
            Err(Halt::Wants) if self.reads == MAX_READS => {
                let given_up = self.give_up();
                self.end(given_up)
            }
            Err(Halt::Wants) => {
                let range = self.window.missing();
                let (offset, len) = (range.start, range.end - range.start);
                self.asked = Some((offset, len));
                Ok(Step::Read { offset, len })
            }
        }
    }

    /// Takes the bytes of the range that [`step`](Self::step) named last.
    ///
    /// Fewer bytes than asked for are taken as they come and the rest is asked
    /// for again; none at all ends the inspection, as the object is shorter
    /// than it was said to be. Bytes that were not asked for are left alone.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some((offset, len)) = self.asked.take() else {
            return;
        };
        self.reads += 1;
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
        if len == 0 {
            let why = format!("nothing could be read at byte {offset}, before its stated end");
            self.state = State::Over(Err(InspectError::damaged(why)));
        } else {
            self.window.extend(offset, &bytes[..len]);
        }
    }

    fn advance(&mut self) -> Result<VideoFacts, Halt> {
        if let State::Unknown = self.state {
            self.state = match sniff::format(&self.window)? {
                Format::Iso(container) => State::Iso(iso::Walk::new(container, self.window.size())),
                Format::Ebml => State::Ebml(ebml::Walk::new(self.window.size())),
            };
        }
        match &mut self.state {
            State::Unknown => Err(Halt::Wants),
            State::Iso(walk) => walk.advance(&mut self.window),
            State::Ebml(walk) => walk.advance(&mut self.window),
            State::Over(result) => Ok(result.clone()?),
        }
    }

    fn give_up(&self) -> Result<VideoFacts, InspectError> {
        match &self.state {
            State::Iso(walk) => walk.give_up(),
            State::Unknown | State::Ebml(_) | State::Over(_) => Err(not_found()),
        }
    }

    fn end(&mut self, result: Result<VideoFacts, InspectError>) -> Result<Step, InspectError> {
        self.state = State::Over(result.clone());
        result.map(Step::Done)
    }
}

/// Says that the header lies too deep in the file.
pub(super) fn not_found() -> InspectError {
    InspectError::unsupported(format!("its header was not found within {MAX_READS} reads of the file"))
}
