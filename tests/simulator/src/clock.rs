//! The simulator's clock: the wall clock plus an offset that tests can increase.
//!
//! The offset only grows. [`World::reset`](crate::world::World::reset) replaces the clock
//! by one without an offset.

use jiff::{SignedDuration, Timestamp};

/// A clock that can be advanced, so that an hour passes within a test.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    offset: SignedDuration,
}

impl Clock {
    /// Returns the simulated time, at most [`Timestamp::MAX`].
    pub(crate) fn now(self) -> Timestamp {
        let wall = wall_clock();
        wall.checked_add(self.offset).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock forward. The offset saturates; a negative duration is ignored.
    pub(crate) fn advance(&mut self, by: SignedDuration) {
        if by.is_positive() {
            self.offset = self.offset.saturating_add(by);
        }
    }

    /// Returns how far this clock is ahead of the wall clock.
    pub(crate) fn offset(self) -> SignedDuration {
        self.offset
    }
}

/// Adds milliseconds to a time, saturating at [`Timestamp::MAX`].
pub(crate) fn after_ms(at: Timestamp, ms: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Adds seconds to a time, saturating at [`Timestamp::MAX`].
pub(crate) fn after_s(at: Timestamp, seconds: u64) -> Timestamp {
    after_ms(at, seconds.saturating_mul(1000))
}

#[expect(clippy::disallowed_methods, reason = "the one place where the simulator reads the wall clock")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advanced_clock_is_ahead_by_the_advance() {
        let mut clock = Clock::default();
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(2));
        let ahead = clock.now().duration_since(before);
        assert!(ahead >= SignedDuration::from_hours(2));
        assert!(ahead < SignedDuration::from_hours(3));
    }

    #[test]
    fn negative_advance_is_ignored() {
        let mut clock = Clock::default();
        clock.advance(SignedDuration::from_secs(-5));
        assert_eq!(clock.offset(), SignedDuration::ZERO);
    }

    #[test]
    fn addition_saturates_at_the_maximum_timestamp() {
        assert_eq!(after_s(Timestamp::MAX, u64::MAX), Timestamp::MAX);
    }
}
