//! The result of an inspection.

use serde::{Deserialize, Serialize};

use super::codec::Codec;
use super::container::Container;
use super::frame_rate::FrameRate;

/// Properties of a video, as stated in its header.
///
/// `None` means unknown: the header does not state the property, states something impossible, or is too large to be
/// read within the limits of an inspection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// The file format, detected from the bytes and not from the file name.
    pub container: Container,
    /// The codec of the video track.
    pub codec: Option<Codec>,
    /// The duration of the longest audible or visible track, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The displayed width in pixels, after a quarter turn that the header asks for.
    pub width: Option<u32>,
    /// The displayed height in pixels, after the same quarter turn.
    pub height: Option<u32>,
    /// The most common frames per second.
    pub frame_rate: Option<FrameRate>,
    /// The average frames per second over all frames. Facts that an earlier version stored do not have it.
    #[serde(default)]
    pub average_frame_rate: Option<FrameRate>,
}

impl VideoFacts {
    /// Returns facts of which only the container is known.
    pub fn unknown(container: Container) -> Self {
        Self {
            container,
            codec: None,
            duration_ms: None,
            width: None,
            height: None,
            frame_rate: None,
            average_frame_rate: None,
        }
    }
}
