//! The result of an inspection.

use serde::{Deserialize, Serialize};

use super::codec::Codec;
use super::container::Container;
use super::frame_rate::FrameRate;

/// Properties of a video, as stated in its header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// The file format, detected from the bytes and not from the file name.
    pub container: Container,
    /// The codec of the first enabled video track.
    pub codec: Codec,
    /// The duration in milliseconds. `None` if the header does not state it, for example in a live recording.
    pub duration_ms: Option<u64>,
    /// The displayed width in pixels, after a quarter turn that the header asks for.
    pub width: u32,
    /// The displayed height in pixels, after the same quarter turn.
    pub height: u32,
    /// The average frames per second. `None` if the header does not state them.
    pub frame_rate: Option<FrameRate>,
}
