//! Frame rates: how they are measured, and when a rate is certainly outside TikTok's limits.
//!
//! TikTok accepts [23 to 60 frames per
//! second](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide), and does not state how it
//! measures a video whose frames last unequally long. A recording of a phone or a screen is such a video. So there
//! are two measures:
//!
//! - the **average** over all frames;
//! - the **most common** rate. Frames are grouped by their own rate, rounded to whole frames per second. The largest
//!   group and the groups near it give this rate. Near means: a frame lasts more than 2/3 and less than 3/2 as long.
//!   If several groups are about equally large, the one that TikTok accepts counts.
//!
//! **A rate is certainly outside the limits if both measures are outside.**
//!
//! A frame that lasts 0 ticks or a negative time is not counted: muxers write this for the last frame, whose end they
//! do not know. A rate of 1000 or more is not believed: it is the resolution of a clock.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Accepted frame rates in thousandths of a frame per second.
///
/// The range has a tolerance of 0.1 frames per second at both ends, because the average of a phone recording differs
/// from the nominal rate by a few hundredths.
const ACCEPTED_THOUSANDTHS: RangeInclusive<u64> = 22_900..=60_100;

/// The lowest rate that is not believed, in frames per second.
const IMPLAUSIBLE_RATE: u64 = 1000;

/// A frame rate, stored in thousandths of a frame per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameRate {
    thousandths: u64,
}

impl FrameRate {
    /// Creates a rate from thousandths of a frame per second, for example 23 976 for 24000/1001.
    pub fn from_thousandths(thousandths: u64) -> Self {
        Self { thousandths }
    }

    /// Returns the average of `frames` over `ticks` of a clock with `ticks_per_second`. Returns `None` if one of the
    /// three is 0 or the rate is implausible.
    pub(super) fn average(frames: u64, ticks: u64, ticks_per_second: u32) -> Option<Self> {
        if frames == 0 || ticks_per_second == 0 {
            return None;
        }
        let thousandths =
            u128::from(frames).checked_mul(u128::from(ticks_per_second) * 1000)?.checked_div(u128::from(ticks))?;
        let thousandths = u64::try_from(thousandths).ok()?;
        (thousandths < IMPLAUSIBLE_RATE * 1000).then_some(Self { thousandths })
    }

    /// Returns the rate in thousandths of a frame per second.
    pub fn thousandths(self) -> u64 {
        self.thousandths
    }

    fn is_accepted(self) -> bool {
        ACCEPTED_THOUSANDTHS.contains(&self.thousandths)
    }
}

/// Returns whether a video with these rates is certainly outside TikTok's limits: at least one is known, and each
/// known one is outside.
pub(super) fn is_outside_limits(most_common: Option<FrameRate>, average: Option<FrameRate>) -> bool {
    let mut rates = most_common.into_iter().chain(average).peekable();
    rates.peek().is_some() && rates.all(|rate| !rate.is_accepted())
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.thousandths / 1000, self.thousandths % 1000);
        if part == 0 {
            write!(f, "{whole}")
        } else {
            let digits = format!("{part:03}");
            write!(f, "{whole}.{}", digits.trim_end_matches('0'))
        }
    }
}

/// The durations of a video track's frames, from which both rates are computed.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameDurations {
    /// Ticks per second of the durations.
    timescale: u32,
    /// Frames by their own rate in whole frames per second. A frame of an implausible rate is in the last group.
    groups: BTreeMap<u64, Group>,
}

/// Frames that last about equally long.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    frames: u64,
    /// The ticks of all frames together.
    ticks: u64,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.ticks = self.ticks.saturating_add(other.ticks);
    }

    fn rate(self, timescale: u32) -> Option<FrameRate> {
        FrameRate::average(self.frames, self.ticks, timescale)
    }

    /// Returns whether this group's frames last more than 2/3 and less than 3/2 as long as the other's.
    fn is_near(self, other: Self) -> bool {
        let scaled =
            |ticks: u64, frames: u64, factor: u128| (u128::from(ticks) * u128::from(frames)).saturating_mul(factor);
        let (this, that) = ((self.ticks, other.frames), (other.ticks, self.frames));
        scaled(that.0, that.1, 2) < scaled(this.0, this.1, 3) && scaled(this.0, this.1, 2) < scaled(that.0, that.1, 3)
    }
}

impl FrameDurations {
    /// Creates an empty list for a clock with `timescale` ticks per second.
    pub(super) fn new(timescale: u32) -> Self {
        Self { timescale, groups: BTreeMap::new() }
    }

    /// Adds `frames` frames of `ticks` each. Ignores frames that last 0 ticks or a negative time.
    pub(super) fn add(&mut self, frames: u64, ticks: u32) {
        if frames == 0 || ticks == 0 || ticks.cast_signed() < 0 {
            return;
        }
        let rate = (u64::from(self.timescale) + u64::from(ticks / 2)) / u64::from(ticks);
        let added = Group { frames, ticks: frames.saturating_mul(ticks.into()) };
        self.groups.entry(rate.min(IMPLAUSIBLE_RATE)).or_default().add(added);
    }

    /// Returns the number of frames whose duration is known.
    pub(super) fn frames(&self) -> u64 {
        self.total().frames
    }

    /// Returns the average rate over all frames. Returns `None` for fewer than two frames.
    pub(super) fn average_rate(&self) -> Option<FrameRate> {
        let total = self.total();
        (total.frames >= 2).then(|| total.rate(self.timescale)).flatten()
    }

    /// Returns the most common rate. Returns `None` for fewer than two frames.
    pub(super) fn most_common_rate(&self) -> Option<FrameRate> {
        self.average_rate()?;
        let most_frames = self.groups.values().map(|group| group.frames).max()?;
        // Groups of at least 9/10 of the largest count as equally common.
        let is_common = |group: &&Group| u128::from(group.frames) * 10 >= u128::from(most_frames) * 9;
        let is_accepted = |group: &Group| group.rate(self.timescale).is_some_and(FrameRate::is_accepted);
        let common = self.groups.values().filter(is_common).max_by_key(|group| (is_accepted(group), group.frames))?;
        let mut near = Group::default();
        self.groups.values().filter(|group| group.is_near(*common)).for_each(|group| near.add(*group));
        near.rate(self.timescale)
    }

    fn total(&self) -> Group {
        let mut total = Group::default();
        self.groups.values().for_each(|group| total.add(*group));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the most common and the average rate of pairs of a number of frames and their ticks.
    fn rates(timescale: u32, rows: &[(u64, u32)]) -> (String, String) {
        let mut durations = FrameDurations::new(timescale);
        for (frames, ticks) in rows {
            durations.add(*frames, *ticks);
        }
        let text = |rate: Option<FrameRate>| rate.map_or("unknown".to_owned(), |rate| rate.to_string());
        (text(durations.most_common_rate()), text(durations.average_rate()))
    }

    fn is_outside(timescale: u32, rows: &[(u64, u32)]) -> bool {
        let mut durations = FrameDurations::new(timescale);
        for (frames, ticks) in rows {
            durations.add(*frames, *ticks);
        }
        is_outside_limits(durations.most_common_rate(), durations.average_rate())
    }

    #[test]
    fn frame_rate_is_frames_divided_by_seconds() {
        let ntsc = FrameRate::average(30, 30 * 1001, 30_000).unwrap();
        assert_eq!(ntsc.thousandths(), 29_970);
        assert_eq!(ntsc.to_string(), "29.97");
        assert_eq!(FrameRate::average(24, 12_288, 12_288).unwrap().to_string(), "24");
    }

    #[test]
    fn average_without_frames_or_time_is_none() {
        assert_eq!(FrameRate::average(24, 0, 600), None);
        assert_eq!(FrameRate::average(0, 600, 600), None);
        assert_eq!(FrameRate::average(24, 600, 0), None);
        assert_eq!(FrameRate::average(u64::MAX, 1, u32::MAX), None);
    }

    #[test]
    fn equal_frames_have_one_rate() {
        for (timescale, ticks, rate) in [(30_000, 1001, "29.97"), (600, 25, "24"), (90_000, 750, "120"), (1, 1, "1")] {
            assert_eq!(rates(timescale, &[(100, ticks)]), (rate.to_owned(), rate.to_owned()));
        }
    }

    #[test]
    fn first_and_last_frame_do_not_change_most_common_rate() {
        for (rows, average) in [
            (&[(1, 7), (239, 100)][..], "60.233"),
            (&[(239, 100), (1, 0)], "60"),
            (&[(239, 100), (1, 0xffff_f000)], "60"),
            (&[(239, 100), (1, 60_000)], "17.163"),
        ] {
            assert_eq!(rates(6000, rows), ("60".to_owned(), average.to_owned()), "{rows:?}");
            assert!(!is_outside(6000, rows), "{rows:?}");
        }
    }

    #[test]
    fn coarse_clock_gives_average_of_neighbouring_groups() {
        // 59.94 frames per second on a clock of milliseconds: frames of 16 and of 17 ms.
        assert_eq!(rates(1000, &[(19, 16), (41, 17)]).0, "59.94");
        // 24 frames per second on the clock of 30: each fourth frame lasts two ticks.
        assert_eq!(rates(30, &[(75, 1), (25, 2)]), ("30".to_owned(), "24".to_owned()));
    }

    #[test]
    fn variable_rate_is_outside_only_by_both_measures() {
        for (rows, outside) in [
            // 30 frames per second without each third frame: 30 and 15 alternate.
            (&[(40, 1000), (40, 2000)][..], false),
            (&[(39, 1000), (40, 2000)], false),
            // A screen recording: one frame per second, and 30 while something moves.
            (&[(100, 30_000), (300, 1000)], false),
            (&[(300, 30_000), (100, 1000)], true),
            // The average of 120 and 20 is accepted.
            (&[(120, 250), (60, 1500)], false),
            (&[(100, 250), (10, 500)], true),
        ] {
            assert_eq!(is_outside(30_000, rows), outside, "{rows:?}: {:?}", rates(30_000, rows));
        }
    }

    #[test]
    fn single_frame_or_implausible_rate_is_unknown() {
        let unknown = ("unknown".to_owned(), "unknown".to_owned());
        assert_eq!(rates(1000, &[(1, 5000)]), unknown);
        assert_eq!(rates(30_000, &[(300, 1)]), unknown);
        assert_eq!(rates(0, &[(300, 1000)]), unknown);
        assert_eq!(rates(1000, &[]), unknown);
        assert!(!is_outside(30_000, &[(300, 1)]));
    }
}
