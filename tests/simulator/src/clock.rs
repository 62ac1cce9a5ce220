//! The simulator's own time: the wall clock, shifted forward on request.
//!
//! Knows nothing of what happens in time. It never goes backwards by itself:
//! an offset can only grow, until a reset.

use jiff::{SignedDuration, Timestamp};

/// A clock that can be advanced, so that an hour passes within a test.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    offset: SignedDuration,
}

impl Clock {
    /// Reads the simulated time.
    pub(crate) fn now(self) -> Timestamp {
        let real = real_time();
        real.checked_add(self.offset).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock forward; an advance beyond what can be represented stops there.
    pub(crate) fn advance(&mut self, by: SignedDuration) {
        if by.is_positive() {
            self.offset = self.offset.saturating_add(by);
        }
    }

    /// Tells how far ahead of the wall clock this one is.
    pub(crate) fn offset(self) -> SignedDuration {
        self.offset
    }
}

/// Adds a number of milliseconds to a time, stopping at the end of time.
pub(crate) fn after_ms(at: Timestamp, ms: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Adds a number of seconds to a time, stopping at the end of time.
pub(crate) fn after_s(at: Timestamp, seconds: u64) -> Timestamp {
    after_ms(at, seconds.saturating_mul(1000))
}

#[expect(clippy::disallowed_methods, reason = "the one place where the simulator reads the wall clock")]
fn real_time() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advanced_clock_is_ahead_by_what_it_was_advanced() {
        let mut clock = Clock::default();
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(2));
        let ahead = clock.now().duration_since(before);
        assert!(ahead >= SignedDuration::from_hours(2));
        assert!(ahead < SignedDuration::from_hours(3));
    }

    #[test]
    fn a_clock_is_never_turned_back() {
        let mut clock = Clock::default();
        clock.advance(SignedDuration::from_secs(-5));
        assert_eq!(clock.offset(), SignedDuration::ZERO);
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        assert_eq!(after_s(Timestamp::MAX, u64::MAX), Timestamp::MAX);
    }
}
