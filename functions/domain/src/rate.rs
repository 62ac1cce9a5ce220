//! How fast bytes go, and what follows for those that have not gone yet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A rate in bytes a second, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(u64);

impl Rate {
    /// Takes a rate in bytes a second; 0 is taken as 1.
    #[must_use]
    pub const fn new(bytes_a_second: u64) -> Self {
        Self(if bytes_a_second == 0 { 1 } else { bytes_a_second })
    }

    /// The rate at which so many bytes went in this time.
    #[must_use]
    pub fn of(bytes: u64, time: Duration) -> Self {
        let micros = time.as_micros().max(1);
        Self::new(u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX))
    }

    /// This rate and a newer one, each counting half by the time that a byte
    /// takes: one slow chunk counts more than one fast one.
    #[must_use]
    pub fn then(self, newer: Self) -> Self {
        let (a, b) = (u128::from(self.0), u128::from(newer.0));
        Self::new(u64::try_from(2 * a * b / (a + b)).unwrap_or(u64::MAX))
    }

    /// The time that so many bytes take at this rate.
    #[must_use]
    pub fn time_for(self, bytes: u64) -> Duration {
        let micros = u128::from(bytes) * 1_000_000 / u128::from(self.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The rate in bytes a second.
    #[must_use]
    pub fn bytes_a_second(self) -> u64 {
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
    fn ten_million_bytes_in_two_seconds_are_five_megabytes_a_second() {
        let rate = Rate::of(10_000_000, Duration::from_secs(2));
        assert_eq!(rate, Rate::new(5_000_000));
        assert_eq!(rate.time_for(1_000_000_000), Duration::from_secs(200));
        assert_eq!(rate.to_string(), "5.0 MB/s");
    }

    #[test]
    fn no_bytes_and_no_time_make_a_rate_all_the_same() {
        assert_eq!(Rate::of(0, Duration::from_secs(9)), Rate::new(1));
        assert_eq!(Rate::of(5, Duration::ZERO), Rate::new(5_000_000));
    }

    #[test]
    fn a_slow_chunk_counts_more_than_a_fast_one() {
        let (fast, slow) = (Rate::new(9_000_000), Rate::new(1_000_000));
        assert_eq!(fast.then(slow), Rate::new(1_800_000));
        assert_eq!(slow.then(fast), fast.then(slow));
    }

    proptest! {
        #[test]
        fn two_rates_meet_between_them(a in 1u64..u64::MAX / 2, b in 1u64..u64::MAX / 2) {
            let met = Rate::new(a).then(Rate::new(b));
            // The quotient is rounded down.
            prop_assert!(met.0 + 1 >= a.min(b) && met.0 <= a.max(b));
        }
    }
}
