//! Frames a second. Knows how a rate is averaged, not which rates are good.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Holds an average number of frames a second, to a thousandth of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameRate {
    thousandths: u64,
}

impl FrameRate {
    /// Makes a rate of so many thousandths of a frame a second: 23 976 for
    /// 24000/1001.
    #[must_use]
    pub fn from_thousandths(thousandths: u64) -> Self {
        Self { thousandths }
    }

    /// Averages `frames` over `ticks` of a clock with `ticks_per_second`;
    /// `None` where nothing was counted or no time passed.
    pub(super) fn average(frames: u64, ticks: u64, ticks_per_second: u32) -> Option<Self> {
        if frames == 0 || ticks_per_second == 0 {
            return None;
        }
        let thousandths =
            u128::from(frames).checked_mul(u128::from(ticks_per_second) * 1000)?.checked_div(u128::from(ticks))?;
        u64::try_from(thousandths).ok().map(Self::from_thousandths)
    }

    /// Returns the rate in thousandths of a frame a second.
    #[must_use]
    pub fn thousandths(self) -> u64 {
        self.thousandths
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_frames_over_the_seconds() {
        let ntsc = FrameRate::average(30, 30 * 1001, 30_000).unwrap();
        assert_eq!(ntsc.thousandths(), 29_970);
        assert_eq!(ntsc.to_string(), "29.97");
        assert_eq!(FrameRate::average(24, 12_288, 12_288).unwrap().to_string(), "24");
    }

    #[test]
    fn a_rate_over_no_time_or_no_frames_is_unknown() {
        assert_eq!(FrameRate::average(24, 0, 600), None);
        assert_eq!(FrameRate::average(0, 600, 600), None);
        assert_eq!(FrameRate::average(24, 600, 0), None);
        assert_eq!(FrameRate::average(u64::MAX, 1, u32::MAX), None);
    }
}
