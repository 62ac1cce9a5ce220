//! Average frame rates. The range that TikTok accepts is in `check.rs`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An average frame rate, stored in thousandths of a frame per second.
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
    /// three is 0 or the rate does not fit into 64 bits.
    pub(super) fn average(frames: u64, ticks: u64, ticks_per_second: u32) -> Option<Self> {
        if frames == 0 || ticks_per_second == 0 {
            return None;
        }
        let thousandths =
            u128::from(frames).checked_mul(u128::from(ticks_per_second) * 1000)?.checked_div(u128::from(ticks))?;
        u64::try_from(thousandths).ok().map(Self::from_thousandths)
    }

    /// Returns the rate in thousandths of a frame per second.
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
}
