//! Video header inspection: finds the container, codec, duration, picture size and frame rate of a dropped object.
//!
//! A video may be 4 GB. Its header is a few hundred bytes, at the front or at the back of the file.
//! [`Inspector::advance`] names the next small byte range to read, and [`Inspector::feed`] takes those bytes. The
//! inspection ends with [`VideoFacts`] or an [`InspectError`]. [`check()`] then compares the facts with [TikTok's
//! media restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide), so that a video
//! that TikTok would reject fails before a byte is sent.
//!
//! ```text
//! Inspector      names the ranges to read, starts the parser after each read
//!   sniff        selects the parser by the first bytes
//!   iso          MP4 and MOV: parses boxes
//!   ebml         WebM: parses elements up to the first cluster
//!   PartialFile  the ranges of the object in memory, and the budget of reads
//! frame_rate     measures the frame rate
//! check          compares the facts with the limits
//! ```
//!
//! This module does no I/O. It does not look at the file name or decode pictures. It refuses only a video that is
//! certainly outside TikTok's limits. A property that cannot be determined is unknown, and TikTok decides.
//!
//! Invariants for any input: no byte is requested twice; an inspection makes at most [`MAX_READS`] reads and reads at
//! most [`MAX_BYTES`]; memory stays under 4 MiB; nothing panics.
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
mod file;
mod frame_rate;
mod inspect;
mod iso;
mod sniff;

#[cfg(test)]
mod tests;

pub use check::{Limits, Violation, Violations, check};
pub use codec::Codec;
pub use container::Container;
pub use error::InspectError;
pub use facts::VideoFacts;
pub use file::{MAX_BYTES, MAX_READ_LEN, MAX_READS};
pub use frame_rate::FrameRate;
pub use inspect::{Inspection, Inspector};
