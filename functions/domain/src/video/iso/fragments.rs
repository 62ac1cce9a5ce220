//! Movie fragments (`moof`): the samples that follow the movie header of a fragmented file (ISO/IEC 14496-12,
//! section 8.8).
//!
//! [`Timeline`] has the start and the end of each track in the fragments that were read. [`scan`](mod@super::scan) decides
//! which ones these are.

use super::boxes::BoxHeader;
use super::movie::Movie;
use super::track::Track;
use crate::video::error::ParseError;
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;
use crate::video::frame_rate::FrameDurations;

/// Flags of `tfhd` and `trun`, which state the fields that are present (sections 8.8.7 and 8.8.8).
mod flags {
    pub(super) const TFHD_BASE_DATA_OFFSET: u32 = 0x1;
    pub(super) const TFHD_SAMPLE_ENTRY: u32 = 0x2;
    pub(super) const TFHD_DEFAULT_DURATION: u32 = 0x8;
    pub(super) const TRUN_DATA_OFFSET: u32 = 0x1;
    pub(super) const TRUN_FIRST_SAMPLE_FLAGS: u32 = 0x4;
    pub(super) const TRUN_SAMPLE_DURATION: u32 = 0x100;
    /// Size, flags and composition time offset of each sample, 4 bytes each.
    pub(super) const TRUN_OTHER_SAMPLE_FIELDS: u32 = 0xe00;
}

/// The part of a track's time that is known. All positions are in ticks of the track.
#[derive(Clone, Debug, Default)]
struct TrackTime {
    /// The start of the first sample. `None` before it.
    start: Option<u64>,
    /// The end of the samples read so far. `None` if it is unknown.
    end: Option<u64>,
    /// The latest known end.
    latest_end: Option<u64>,
}

/// The samples of each track, and the frames of the video track.
#[derive(Debug)]
pub(super) struct Timeline<'m> {
    movie: &'m Movie,
    /// The index of the video track.
    video: usize,
    /// By the track's index in the movie.
    times: Vec<TrackTime>,
    /// The frames of the video track that were read.
    pub(super) frames: FrameDurations,
    /// Whether a fragment was read.
    pub(super) has_fragments: bool,
    /// Whether fragments were skipped. Then the next sample of a track is not its first.
    has_gap: bool,
}

impl<'m> Timeline<'m> {
    /// Creates a timeline with the samples in the movie header.
    pub(super) fn new(movie: &'m Movie, video: usize) -> Self {
        let times = movie.tracks.iter().map(|track| match &track.times {
            Some(times) if times.samples > 0 => {
                TrackTime { start: Some(0), end: Some(times.ticks), latest_end: Some(times.ticks) }
            }
            Some(_) => TrackTime { start: None, end: Some(0), latest_end: None },
            None => TrackTime::default(),
        });
        let listed = &movie.tracks[video];
        let frames = listed.times.as_ref().map(|times| times.durations.clone());
        let frames = frames.unwrap_or_else(|| FrameDurations::new(listed.clock.ticks_per_second));
        Self { movie, video, times: times.collect(), frames, has_fragments: false, has_gap: false }
    }

    /// Forgets where the tracks are, because fragments are skipped.
    pub(super) fn skip_fragments(&mut self) {
        self.has_gap = true;
        for time in &mut self.times {
            (time.end, time.latest_end) = (None, None);
        }
    }

    /// Sets the time of the next sample of a track, in ticks of the track.
    pub(super) fn set_time(&mut self, track_id: u32, ticks: u64) {
        if let Some(index) = self.index_of(track_id) {
            self.times[index].end = Some(ticks);
        }
    }

    /// Reads one fragment.
    pub(super) fn read(&mut self, file: &PartialFile, moof: &BoxHeader) -> Result<(), ParseError> {
        self.has_fragments = true;
        for traf in moof.children(file) {
            let traf = traf?;
            if &traf.kind != b"traf" {
                continue;
            }
            // The track of this part of the fragment, and its default ticks per sample.
            let mut track = None;
            for header in traf.children(file) {
                let header = header?;
                match (&header.kind, track) {
                    (b"tfhd", _) => track = self.track_fragment_header(header.fields(file)?),
                    (b"tfdt", Some((index, _))) => {
                        if let Some(ticks) = decode_time(header.fields(file)?) {
                            self.times[index].end = Some(ticks);
                        }
                    }
                    (b"trun", Some((index, default))) => self.add_run(index, default, header.table(file)?),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Returns the presented duration in milliseconds: that of the longest track, from the start of the first fragment
    /// to the end of the last one that was read. Returns `None` if it is unknown.
    pub(super) fn duration_ms(&self) -> Option<u64> {
        let presented = || self.movie.presented_tracks(self.video);
        let start_ms = |index: usize, track: &Track| track.clock.millis(self.times[index].start?);
        let first_start_ms = presented().filter_map(|(index, track)| start_ms(index, track)).min().unwrap_or(0);
        let durations = presented().filter_map(|(index, track)| {
            let time = &self.times[index];
            let end = time.latest_end?;
            let ticks_per_second = u64::from(track.clock.ticks_per_second);
            let start = time.start.unwrap_or_else(|| first_start_ms.saturating_mul(ticks_per_second) / 1000);
            self.movie.presented_ms(track, end.saturating_sub(start))
        });
        durations.max()
    }

    /// Returns whether the end of each presented track with samples is known.
    pub(super) fn has_all_ends(&self) -> bool {
        self.movie.presented_tracks(self.video).all(|(index, _)| {
            let time = &self.times[index];
            time.end.is_some() || time.start.is_none()
        })
    }

    fn index_of(&self, track_id: u32) -> Option<usize> {
        self.movie.tracks.iter().position(|track| track.header.id == track_id)
    }

    /// Reads `tfhd` (section 8.8.7). Returns `None` for a track that the movie header does not have.
    fn track_fragment_header(&self, mut fields: FieldReader<'_>) -> Option<(usize, Option<u32>)> {
        let (_, flags) = fields.version_and_flags()?;
        let index = self.index_of(fields.u32()?)?;
        fields.skip(if flags & flags::TFHD_BASE_DATA_OFFSET == 0 { 0 } else { 8 })?;
        fields.skip(if flags & flags::TFHD_SAMPLE_ENTRY == 0 { 0 } else { 4 })?;
        let default = if flags & flags::TFHD_DEFAULT_DURATION == 0 {
            self.movie.tracks[index].default_ticks
        } else {
            Some(fields.u32()?)
        };
        Some((index, default))
    }

    /// Adds the samples of a `trun` box (section 8.8.8) to a track. A sample without a duration has `default` ticks.
    fn add_run(&mut self, index: usize, default: Option<u32>, mut fields: FieldReader<'_>) {
        let (Some((_, flags)), Some(samples)) = (fields.version_and_flags(), fields.u32()) else {
            return;
        };
        if !self.has_gap {
            let time = &mut self.times[index];
            time.start = time.start.or(time.end);
        }
        if flags & flags::TRUN_SAMPLE_DURATION == 0 {
            self.add_samples(index, samples.into(), default);
            return;
        }
        fields.skip(if flags & flags::TRUN_DATA_OFFSET == 0 { 0 } else { 4 });
        fields.skip(if flags & flags::TRUN_FIRST_SAMPLE_FLAGS == 0 { 0 } else { 4 });
        let rest_of_row = (flags & flags::TRUN_OTHER_SAMPLE_FIELDS).count_ones() as usize * 4;
        for _ in 0..samples {
            let ticks = fields.u32();
            self.add_samples(index, 1, ticks);
            if ticks.is_none() {
                return;
            }
            fields.skip(rest_of_row);
        }
    }

    fn add_samples(&mut self, index: usize, samples: u64, ticks: Option<u32>) {
        let time = &mut self.times[index];
        let added = ticks.and_then(|ticks| samples.checked_mul(ticks.into()));
        time.end = time.end.zip(added).and_then(|(end, added)| end.checked_add(added));
        time.latest_end = time.latest_end.max(time.end);
        if let Some(ticks) = ticks.filter(|_| index == self.video) {
            self.frames.add(samples, ticks);
        }
    }
}

/// Reads `tfdt` (section 8.8.12): the time of the fragment's first sample in ticks of the track.
fn decode_time(mut fields: FieldReader<'_>) -> Option<u64> {
    let (version, _) = fields.version_and_flags()?;
    fields.versioned(version)
}
