//! What a dropped object is, as far as its own header tells: container, codec,
//! length, picture size and frame rate.
//!
//! A video may be 4 GB; its header is a few hundred bytes of it, at the front
//! or at the back. This module says which small range of the object it wants
//! next ([`Inspector::step`]), is given those bytes ([`Inspector::feed`]) and
//! ends with [`VideoFacts`] or a reason why there are none ([`InspectError`]).
//! [`check()`] then holds the facts against
//! [TikTok's media restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide),
//! so that a video that TikTok would refuse is refused before a byte is sent.
//!
//! ```text
//! Inspector      asks and is fed; decides what the bytes are
//!   Window       the one stretch of the object in memory; only moves forward
//!   iso          MP4 and MOV: walks boxes, skips the sample tables unread
//!   ebml         WebM: walks elements up to the first cluster
//! check          facts against limits
//! ```
//!
//! It does not read anything itself, does not look at the file's name, and does
//! not look inside the coded pictures: what the header says is taken as said,
//! and TikTok has the last word.
//!
//! Invariants, whatever the bytes are: no byte is asked for twice, no more than
//! [`MAX_READS`] reads of at most [`MAX_READ_LEN`] bytes are asked for, memory
//! stays under 4 MiB, and nothing panics.
//!
//! The parsers are written here for the sake of these. The libraries for MP4
//! decode a movie header whole, which for an hour of video is 10 MB of sample
//! tables around the 20 bytes that are wanted, and refuse all of it for one box
//! that they do not like; those for Matroska read and seek by themselves.

mod check;
mod codec;
mod container;
mod ebml;
mod fields;
mod frame_rate;
mod inspect;
mod iso;
mod sniff;
mod window;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use check::{Fault, Faults, Limits, check};
pub use codec::Codec;
pub use container::Container;
pub use frame_rate::FrameRate;
pub use inspect::{InspectError, Inspector, MAX_READS, Step};
pub use window::MAX_READ_LEN;

/// States what a video's header says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// The file's format, judged by its bytes.
    pub container: Container,
    /// How the first enabled video track is coded.
    pub codec: Codec,
    /// How long the video plays, in milliseconds; `None` where the header does
    /// not say, as in a recording that was streamed while it was made.
    pub duration_ms: Option<u64>,
    /// The picture's width in pixels, as it is shown: after a quarter turn that
    /// the header asks for.
    pub width: u32,
    /// The picture's height in pixels, as it is shown.
    pub height: u32,
    /// Frames a second, on average; `None` where the header does not say.
    pub frame_rate: Option<FrameRate>,
}
