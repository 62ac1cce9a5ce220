//! TikTok's rate limits: a sliding window of 60 seconds for each endpoint and access token.
//!
//! The limits themselves are [`crate::Settings`]. Time is an argument. A rejected call does not count against the limit.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::endpoint::Endpoint;

const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// The times of the calls within the last 60 seconds, by endpoint and token.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter {
    calls: HashMap<(Endpoint, String), VecDeque<Timestamp>>,
}

impl RateLimiter {
    /// Counts a call and returns true, or returns false if the window already holds `limit` calls.
    pub(crate) fn try_acquire(&mut self, endpoint: Endpoint, token: &str, limit: u32, now: Timestamp) -> bool {
        let calls = self.calls.entry((endpoint, token.to_owned())).or_default();
        while calls.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            calls.pop_front();
        }
        let allowed = calls.len() < limit as usize;
        if allowed {
            calls.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::after_ms;

    #[test]
    fn call_is_allowed_60_s_after_the_oldest() {
        let mut limiter = RateLimiter::default();
        let start = Timestamp::UNIX_EPOCH;
        let mut call_at = |ms| limiter.try_acquire(Endpoint::DirectInit, "t", 2, after_ms(start, ms));
        assert!(call_at(0));
        assert!(call_at(30_000));
        assert!(!call_at(59_999));
        assert!(call_at(60_000));
        assert!(!call_at(60_001));
        assert!(call_at(90_000));
    }

    #[test]
    fn each_token_and_endpoint_has_its_own_window() {
        let mut limiter = RateLimiter::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(limiter.try_acquire(Endpoint::DirectInit, "a", 1, now));
        assert!(!limiter.try_acquire(Endpoint::DirectInit, "a", 1, now));
        assert!(limiter.try_acquire(Endpoint::DirectInit, "b", 1, now));
        assert!(limiter.try_acquire(Endpoint::InboxInit, "a", 1, now));
    }
}
