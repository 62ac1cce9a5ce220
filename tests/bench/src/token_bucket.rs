//! A token bucket that limits a flow of bytes to a rate.

use std::time::{Duration, Instant};

/// The capacity of the bucket in bytes: 3.3 ms at 90 MB/s. A timer may fire some
/// milliseconds late; the sender may then send at once what it could not send before.
pub(crate) const BURST_BYTES: u32 = 300_000;

/// The rate limit of one direction of a connection.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    bytes_per_second: f64,
    /// The bytes that may pass now; negative if the sender has to wait.
    tokens: f64,
    refilled_at: Instant,
}

impl TokenBucket {
    /// Creates an empty bucket, so that no connection starts with a burst.
    pub(crate) fn new(bytes_per_second: u32, now: Instant) -> Self {
        Self { bytes_per_second: f64::from(bytes_per_second), tokens: 0.0, refilled_at: now }
    }

    /// Takes `bytes` tokens and returns how long the sender must wait before it
    /// sends those bytes.
    pub(crate) fn take(&mut self, bytes: u32, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.refilled_at = now;
        self.tokens = (self.tokens + elapsed * self.bytes_per_second).min(f64::from(BURST_BYTES)) - f64::from(bytes);
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.bytes_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time to send pieces one after the other at 90 MB/s, if every wait takes
    /// `oversleep` longer than asked. 900 pieces of 100 kB take one second.
    fn time_for(pieces: u32, bytes: u32, oversleep: Duration) -> Duration {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(90_000_000, start);
        let mut now = start;
        for _ in 0..pieces {
            let wait = bucket.take(bytes, now);
            now += wait + if wait.is_zero() { Duration::ZERO } else { oversleep };
        }
        now - start
    }

    #[test]
    fn flow_is_limited_to_the_rate() {
        let time = time_for(900, 100_000, Duration::ZERO);
        assert!((0.999..=1.001).contains(&time.as_secs_f64()), "{time:?}");
    }

    #[test]
    fn late_timer_costs_no_throughput() {
        let time = time_for(900, 100_000, Duration::from_millis(2));
        assert!((0.99..=1.01).contains(&time.as_secs_f64()), "{time:?}");
    }

    #[test]
    fn pause_allows_no_more_than_one_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(90_000_000, start);
        let later = start + Duration::from_mins(1);
        assert_eq!(bucket.take(BURST_BYTES, later), Duration::ZERO);
        assert_eq!(bucket.take(900_000, later), Duration::from_millis(10));
    }
}
