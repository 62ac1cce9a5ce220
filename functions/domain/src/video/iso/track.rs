//! The boxes of one track (`trak`).
//!
//! Section numbers are those of ISO/IEC 14496-12; the [QuickTime file
//! format](https://developer.apple.com/documentation/quicktime-file-format) has the same fields. A box that is too
//! short or missing leaves its property unknown.

use super::boxes::BoxHeader;
use super::clock::{Clock, is_quarter_turn};
use super::edit_list::EditList;
use super::sample_entry::SampleEntry;
use crate::video::error::{ParseError, known};
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;
use crate::video::frame_rate::FrameDurations;

/// What a track contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrackKind {
    Video,
    Audio,
    /// Subtitles, time codes, sensor data and the like.
    Other,
}

/// Fields of `tkhd` (section 8.3.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrackHeader {
    pub(super) id: u32,
    pub(super) is_enabled: bool,
    pub(super) is_rotated: bool,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The samples that the movie header lists, from `stts` (section 8.6.1.2). A sample of a video track is a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct SampleTimes {
    pub(super) samples: u64,
    /// The duration of all samples in ticks of the track.
    pub(super) ticks: u64,
    pub(super) durations: FrameDurations,
}

/// Fields of one track, collected from its boxes in any order. `None` means unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub(super) header: TrackHeader,
    /// From `hdlr` (section 8.4.3).
    pub(super) kind: Option<TrackKind>,
    /// The track's clock, from `mdhd` (section 8.4.2). Its duration is not used: many muxers write it wrong.
    pub(super) clock: Clock,
    pub(super) edits: EditList,
    pub(super) entry: Option<SampleEntry>,
    pub(super) times: Option<SampleTimes>,
    /// The ticks per sample in fragments that do not state them, from `trex` (section 8.8.3).
    pub(super) default_ticks: Option<u32>,
}

impl Track {
    /// Reads the track in a `trak` box.
    pub(super) fn read(file: &PartialFile, parent: &BoxHeader) -> Result<Self, ParseError> {
        let mut track = Self::default();
        let mut tables = Vec::new();
        // What is after an unreadable box is unknown.
        known(track.read_boxes(file, parent, &mut tables))?;
        if matches!(track.kind, Some(TrackKind::Video | TrackKind::Audio)) {
            for table in tables {
                known(track.read_sample_tables(file, &table))?;
            }
        }
        Ok(track)
    }

    /// Reads the boxes in `parent`, and stores the sample tables (`stbl`) in `tables`: which of them are needed
    /// depends on the other boxes.
    fn read_boxes(
        &mut self,
        file: &PartialFile,
        parent: &BoxHeader,
        tables: &mut Vec<BoxHeader>,
    ) -> Result<(), ParseError> {
        for header in parent.children(file) {
            let header = header?;
            match (&parent.kind, &header.kind) {
                (b"trak", b"mdia" | b"edts") | (b"mdia", b"minf") => {
                    self.read_boxes(file, &header, tables)?;
                }
                (b"trak", b"tkhd") => self.header = track_header(header.fields(file)?).unwrap_or_default(),
                (b"edts", b"elst") => self.edits = EditList::read(header.table(file)?),
                (b"mdia", b"mdhd") => self.clock = Clock::read(header.fields(file)?).unwrap_or_default(),
                (b"mdia", b"hdlr") => self.kind = track_kind(header.fields(file)?),
                (b"minf", b"stbl") => tables.push(header),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the codec and the durations of the samples.
    fn read_sample_tables(&mut self, file: &PartialFile, stbl: &BoxHeader) -> Result<(), ParseError> {
        for header in stbl.children(file) {
            let header = header?;
            match &header.kind {
                b"stsd" if self.kind == Some(TrackKind::Video) => self.entry = SampleEntry::read(file, &header)?,
                b"stts" => self.times = known(header.table(file))?.map(|table| self.sample_times(table)),
                _ => {}
            }
            if self.times.is_some() && (self.entry.is_some() || self.kind == Some(TrackKind::Audio)) {
                break;
            }
        }
        Ok(())
    }

    /// Reads `stts`: rows of a number of samples and the duration of each.
    fn sample_times(&self, mut fields: FieldReader<'_>) -> SampleTimes {
        let mut times =
            SampleTimes { samples: 0, ticks: 0, durations: FrameDurations::new(self.clock.ticks_per_second) };
        fields.skip(4); // version and flags
        for _ in 0..fields.u32().unwrap_or_default() {
            let (Some(samples), Some(ticks)) = (fields.u32(), fields.u32()) else {
                break;
            };
            times.samples += u64::from(samples);
            times.durations.add(samples.into(), ticks);
            // Adobe's muxer corrects an earlier rounding by a negative duration of the last sample.
            if ticks.cast_signed() > 0 {
                times.ticks = times.ticks.saturating_add(u64::from(samples) * u64::from(ticks));
            }
        }
        times
    }

    /// Returns whether the track is known to show no video, but pictures: covers or thumbnails.
    pub(super) fn has_only_stills(&self) -> bool {
        let has_one_sample = self.times.as_ref().is_some_and(|times| times.samples == 1);
        has_one_sample || self.entry.as_ref().is_some_and(|entry| entry.is_still)
    }
}

/// Reads `tkhd`.
fn track_header(mut fields: FieldReader<'_>) -> Option<TrackHeader> {
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
    Some(TrackHeader { id, is_enabled: flags & 1 == 1, is_rotated, width, height })
}

/// Reads `hdlr`.
fn track_kind(mut fields: FieldReader<'_>) -> Option<TrackKind> {
    fields.skip(8)?; // version, flags, component type
    Some(match &fields.array()? {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        _ => TrackKind::Other,
    })
}
