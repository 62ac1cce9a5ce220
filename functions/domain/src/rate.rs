//! Upload throughput in bytes per second. Not related to TikTok's rate limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An upload throughput in bytes per second, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(u64);

impl Rate {
    /// Creates a rate from bytes per second; 0 becomes 1.
    pub const fn new(bytes_per_second: u64) -> Self {
        Self(if bytes_per_second == 0 { 1 } else { bytes_per_second })
    }

    /// Returns the rate at which `bytes` were sent in `time`.
    pub fn of(bytes: u64, time: Duration) -> Self {
        let micros = time.as_micros().max(1);
        Self::new(u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX))
    }

    /// Returns the harmonic mean of this rate and a newer one.
    ///
    /// It is the mean of the times per byte, so that a slow chunk has more weight than a fast one.
    #[must_use]
    pub fn averaged_with(self, newer: Self) -> Self {
        let (a, b) = (u128::from(self.0), u128::from(newer.0));
        Self::new(u64::try_from(2 * a * b / (a + b)).unwrap_or(u64::MAX))
    }

    /// Returns the time to send `bytes` at this rate.
    pub fn time_for(self, bytes: u64) -> Duration {
        let micros = u128::from(bytes) * 1_000_000 / u128::from(self.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Returns the rate in bytes per second.
    pub fn bytes_per_second(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = self.0 / 100_000;
        write!(f, "{}.{} MB/s", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rate_is_bytes_divided_by_seconds() {
        let rate = Rate::of(10_000_000, Duration::from_secs(2));
        assert_eq!(rate, Rate::new(5_000_000));
        assert_eq!(rate.time_for(1_000_000_000), Duration::from_secs(200));
        assert_eq!(rate.to_string(), "5.0 MB/s");
    }

    #[test]
    fn zero_bytes_or_zero_time_gives_valid_rate() {
        assert_eq!(Rate::of(0, Duration::from_secs(9)), Rate::new(1));
        assert_eq!(Rate::of(5, Duration::ZERO), Rate::new(5_000_000));
    }

    #[test]
    fn slow_chunk_outweighs_fast_chunk() {
        let (fast, slow) = (Rate::new(9_000_000), Rate::new(1_000_000));
        assert_eq!(fast.averaged_with(slow), Rate::new(1_800_000));
        assert_eq!(slow.averaged_with(fast), fast.averaged_with(slow));
    }

    proptest! {
        #[test]
        fn average_lies_between_both_rates(a in 1u64..u64::MAX / 2, b in 1u64..u64::MAX / 2) {
            let average = Rate::new(a).averaged_with(Rate::new(b));
            // The division rounds down.
            prop_assert!(average.0 + 1 >= a.min(b) && average.0 <= a.max(b));
        }
    }
}
