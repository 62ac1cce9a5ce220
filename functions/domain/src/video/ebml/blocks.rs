//! The times of the frames in the first cluster of a Matroska file ([RFC 9559, section
//! 5.1.3](https://www.rfc-editor.org/rfc/rfc9559#section-5.1.3)).

use super::element::{ElementHeader, block_track_and_time};
use super::track::Track;
use crate::video::file::PartialFile;
use crate::video::frame_rate::FrameDurations;

/// IDs of the elements that are read.
mod id {
    pub(super) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(super) const BLOCK_GROUP: u32 = 0xa0;
    pub(super) const BLOCK: u32 = 0xa1;
}

/// The fewest frames that show the rate of the file.
const FEWEST_FRAMES: u64 = 24;

/// Returns the frames of a track in `cluster`, as far as they were already read. Returns `None` if they are too few.
pub(super) fn frames(
    file: &PartialFile,
    cluster: &ElementHeader,
    track: &Track,
    timestamp_scale: u64,
) -> Option<FrameDurations> {
    let ticks_per_second = 1_000_000_000_u64.checked_div(timestamp_scale)?.try_into().ok()?;
    let mut times = Vec::new();
    // An error means that the next block was not read.
    for element in cluster.children(file).map_while(Result::ok) {
        let block = match element.id {
            id::SIMPLE_BLOCK => Some(element),
            id::BLOCK_GROUP => element.children(file).map_while(Result::ok).find(|child| child.id == id::BLOCK),
            _ => None,
        };
        let Some(Ok(value)) = block.map(|block| block.value(file)) else {
            continue;
        };
        if let Some((number, time)) = block_track_and_time(value)
            && number == track.number
        {
            times.push(time);
        }
    }
    // Blocks are in the order of decoding.
    times.sort_unstable();
    let mut durations = FrameDurations::new(ticks_per_second);
    times.windows(2).for_each(|pair| durations.add(1, u32::from(pair[1].abs_diff(pair[0]))));
    (durations.frames() >= FEWEST_FRAMES).then_some(durations)
}
