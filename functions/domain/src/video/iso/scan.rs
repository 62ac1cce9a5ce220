//! Decides which fragments of a file are read: those at the front, and those at the end.
//!
//! The fragments at the front state the frame rate and the start of each track. If the file is short, they are all
//! fragments. Otherwise the duration is taken from the first of these sources that is present:
//!
//! 1. the segment indexes (`sidx`) that cover the whole file;
//! 2. the last fragments, which the random access table (`mfra`) names, or which are in the last 1 MiB of the file.

use super::boxes::{BoxHeader, MAX_HEADER_LEN, box_at};
use super::fragments::Timeline;
use super::index::{SegmentIndex, last_random_accesses};
use super::layout::{fragment_at_end, top_level_box};
use super::movie::Movie;
use crate::video::error::{ParseError, known};
use crate::video::file::{MAX_READ_LEN, PartialFile};
use crate::video::frame_rate::FrameDurations;

/// The frames after which no further fragment is read for the frame rate: one second of the highest accepted rate.
const ENOUGH_FRAMES: u64 = 60;

/// The fewest frames that show the rate of a file that was not read to its end.
const FEWEST_FRAMES: u64 = 24;

/// The reads after which no further fragment at the front is read.
const READS_AT_FRONT: u32 = 6;

/// The result of the scan.
#[derive(Debug)]
pub(super) struct Scan {
    /// The duration in milliseconds; `None` if unknown.
    pub(super) duration_ms: Option<u64>,
    /// The frames that were read; none if they are too few to show the rate of the file.
    pub(super) frames: FrameDurations,
    /// Whether the file has a fragment and media data. `None` if unknown.
    pub(super) has_samples: Option<bool>,
}

/// Reads fragments of the file after its movie header `moov`.
pub(super) fn scan(file: &PartialFile, movie: &Movie, video: usize, moov: &BoxHeader) -> Result<Scan, ParseError> {
    let mut timeline = Timeline::new(movie, video);
    let mut front = Front::default();
    let position = front.read(file, &mut timeline, moov.end)?;
    let duration_ms = match position {
        None if timeline.has_all_ends() => timeline.duration_ms(),
        None => None,
        Some(position) => {
            let presented = front.indexes.iter().filter(|index| is_presented(movie, video, index));
            match presented.filter_map(|index| index.duration_ms(file.size())).max() {
                Some(duration_ms) => Some(duration_ms),
                None => read_end(file, &mut timeline, position)?.then(|| timeline.duration_ms()).flatten(),
            }
        }
    };
    let is_whole = position.is_none();
    let has_samples = timeline.has_fragments && front.has_media_data;
    let has_samples = (is_whole || has_samples).then_some(has_samples);
    let frames = Some(timeline.frames).filter(|frames| is_whole || frames.frames() >= FEWEST_FRAMES);
    Ok(Scan { duration_ms, frames: frames.unwrap_or_default(), has_samples })
}

fn is_presented(movie: &Movie, video: usize, index: &SegmentIndex) -> bool {
    movie.presented_tracks(video).any(|(_, track)| track.header.id == index.track_id)
}

/// What the boxes after the movie header state, beside the fragments.
#[derive(Debug, Default)]
struct Front {
    indexes: Vec<SegmentIndex>,
    has_media_data: bool,
}

impl Front {
    /// Reads the fragments from `position` until they are enough. Returns the position of the next box, or `None` at
    /// the end of the file.
    fn read(
        &mut self,
        file: &PartialFile,
        timeline: &mut Timeline<'_>,
        mut position: u64,
    ) -> Result<Option<u64>, ParseError> {
        loop {
            let next_header = position..position.saturating_add(MAX_HEADER_LEN).min(file.size());
            let is_enough = timeline.frames.frames() >= ENOUGH_FRAMES || file.reads() >= READS_AT_FRONT;
            let is_near_end = file.size() - position <= MAX_READ_LEN && file.can_have(position..file.size());
            if is_enough && !is_near_end && !file.has(next_header) {
                return Ok(Some(position));
            }
            let Some(header) = known(top_level_box(file, position))? else {
                return Ok(Some(position));
            };
            let Some(header) = header else {
                return Ok(None);
            };
            self.has_media_data |= &header.kind == b"mdat" && header.body < header.end;
            if header.excess() > 0 {
                // The end of an aborted recording: the fragments before are playable.
                return Ok(None);
            }
            match &header.kind {
                b"moof" if known(read_fragment(file, timeline, &header))?.is_none() => return Ok(Some(position)),
                b"sidx" => self.indexes.extend(SegmentIndex::read(file, &header)?),
                _ => {}
            }
            position = header.end;
        }
    }
}

/// Reads the last fragments of a file whose fragments from `position` were not read. Returns whether the last fragment
/// was found.
fn read_end(file: &PartialFile, timeline: &mut Timeline<'_>, position: u64) -> Result<bool, ParseError> {
    timeline.skip_fragments();
    let entries = last_random_accesses(file)?;
    let named = entries.iter().map(|entry| entry.fragment).max().filter(|fragment| *fragment >= position);
    let mut next = match named {
        Some(fragment) => {
            let in_fragment = entries.iter().filter(|entry| entry.fragment == fragment);
            in_fragment.for_each(|entry| timeline.set_time(entry.track_id, entry.ticks));
            fragment
        }
        None => match fragment_at_end(file, position)? {
            Some(fragment) => fragment.start,
            None => return Ok(false),
        },
    };
    let mut is_found = false;
    loop {
        let Some(header) = known(box_at(file, next, file.size()))? else {
            return Ok(false);
        };
        let Some(header) = header.filter(|header| header.excess() == 0) else {
            return Ok(is_found);
        };
        if &header.kind == b"moof" {
            if known(read_fragment(file, timeline, &header))?.is_none() {
                return Ok(false);
            }
            is_found = true;
        }
        next = header.end;
    }
}

fn read_fragment(file: &PartialFile, timeline: &mut Timeline<'_>, moof: &BoxHeader) -> Result<(), ParseError> {
    file.bytes(moof.range())?;
    timeline.read(file, moof)
}
