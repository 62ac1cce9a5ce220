//! Edit lists (`elst`): which part of a track is presented, and when (ISO/IEC 14496-12, section 8.6.6).

use super::clock::Clock;
use crate::video::fields::FieldReader;

/// The edits of one track, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EditList {
    /// The delay before the track starts, in ticks of the movie.
    delay: u64,
    /// The presented duration after the delay, in ticks of the movie; 0 if it is not limited.
    presented: u64,
    /// The ticks of the track before the presented part. In an audio track, they are the priming of its encoder. In a
    /// video track, they are mostly an offset of all composition times, which skips nothing.
    start: u64,
}

impl EditList {
    /// Reads `elst`.
    pub(super) fn read(mut fields: FieldReader<'_>) -> Self {
        let mut list = Self::default();
        let mut start = None;
        let Some((version, _)) = fields.version_and_flags() else {
            return list;
        };
        for _ in 0..fields.u32().unwrap_or_default() {
            let (Some(duration), Some(media_time), Some(())) =
                (fields.versioned(version), fields.signed_versioned(version), fields.skip(4))
            else {
                break;
            };
            let sum = if media_time < 0 { &mut list.delay } else { &mut list.presented };
            *sum = sum.saturating_add(duration);
            if let (None, Ok(media_time)) = (start, u64::try_from(media_time)) {
                start = Some(media_time);
            }
        }
        list.start = start.unwrap_or_default();
        list
    }

    /// Returns the ticks that the list skips at the start of a track of audio.
    pub(super) fn priming(self) -> u64 {
        self.start
    }

    /// Returns the presented duration in milliseconds of a track with `ticks` ticks of samples to present. Returns
    /// `None` if it is unknown.
    ///
    /// An edit that is longer than the samples presents only these.
    pub(super) fn presented_ms(self, movie: Clock, track: Clock, ticks: u64) -> Option<u64> {
        let of_samples = track.millis(ticks)?;
        if self.presented == 0 {
            return of_samples.checked_add(movie.millis(self.delay).unwrap_or_default());
        }
        let of_edits = movie.millis(self.presented).unwrap_or(of_samples);
        of_edits.min(of_samples).checked_add(movie.millis(self.delay).unwrap_or_default())
    }

    /// Returns the same list for a fragmented file, whose edits can cover the samples of the movie header only.
    pub(super) fn without_end(self) -> Self {
        Self { presented: 0, ..self }
    }
}
