//! What a movie header and its boxes say about one track.
//!
//! Each function reads the front of one box's body, as ISO/IEC 14496-12 and the
//! [QuickTime file format](https://developer.apple.com/documentation/quicktime-file-format)
//! lay it out; `None` means that the box ended before the field. Where the
//! boxes stand in a file is the business of [`iso`](super).

use crate::video::fields::Fields;
use crate::video::inspect::InspectError;
use crate::video::{Codec, Container, FrameRate, VideoFacts};

/// A length of time on a clock of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    /// Ticks of the clock in a second.
    pub(super) ticks_per_second: u32,
    /// How many ticks it lasts; 0 where the file does not say.
    pub(super) ticks: u64,
}

impl Span {
    /// Returns the length in milliseconds; `None` where it is unknown.
    pub(super) fn millis(self) -> Option<u64> {
        if self.ticks == 0 {
            return None;
        }
        let millis = (u128::from(self.ticks) * 1000).checked_div(u128::from(self.ticks_per_second))?;
        u64::try_from(millis).ok()
    }
}

/// What `mvhd` says of the movie as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MovieHeader {
    pub(super) span: Span,
    pub(super) turned: bool,
}

/// What `tkhd` says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrackHeader {
    pub(super) id: u32,
    pub(super) enabled: bool,
    turned: bool,
    width: u32,
    height: u32,
}

/// What the first sample entry of `stsd` says.
#[derive(Clone, Debug)]
pub(super) struct SampleEntry {
    codec: Codec,
    width: u32,
    height: u32,
}

/// Collects what a track's boxes say, in whatever order they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub(super) header: Option<TrackHeader>,
    pub(super) media: Option<Span>,
    /// Whether it is a video's; `None` until its handler is known.
    pub(super) is_video: Option<bool>,
    pub(super) entry: Option<SampleEntry>,
    pub(super) samples: Option<u64>,
}

impl Track {
    /// Tells whether nothing more can be learnt from the track's boxes.
    pub(super) fn is_complete(&self) -> bool {
        let Self { header, media, is_video, entry, samples } = self;
        *is_video == Some(true) && header.is_some() && media.is_some() && entry.is_some() && samples.is_some()
    }

    /// Tells whether players show the track by default.
    pub(super) fn is_enabled(&self) -> bool {
        self.header.is_some_and(|header| header.enabled)
    }

    /// Averages the samples in the movie header's own tables over their time.
    pub(super) fn frame_rate(&self) -> Option<FrameRate> {
        let media = self.media?;
        FrameRate::average(self.samples?, media.ticks, media.ticks_per_second)
    }

    /// States the video that this track is, with the length and the rate that
    /// were found for it.
    ///
    /// # Errors
    ///
    /// [`InspectError::Damaged`] when the track has no sample entry or no
    /// picture size.
    pub(super) fn facts(
        &self,
        container: Container,
        movie: MovieHeader,
        duration_ms: Option<u64>,
        frame_rate: Option<FrameRate>,
    ) -> Result<VideoFacts, InspectError> {
        let Some(entry) = &self.entry else {
            return Err(InspectError::damaged("its video track does not say how it is coded"));
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
        // A turn of the movie undoes a turn of the track.
        let (width, height) = if header.turned == movie.turned { (width, height) } else { (height, width) };
        Ok(VideoFacts { container, codec: entry.codec.clone(), duration_ms, width, height, frame_rate })
    }
}

/// Reads `mvhd`.
pub(super) fn movie_header(mut body: Fields<'_>) -> Option<MovieHeader> {
    let span = span(&mut body)?;
    body.skip(4 + 2 + 10)?; // rate, volume, reserved
    let turned = is_quarter_turn(&mut body)?;
    Some(MovieHeader { span, turned })
}

/// Reads `mdhd`.
pub(super) fn media_header(mut body: Fields<'_>) -> Option<Span> {
    span(&mut body)
}

/// Reads `tkhd`.
pub(super) fn track_header(mut body: Fields<'_>) -> Option<TrackHeader> {
    let (version, flags) = body.version_and_flags()?;
    body.sized(version)?; // created
    body.sized(version)?; // modified
    let id = body.u32()?;
    body.skip(4)?;
    body.sized(version)?; // duration
    body.skip(8 + 2 + 2 + 2 + 2)?; // reserved, layer, group, volume, reserved
    let turned = is_quarter_turn(&mut body)?;
    let width = body.u32()? >> 16;
    let height = body.u32()? >> 16;
    Some(TrackHeader { id, enabled: flags & 1 == 1, turned, width, height })
}

/// Reads `hdlr`: whether the track is a video's.
pub(super) fn is_video(mut body: Fields<'_>) -> Option<bool> {
    body.skip(8)?; // version, flags, component type
    Some(&body.array()? == b"vide")
}

/// Reads the first entry of a video track's `stsd`.
pub(super) fn sample_entry(mut body: Fields<'_>) -> Option<SampleEntry> {
    body.skip(4 + 4 + 4)?; // version and flags, count, the entry's size
    let codec = Codec::from_sample_entry(body.array()?);
    body.skip(8 + 16)?; // reserved and data reference, version to quality
    let width = body.u16()?.into();
    let height = body.u16()?.into();
    Some(SampleEntry { codec, width, height })
}

/// Reads how many samples `stsz` or `stz2` list; the list itself is not needed.
pub(super) fn sample_count(mut body: Fields<'_>) -> Option<u64> {
    body.skip(4 + 4)?; // version and flags, the size of all or the field size
    body.u32().map(u64::from)
}

/// Reads the common start of `mvhd` and `mdhd`. All bits set means unknown.
fn span(body: &mut Fields<'_>) -> Option<Span> {
    let (version, _) = body.version_and_flags()?;
    body.sized(version)?; // created
    body.sized(version)?; // modified
    let ticks_per_second = body.u32()?;
    let unknown = if version == 1 { u64::MAX } else { u32::MAX.into() };
    let ticks = body.sized(version).map(|ticks| if ticks == unknown { 0 } else { ticks })?;
    Some(Span { ticks_per_second, ticks })
}

/// Reads a transformation matrix: whether it lays the picture on its side.
fn is_quarter_turn(body: &mut Fields<'_>) -> Option<bool> {
    let along = body.i32()?;
    let across = body.i32()?;
    body.skip(7 * 4)?;
    Some(across.unsigned_abs() > along.unsigned_abs())
}
