//! The deadline of an invocation.

use std::time::Duration;

use jiff::Timestamp;

/// The time at which Lambda kills the function, even in the middle of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// Takes the deadline from an invocation's context, in milliseconds since 1970. A value that is too large becomes
    /// the latest timestamp.
    pub fn from_epoch_ms(ms: u64) -> Self {
        let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self(at.unwrap_or(Timestamp::MAX))
    }

    /// The deadline's time.
    pub fn at(self) -> Timestamp {
        self.0
    }

    /// The time `margin` before the deadline, by which the function must have stored its work.
    pub fn less(self, margin: Duration) -> Timestamp {
        self.0.checked_sub(margin).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadline_is_read_from_milliseconds() {
        let deadline = Deadline::from_epoch_ms(1_000_000);
        assert_eq!(deadline.at().as_second(), 1000);
        assert_eq!(deadline.less(Duration::from_secs(10)).as_second(), 990);
        assert_eq!(Deadline::from_epoch_ms(u64::MAX).at(), Timestamp::MAX);
    }
}
