//! Fields of the movie header and of the boxes of one track.
//!
//! Each reading function reads the first fields of one box, as specified by ISO/IEC 14496-12 and the [QuickTime file
//! format](https://developer.apple.com/documentation/quicktime-file-format). `None` means that the box ends before
//! the field. The positions of the boxes in a file are handled by [`iso`](super).

use crate::video::codec::Codec;
use crate::video::container::Container;
use crate::video::error::InspectError;
use crate::video::facts::VideoFacts;
use crate::video::fields::FieldReader;
use crate::video::frame_rate::FrameRate;

/// A duration in ticks of the movie's or the track's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TickDuration {
    /// Ticks per second (the field `timescale`).
    pub(super) timescale: u32,
    /// The duration in ticks; 0 if the file does not state it.
    pub(super) ticks: u64,
}

impl TickDuration {
    /// Returns the duration in milliseconds; `None` if it is unknown.
    pub(super) fn millis(self) -> Option<u64> {
        if self.ticks == 0 {
            return None;
        }
        let millis = (u128::from(self.ticks) * 1000).checked_div(u128::from(self.timescale))?;
        u64::try_from(millis).ok()
    }
}

/// Fields of `mvhd`, which describes the whole movie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MovieHeader {
    pub(super) duration: TickDuration,
    /// Whether the movie is displayed with a quarter turn.
    pub(super) is_rotated: bool,
}

/// Fields of `tkhd`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrackHeader {
    pub(super) id: u32,
    pub(super) enabled: bool,
    is_rotated: bool,
    width: u32,
    height: u32,
}

/// Fields of the first sample entry in `stsd`.
#[derive(Clone, Debug)]
pub(super) struct SampleEntry {
    codec: Codec,
    width: u32,
    height: u32,
}

/// Fields of one track, collected from its boxes in any order. `None` means that the box was not read yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// From `tkhd`.
    pub(super) header: Option<TrackHeader>,
    /// From `mdhd`.
    pub(super) duration: Option<TickDuration>,
    /// From `hdlr`.
    pub(super) is_video: Option<bool>,
    /// From `stsd`.
    pub(super) sample_entry: Option<SampleEntry>,
    /// From `stsz` or `stz2`. A sample of a video track is a frame.
    pub(super) sample_count: Option<u64>,
}

impl Track {
    /// Returns whether this is a video track whose fields have all been read.
    pub(super) fn is_complete(&self) -> bool {
        let Self { header, duration, is_video, sample_entry, sample_count } = self;
        *is_video == Some(true)
            && header.is_some()
            && duration.is_some()
            && sample_entry.is_some()
            && sample_count.is_some()
    }

    /// Returns whether the track is enabled, which means that players show it by default.
    pub(super) fn is_enabled(&self) -> bool {
        self.header.is_some_and(|header| header.enabled)
    }

    /// Returns the average frame rate of the samples in the movie header's tables, without those in fragments.
    pub(super) fn frame_rate(&self) -> Option<FrameRate> {
        let duration = self.duration?;
        FrameRate::average(self.sample_count?, duration.ticks, duration.timescale)
    }

    /// Returns the facts of the video with this track, and with the given duration and frame rate.
    ///
    /// # Errors
    /// [`InspectError::Damaged`] if the track has no sample entry or no picture size.
    pub(super) fn facts(
        &self,
        container: Container,
        movie: MovieHeader,
        duration_ms: Option<u64>,
        frame_rate: Option<FrameRate>,
    ) -> Result<VideoFacts, InspectError> {
        let Some(entry) = &self.sample_entry else {
            return Err(InspectError::damaged("its video track does not state its codec"));
        };
        let header = self.header.unwrap_or_default();
        let (width, height) = if entry.width == 0 || entry.height == 0 {
            (header.width, header.height)
        } else {
            (entry.width, entry.height)
        };
        if width == 0 || height == 0 {
            return Err(InspectError::damaged("its video track has no picture size"));
        }
        // The quarter turns of the movie and of the track cancel each other.
        let (width, height) = if header.is_rotated == movie.is_rotated { (width, height) } else { (height, width) };
        Ok(VideoFacts { container, codec: entry.codec.clone(), duration_ms, width, height, frame_rate })
    }
}

/// Reads `mvhd`.
pub(super) fn movie_header(mut fields: FieldReader<'_>) -> Option<MovieHeader> {
    let duration = tick_duration(&mut fields)?;
    fields.skip(4 + 2 + 10)?; // rate, volume, reserved
    let is_rotated = is_quarter_turn(&mut fields)?;
    Some(MovieHeader { duration, is_rotated })
}

/// Reads the duration in `mdhd`.
pub(super) fn media_duration(mut fields: FieldReader<'_>) -> Option<TickDuration> {
    tick_duration(&mut fields)
}

/// Reads `tkhd`.
pub(super) fn track_header(mut fields: FieldReader<'_>) -> Option<TrackHeader> {
    let (version, flags) = fields.version_and_flags()?;
    fields.versioned(version)?; // creation time
    fields.versioned(version)?; // modification time
    let id = fields.u32()?;
    fields.skip(4)?; // reserved
    fields.versioned(version)?; // duration
    fields.skip(8 + 2 + 2 + 2 + 2)?; // reserved, layer, alternate group, volume, reserved
    let is_rotated = is_quarter_turn(&mut fields)?;
    // Width and height are fixed-point numbers with 16 fractional bits.
    let width = fields.u32()? >> 16;
    let height = fields.u32()? >> 16;
    Some(TrackHeader { id, enabled: flags & 1 == 1, is_rotated, width, height })
}

/// Reads `hdlr`. Returns whether the track is a video track.
pub(super) fn is_video(mut fields: FieldReader<'_>) -> Option<bool> {
    fields.skip(8)?; // version, flags, component type
    Some(&fields.array()? == b"vide")
}

/// Reads the first entry of a video track's `stsd`.
pub(super) fn sample_entry(mut fields: FieldReader<'_>) -> Option<SampleEntry> {
    fields.skip(4 + 4 + 4)?; // version and flags, entry count, entry size
    let codec = Codec::from_sample_entry(fields.array()?);
    fields.skip(8 + 16)?; // reserved and data reference, the fields from version to quality
    let width = fields.u16()?.into();
    let height = fields.u16()?.into();
    Some(SampleEntry { codec, width, height })
}

/// Reads the number of samples in `stsz` or `stz2`. The list itself is not needed.
pub(super) fn sample_count(mut fields: FieldReader<'_>) -> Option<u64> {
    fields.skip(4 + 4)?; // version and flags, common sample size or field size
    fields.u32().map(u64::from)
}

/// Reads the common first fields of `mvhd` and `mdhd`. A duration with all bits set means unknown.
fn tick_duration(fields: &mut FieldReader<'_>) -> Option<TickDuration> {
    let (version, _) = fields.version_and_flags()?;
    fields.versioned(version)?; // creation time
    fields.versioned(version)?; // modification time
    let timescale = fields.u32()?;
    let unknown = if version == 1 { u64::MAX } else { u32::MAX.into() };
    let ticks = fields.versioned(version).map(|ticks| if ticks == unknown { 0 } else { ticks })?;
    Some(TickDuration { timescale, ticks })
}

/// Reads a transformation matrix. Returns whether it swaps width and height: a turn by about 90 or 270 degrees.
fn is_quarter_turn(fields: &mut FieldReader<'_>) -> Option<bool> {
    let cosine = fields.i32()?;
    let sine = fields.i32()?;
    fields.skip(7 * 4)?; // the other elements of the matrix
    Some(sine.unsigned_abs() > cosine.unsigned_abs())
}
