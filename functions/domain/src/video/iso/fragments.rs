//! The duration and the frame rate of a fragmented MP4 file.
//!
//! The movie header of such a file lists few samples or none. The samples follow in fragments (`moof`), each with its
//! own table. The duration of the video is taken from the first of these sources that is present:
//!
//! 1. `mehd`;
//! 2. the movie header;
//! 3. the sum of the segment indexes (`sidx`) and of the fragments that no index covers.
//!
//! This file reads the fields of these boxes; [`iso`](super) finds the boxes.

use super::track::{TickDuration, Track};
use crate::video::fields::FieldReader;
use crate::video::frame_rate::FrameRate;

/// The most tracks whose defaults are stored. No video has more; the defaults of further tracks are ignored.
const MAX_TRACKS: usize = 64;

/// Sums the fragments of one video track.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The duration in `mehd`, in ticks of the movie's clock; 0 if unknown.
    mehd_ticks: u64,
    /// Pairs of a track's id and its default ticks per sample, from `trex`.
    track_defaults: Vec<(u32, u32)>,
    /// The id of the video track.
    track_id: u32,
    /// Ticks per second of the video track's clock.
    timescale: u32,
    /// The duration in milliseconds, if `mehd` or the movie header states it.
    declared_duration_ms: Option<u64>,
    /// The default ticks per sample in the track fragment that is being read; `None` if it belongs to another track.
    fragment_default: Option<u32>,
    /// Samples with known durations, counted for the frame rate.
    sample_count: u64,
    /// The ticks of these samples.
    sample_ticks: u64,
    /// The ticks of the movie header's samples, of the indexes and of the fragments outside the indexes, so far.
    /// `None` after one of unknown duration.
    total_ticks: Option<u64>,
    /// The end of the range that the last index covers, in bytes from the start of the file. `total_ticks` includes
    /// the fragments before it.
    index_end: u64,
}

impl Fragments {
    /// Starts the sum for the track `video`, after the whole movie header was read.
    pub(super) fn start(&mut self, video: &Track, movie: TickDuration) {
        let media = video.duration.unwrap_or_default();
        let listed_samples = video.sample_count.unwrap_or_default();
        self.track_id = video.header.unwrap_or_default().id;
        self.timescale = media.timescale;
        // If the movie header lists samples, its duration covers only these.
        let (movie_ticks, listed_ticks) = if listed_samples == 0 { (movie.ticks, 0) } else { (0, media.ticks) };
        let declared_ticks = if self.mehd_ticks == 0 { movie_ticks } else { self.mehd_ticks };
        self.declared_duration_ms = TickDuration { ticks: declared_ticks, ..movie }.millis();
        self.sample_count = listed_samples;
        self.sample_ticks = listed_ticks;
        self.total_ticks = Some(listed_ticks);
    }

    /// Returns whether the duration is declared and the frame rate measured, so that no more fragment is needed.
    pub(super) fn is_complete(&self) -> bool {
        self.declared_duration_ms.is_some() && self.sample_ticks > 0
    }

    /// Returns the position up to which the file may be skipped. It is the end of the range that an index covers,
    /// once one fragment has stated the frame rate; before that it is 0.
    pub(super) fn skippable_until(&self) -> u64 {
        if self.sample_ticks > 0 { self.index_end } else { 0 }
    }

    /// Returns the duration in milliseconds that `mehd` or the movie header states.
    pub(super) fn declared_duration_ms(&self) -> Option<u64> {
        self.declared_duration_ms
    }

    /// Returns the duration in milliseconds: the declared one, otherwise the sum. Call it only after all fragments
    /// were read or skipped.
    pub(super) fn duration_ms(&self) -> Option<u64> {
        let ticks = self.total_ticks.unwrap_or_default();
        self.declared_duration_ms.or(TickDuration { timescale: self.timescale, ticks }.millis())
    }

    /// Returns the average frame rate of the samples so far. Before the first sample, returns the rate of the track's
    /// default sample duration.
    pub(super) fn frame_rate(&self) -> Option<FrameRate> {
        let (samples, ticks) = if self.sample_ticks > 0 {
            (self.sample_count, self.sample_ticks)
        } else {
            (1, self.track_default(self.track_id).into())
        };
        FrameRate::average(samples, ticks, self.timescale)
    }

    /// Reads `mehd`.
    pub(super) fn movie_extends_header(&mut self, mut fields: FieldReader<'_>) -> Option<()> {
        let (version, _) = fields.version_and_flags()?;
        self.mehd_ticks = fields.versioned(version)?;
        Some(())
    }

    /// Reads `trex`.
    pub(super) fn track_extends(&mut self, mut fields: FieldReader<'_>) -> Option<()> {
        fields.skip(4)?; // version and flags
        let track_id = fields.u32()?;
        fields.skip(4)?; // default sample entry
        let sample_ticks = fields.u32()?;
        if self.track_defaults.len() < MAX_TRACKS {
            self.track_defaults.push((track_id, sample_ticks));
        }
        Some(())
    }

    /// Reads `sidx`, an index of the fragments after the box, which ends at the position `box_end`.
    ///
    /// Ignores an index inside the range of an earlier index, and an index of another track.
    pub(super) fn segment_index(&mut self, mut fields: FieldReader<'_>, box_end: u64) -> Option<()> {
        let (version, _) = fields.version_and_flags()?;
        let track_id = fields.u32()?;
        let timescale = fields.u32()?;
        fields.versioned(version)?; // earliest presentation time
        let mut end = box_end.saturating_add(fields.versioned(version)?); // first offset
        fields.skip(2)?; // reserved
        let mut ticks = 0_u64;
        for _ in 0..fields.u16()? {
            // The low 31 bits are the size of the indexed range in bytes.
            end = end.saturating_add(u64::from(fields.u32()? & 0x7fff_ffff));
            ticks = ticks.saturating_add(fields.u32()?.into());
            fields.skip(4)?; // stream access point
        }
        if track_id == self.track_id && box_end > self.index_end {
            let track_ticks = u128::from(ticks) * u128::from(self.timescale);
            let track_ticks = track_ticks.checked_div(timescale.into()).and_then(|ticks| u64::try_from(ticks).ok());
            self.add_to_total(track_ticks);
            self.index_end = end;
        }
        Some(())
    }

    /// Reads `tfhd`, the header of one track's part of a fragment.
    pub(super) fn track_fragment_header(&mut self, mut fields: FieldReader<'_>) -> Option<()> {
        let (_, flags) = fields.version_and_flags()?;
        let track_id = fields.u32()?;
        fields.skip(if flags & 0x1 == 0 { 0 } else { 8 })?; // base data offset
        fields.skip(if flags & 0x2 == 0 { 0 } else { 4 })?; // sample entry
        let default = if flags & 0x8 == 0 { self.track_default(track_id) } else { fields.u32()? };
        self.fragment_default = (track_id == self.track_id).then_some(default);
        Some(())
    }

    /// Reads `trun`, a list of samples in a box that starts at the position `box_start`.
    ///
    /// If `fields` ends before the table of sample durations does, the duration of the video becomes unknown.
    pub(super) fn track_run(&mut self, mut fields: FieldReader<'_>, box_start: u64) -> Option<()> {
        let Some(default) = self.fragment_default else {
            return Some(());
        };
        let (_, flags) = fields.version_and_flags()?;
        let samples = fields.u32()?;
        let ticks = if flags & 0x100 == 0 {
            Some(u64::from(samples) * u64::from(default))
        } else {
            sum_sample_durations(fields, flags, samples)
        };
        if let Some(ticks) = ticks {
            self.sample_count = self.sample_count.saturating_add(samples.into());
            self.sample_ticks = self.sample_ticks.saturating_add(ticks);
        }
        if box_start >= self.index_end {
            self.add_to_total(ticks);
        }
        Some(())
    }

    fn add_to_total(&mut self, ticks: Option<u64>) {
        self.total_ticks = self.total_ticks.zip(ticks).and_then(|(total, ticks)| total.checked_add(ticks));
    }

    fn track_default(&self, track_id: u32) -> u32 {
        let default = self.track_defaults.iter().find(|(id, _)| *id == track_id);
        default.map_or(0, |(_, ticks)| *ticks)
    }
}

/// Sums the sample durations in the table of a `trun` box with `samples` rows; `None` if it is incomplete.
fn sum_sample_durations(mut fields: FieldReader<'_>, flags: u32, samples: u32) -> Option<u64> {
    fields.skip(if flags & 0x1 == 0 { 0 } else { 4 })?; // data offset
    fields.skip(if flags & 0x4 == 0 { 0 } else { 4 })?; // flags of the first sample
    // The fields of a row after the duration: size, flags and composition time offset, 4 bytes each, present if their
    // flag is set.
    let rest_of_row = (flags & 0xe00).count_ones() as usize * 4;
    let mut ticks = 0_u64;
    for _ in 0..samples {
        ticks = ticks.checked_add(fields.u32()?.into())?;
        fields.skip(rest_of_row)?;
    }
    Some(ticks)
}
