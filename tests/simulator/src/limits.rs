//! Sliding minutes: how often something was done within the last sixty seconds.
//!
//! Time is an argument. Keys are the caller's; a refused call does not count.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::endpoint::Endpoint;

const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// The calls of the last minute, by endpoint and token.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    calls: HashMap<(Endpoint, String), VecDeque<Timestamp>>,
}

impl Limits {
    /// Counts a call, unless there were `most` within the last minute already.
    pub(crate) fn admit(&mut self, endpoint: Endpoint, token: &str, most: u32, now: Timestamp) -> bool {
        let calls = self.calls.entry((endpoint, token.to_owned())).or_default();
        while calls.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            calls.pop_front();
        }
        let admitted = calls.len() < most as usize;
        if admitted {
            calls.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::after_ms;

    #[test]
    fn the_minute_slides() {
        let mut limits = Limits::default();
        let start = Timestamp::UNIX_EPOCH;
        let mut admit = |ms| limits.admit(Endpoint::DirectInit, "t", 2, after_ms(start, ms));
        assert!(admit(0));
        assert!(admit(30_000));
        assert!(!admit(59_999));
        assert!(admit(60_000));
        assert!(!admit(60_001));
        assert!(admit(90_000));
    }

    #[test]
    fn tokens_and_endpoints_are_counted_apart() {
        let mut limits = Limits::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(limits.admit(Endpoint::DirectInit, "a", 1, now));
        assert!(!limits.admit(Endpoint::DirectInit, "a", 1, now));
        assert!(limits.admit(Endpoint::DirectInit, "b", 1, now));
        assert!(limits.admit(Endpoint::InboxInit, "a", 1, now));
    }
}
