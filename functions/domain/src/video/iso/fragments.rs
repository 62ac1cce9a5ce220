//! The length and the frame rate of a fragmented MP4.
//!
//! Such a file's movie header lists few samples or none; they come in fragments
//! (`moof`), each with its own table. The whole length is taken from the first
//! of these that is there: `mehd`, the movie header, indexes (`sidx`) together
//! with the fragments outside them. Knows what these boxes say, not where in
//! the file they stand.

use super::track::{Span, Track};
use crate::video::FrameRate;
use crate::video::fields::Fields;

/// More tracks than any video has; the defaults of further ones are dropped.
const MAX_TRACKS: usize = 64;

/// Adds up what the fragments of one video track hold.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The whole length by `mehd`, in ticks of the movie's clock.
    extends: u64,
    /// Default ticks of a sample, by track.
    defaults: Vec<(u32, u32)>,
    /// The video track: its number, and its clock's ticks in a second.
    track: u32,
    ticks_per_second: u32,
    /// The whole length in milliseconds, where the movie header states it.
    declared: Option<u64>,
    /// Default ticks of a sample in the video's fragment that is being read;
    /// `None` while it is another track's.
    sample_ticks: Option<u32>,
    /// Samples seen, and how long they last together.
    samples: u64,
    sample_time: u64,
    /// How long all that was passed lasts, in the track's ticks; `None` once
    /// something was passed of which that is not known.
    total: Option<u64>,
    /// Up to where in the file an index has told the length already.
    indexed_until: u64,
}

impl Fragments {
    /// Starts on the fragments of `video`, once the movie header is read.
    pub(super) fn begin(&mut self, video: &Track, movie: Span) {
        let media = video.media.unwrap_or_default();
        let listed = video.samples.unwrap_or_default();
        self.track = video.header.unwrap_or_default().id;
        self.ticks_per_second = media.ticks_per_second;
        // A movie header that lists samples tells only their length.
        let (stated, listed_time) = if listed == 0 { (movie.ticks, 0) } else { (0, media.ticks) };
        let whole = if self.extends == 0 { stated } else { self.extends };
        self.declared = Span { ticks: whole, ..movie }.millis();
        self.samples = listed;
        self.sample_time = listed_time;
        self.total = Some(listed_time);
    }

    /// Tells whether further fragments would teach nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.declared.is_some() && self.sample_time > 0
    }

    /// Returns up to where the file may be stepped over: the end of what an
    /// index covers, once one fragment has told the frame rate; else 0.
    pub(super) fn indexed_until(&self) -> u64 {
        if self.sample_time > 0 { self.indexed_until } else { 0 }
    }

    /// Returns the length that the header declares, in milliseconds.
    pub(super) fn declared_millis(&self) -> Option<u64> {
        self.declared
    }

    /// Returns the whole length in milliseconds, once all fragments are passed.
    pub(super) fn millis(&self) -> Option<u64> {
        let ticks = self.total.unwrap_or_default();
        self.declared.or(Span { ticks, ticks_per_second: self.ticks_per_second }.millis())
    }

    /// Averages the samples seen so far; before the first, takes the default.
    pub(super) fn frame_rate(&self) -> Option<FrameRate> {
        let (samples, ticks) = if self.sample_time > 0 {
            (self.samples, self.sample_time)
        } else {
            (1, self.default_of(self.track).into())
        };
        FrameRate::average(samples, ticks, self.ticks_per_second)
    }

    /// Reads `mehd`.
    pub(super) fn extends_header(&mut self, mut body: Fields<'_>) -> Option<()> {
        let (version, _) = body.version_and_flags()?;
        self.extends = body.sized(version)?;
        Some(())
    }

    /// Reads `trex`.
    pub(super) fn track_defaults(&mut self, mut body: Fields<'_>) -> Option<()> {
        body.skip(4)?;
        let track = body.u32()?;
        body.skip(4)?; // the default sample entry
        let ticks = body.u32()?;
        if self.defaults.len() < MAX_TRACKS {
            self.defaults.push((track, ticks));
        }
        Some(())
    }

    /// Reads `sidx`, an index of the fragments behind `end`, which is where the
    /// box itself ends. An index within what another covers is passed over, as
    /// is one of another track.
    pub(super) fn index(&mut self, mut body: Fields<'_>, end: u64) -> Option<()> {
        let (version, _) = body.version_and_flags()?;
        let track = body.u32()?;
        let ticks_per_second = body.u32()?;
        body.sized(version)?; // the earliest presentation time
        let mut until = end.saturating_add(body.sized(version)?);
        body.skip(2)?;
        let mut ticks = 0_u64;
        for _ in 0..body.u16()? {
            until = until.saturating_add(u64::from(body.u32()? & 0x7fff_ffff));
            ticks = ticks.saturating_add(body.u32()?.into());
            body.skip(4)?; // random access
        }
        if track == self.track && end > self.indexed_until {
            let time = u128::from(ticks) * u128::from(self.ticks_per_second);
            let time = time.checked_div(ticks_per_second.into()).and_then(|time| u64::try_from(time).ok());
            self.pass(time);
            self.indexed_until = until;
        }
        Some(())
    }

    /// Reads `tfhd`, which opens one track's part of a fragment.
    pub(super) fn track_header(&mut self, mut body: Fields<'_>) -> Option<()> {
        let (_, flags) = body.version_and_flags()?;
        let track = body.u32()?;
        body.skip(if flags & 0x1 == 0 { 0 } else { 8 })?; // base data offset
        body.skip(if flags & 0x2 == 0 { 0 } else { 4 })?; // sample entry
        let default = if flags & 0x8 == 0 { self.default_of(track) } else { body.u32()? };
        self.sample_ticks = (track == self.track).then_some(default);
        Some(())
    }

    /// Reads `trun`, a run of samples in a box that starts at `start`. A table
    /// of durations that `body` does not hold to its end leaves the length
    /// unknown.
    pub(super) fn run(&mut self, mut body: Fields<'_>, start: u64) -> Option<()> {
        let Some(default) = self.sample_ticks else {
            return Some(());
        };
        let (_, flags) = body.version_and_flags()?;
        let samples = body.u32()?;
        let time = if flags & 0x100 == 0 {
            Some(u64::from(samples) * u64::from(default))
        } else {
            listed_time(body, flags, samples)
        };
        if let Some(time) = time {
            self.samples = self.samples.saturating_add(samples.into());
            self.sample_time = self.sample_time.saturating_add(time);
        }
        if start >= self.indexed_until {
            self.pass(time);
        }
        Some(())
    }

    fn pass(&mut self, time: Option<u64>) {
        self.total = self.total.zip(time).and_then(|(total, time)| total.checked_add(time));
    }

    fn default_of(&self, track: u32) -> u32 {
        let default = self.defaults.iter().find(|(id, _)| *id == track);
        default.map_or(0, |(_, ticks)| *ticks)
    }
}

/// Adds up the durations in a run's table of `samples` rows.
fn listed_time(mut body: Fields<'_>, flags: u32, samples: u32) -> Option<u64> {
    body.skip(if flags & 0x1 == 0 { 0 } else { 4 })?; // data offset
    body.skip(if flags & 0x4 == 0 { 0 } else { 4 })?; // the first sample's flags
    // Behind the duration: size, flags and composition offset, where present.
    let others = (flags & 0xe00).count_ones() as usize * 4;
    let mut time = 0_u64;
    for _ in 0..samples {
        time = time.checked_add(body.u32()?.into())?;
        body.skip(others)?;
    }
    Some(time)
}
