//! The parser for MP4 and MOV, which are ISO base media files.
//!
//! ```text
//! layout        finds the movie header and the media data among the top-level boxes
//! movie, track  read the boxes of the movie header
//! scan          selects the fragments to read, if the samples are in fragments
//! fragments     reads them
//! index         reads the indexes of fragments
//! boxes         reads the headers of boxes
//! ```
//!
//! Durations and frame rates are computed from the samples' own times. The durations that `mvhd`, `mdhd` and `mehd`
//! state are not used: many muxers write them in the wrong unit, or do not update them.

mod boxes;
mod clock;
mod edit_list;
mod fragments;
mod index;
mod layout;
mod movie;
mod sample_entry;
mod scan;
mod track;

use self::boxes::BoxHeader;
use self::layout::{Layout, MediaData, truncated};
use self::movie::Movie;
use self::scan::scan;
use self::track::Track;
use super::error::{InspectError, ParseError, known};
use super::facts::VideoFacts;
use super::file::PartialFile;
use super::frame_rate::FrameDurations;

/// How many bytes after the movie header are read with it: the header of the box with the media data.
const LEN_AFTER_MOVIE: u64 = 64;

/// Finds the facts of the file whose first box is at the position `start`.
pub(super) fn inspect(file: &PartialFile, start: u64) -> Result<VideoFacts, ParseError> {
    let layout = Layout::find(file, start)?;
    let unknown = VideoFacts::unknown(layout.container());
    let Some(moov) = &layout.movie else {
        return Ok(unknown);
    };
    // The whole header takes one read if the budget allows it. Otherwise its boxes are read one after the other.
    let with_next_header = moov.start..moov.end.saturating_add(LEN_AFTER_MOVIE).min(file.size());
    known(file.bytes(with_next_header))?;
    let movie = Movie::read(file, moov)?;
    let Some(video) = movie.video_track() else {
        if movie.is_partial {
            return Ok(unknown);
        }
        return Err(InspectError::not_a_video("it has no video track").into());
    };
    let track = &movie.tracks[video];
    if track.entry.as_ref().is_some_and(|entry| entry.is_encrypted) {
        return Err(InspectError::encrypted("its video track needs a key").into());
    }
    let (duration_ms, frames) = if movie.is_fragmented {
        fragmented(file, &layout, &movie, video, moov)?
    } else {
        check_media_data(file, &layout, track)?;
        (duration_ms(&movie, video), track.times.as_ref().map(|times| times.durations.clone()).unwrap_or_default())
    };
    let (width, height) = picture_size(&movie, track);
    Ok(VideoFacts {
        codec: track.entry.as_ref().map(|entry| entry.codec.clone()),
        duration_ms,
        width,
        height,
        frame_rate: frames.most_common_rate(),
        average_frame_rate: frames.average_rate(),
        ..unknown
    })
}

/// Returns duration and frames of a fragmented file.
fn fragmented(
    file: &PartialFile,
    layout: &Layout,
    movie: &Movie,
    video: usize,
    moov: &BoxHeader,
) -> Result<(Option<u64>, FrameDurations), ParseError> {
    let scan = scan(file, movie, video, moov)?;
    if scan.has_samples == Some(false) {
        check_media_data(file, layout, &movie.tracks[video])?;
    }
    Ok((scan.duration_ms.filter(|ms| *ms > 0), scan.frames))
}

/// Checks that the media data of the samples in the movie header is complete.
///
/// # Errors
/// [`InspectError::Damaged`] if the track has no samples, or the file has no media data, or ends in the middle of it.
fn check_media_data(file: &PartialFile, layout: &Layout, track: &Track) -> Result<(), ParseError> {
    if track.times.as_ref().is_some_and(|times| times.samples == 0) {
        return Err(InspectError::damaged("it has a header, but no pictures").into());
    }
    match layout.media_data(file)? {
        MediaData::Absent => Err(InspectError::damaged("it ends after its header, without pictures").into()),
        MediaData::Truncated(header) => Err(truncated(&header, file.size()).into()),
        MediaData::Present | MediaData::Unknown => Ok(()),
    }
}

/// Returns the duration of the longest presented track in milliseconds; `None` if the duration of one is unknown.
fn duration_ms(movie: &Movie, video: usize) -> Option<u64> {
    let durations =
        movie.presented_tracks(video).map(|(_, track)| movie.presented_ms(track, track.times.as_ref()?.ticks));
    durations.collect::<Option<Vec<_>>>()?.into_iter().max().filter(|ms| *ms > 0)
}

/// Returns the displayed width and height in pixels.
fn picture_size(movie: &Movie, track: &Track) -> (Option<u32>, Option<u32>) {
    let header = &track.header;
    let coded = track.entry.as_ref().map_or((0, 0), |entry| (entry.width, entry.height));
    let (width, height) = if coded.0 == 0 || coded.1 == 0 { (header.width, header.height) } else { coded };
    // The quarter turns of the movie and of the track cancel each other.
    let (width, height) = if header.is_rotated == movie.is_rotated { (width, height) } else { (height, width) };
    (Some(width).filter(|side| *side > 0), Some(height).filter(|side| *side > 0))
}
