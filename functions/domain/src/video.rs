//! Video header inspection: finds the container, codec, duration, picture size and frame rate of a dropped object.
//!
//! A video may be 4 GB. Its header is a few hundred bytes, at the front or at the back of the file.
//! [`Inspector::advance`] names the next small byte range to read, and [`Inspector::feed`] takes those bytes. The
//! inspection ends with [`VideoFacts`] or an [`InspectError`]. [`check()`] then compares the facts with [TikTok's
//! media restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide), so that a video
//! that TikTok would reject fails before a byte is sent.
//!
//! ```text
//! Inspector      names the ranges to read, selects the parser, counts the reads
//!   sniff        selects the parser by the first bytes
//!   iso          MP4 and MOV: parses boxes, skips the sample tables unread
//!   ebml         WebM: parses elements up to the first cluster
//!   Window       the one range of the object in memory; only moves forward
//! check          compares the facts with the limits
//! ```
//!
//! This module does no I/O. It does not look at the file name or decode pictures. It believes the header; TikTok
//! decides.
//!
//! Invariants for any input: no byte is requested twice; an inspection makes at most [`MAX_READS`] reads of at most
//! [`MAX_READ_LEN`] bytes; memory stays under 4 MiB; nothing panics.
//!
//! These invariants are the reason for our own parsers. MP4 libraries decode the whole movie header: for one hour of
//! video, 10 MB of sample tables around the 20 bytes that we need. They also reject the whole header because of one
//! invalid box. Matroska libraries do their own reads and seeks.

mod check;
mod codec;
mod container;
mod ebml;
mod error;
mod facts;
mod fields;
mod frame_rate;
mod inspect;
mod iso;
mod sniff;
mod window;

#[cfg(test)]
mod tests;

pub use check::{Limits, Violation, Violations, check};
pub use codec::Codec;
pub use container::Container;
pub use error::InspectError;
pub use facts::VideoFacts;
pub use frame_rate::FrameRate;
pub use inspect::{Inspection, Inspector, MAX_READS};
pub use window::MAX_READ_LEN;
