//! A token bucket: holds a flow of bytes to a rate.

use std::time::{Duration, Instant};

/// What may pass at once after a pause, in bytes: what a timer that fires some
/// milliseconds late makes a sender fall behind.
pub(crate) const BURST: u32 = 300_000;

/// The bytes that one direction of a connection may pass.
#[derive(Debug)]
pub(crate) struct Bucket {
    bytes_per_second: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// An empty bucket, so that no connection begins with a burst.
    pub(crate) fn new(bytes_per_second: u32, now: Instant) -> Self {
        Self { bytes_per_second: f64::from(bytes_per_second), tokens: 0.0, at: now }
    }

    /// Takes so many bytes, and tells how long to wait before passing them.
    pub(crate) fn take(&mut self, bytes: u32, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + passed * self.bytes_per_second).min(f64::from(BURST)) - f64::from(bytes);
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.bytes_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets pieces through one after the other, each after the wait it is told.
    fn time_for(pieces: u32, bytes: u32, oversleep: Duration) -> Duration {
        let start = Instant::now();
        let mut bucket = Bucket::new(90_000_000, start);
        let mut now = start;
        for _ in 0..pieces {
            let wait = bucket.take(bytes, now);
            now += wait + if wait.is_zero() { Duration::ZERO } else { oversleep };
        }
        now - start
    }

    #[test]
    fn a_flow_is_held_to_the_rate() {
        let time = time_for(900, 100_000, Duration::ZERO);
        assert!((0.999..=1.001).contains(&time.as_secs_f64()), "{time:?}");
    }

    #[test]
    fn a_timer_that_oversleeps_costs_no_throughput() {
        let time = time_for(900, 100_000, Duration::from_millis(2));
        assert!((0.99..=1.01).contains(&time.as_secs_f64()), "{time:?}");
    }

    #[test]
    fn a_pause_is_not_saved_up() {
        let start = Instant::now();
        let mut bucket = Bucket::new(90_000_000, start);
        let later = start + Duration::from_mins(1);
        assert_eq!(bucket.take(BURST, later), Duration::ZERO);
        assert_eq!(bucket.take(900_000, later), Duration::from_millis(10));
    }
}
