//! The end of an invocation.

use std::time::Duration;

use jiff::Timestamp;

/// When Lambda stops the function, whatever it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// Takes the deadline of an invocation's context, in milliseconds since
    /// the epoch. A time out of range is one that never comes.
    #[must_use]
    pub fn from_epoch_ms(ms: u64) -> Self {
        let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self(at.unwrap_or(Timestamp::MAX))
    }

    /// The moment itself.
    #[must_use]
    pub fn at(self) -> Timestamp {
        self.0
    }

    /// The moment by which work must be at rest: this long before the end.
    #[must_use]
    pub fn less(self, margin: Duration) -> Timestamp {
        self.0.checked_sub(margin).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_from_milliseconds() {
        let deadline = Deadline::from_epoch_ms(1_000_000);
        assert_eq!(deadline.at().as_second(), 1000);
        assert_eq!(deadline.less(Duration::from_secs(10)).as_second(), 990);
        assert_eq!(Deadline::from_epoch_ms(u64::MAX).at(), Timestamp::MAX);
    }
}
