//! A counter of calls within a sliding minute. <https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit>

use std::time::Duration;

use jiff::Timestamp;

use crate::macros::named_enum;

/// TikTok's minute, plus 5 seconds. A call is counted here before it reaches TikTok, and the delay varies.
pub(super) const WINDOW: Duration = Duration::from_secs(65);

named_enum! {
    /// A kind of call that TikTok limits for each account.
    pub enum CallKind {
        /// Queries what a creator may post now.
        CreatorInfo = "creator_info",
        /// Queries the status of a publish.
        StatusFetch = "status_fetch",
    }
}

impl CallKind {
    /// How many calls TikTok accepts per minute and account.
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
    pub fn per_minute(self) -> usize {
        match self {
            Self::CreatorInfo => 20,
            Self::StatusFetch => 30,
        }
    }
}

/// The calls within the last minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlidingWindow {
    /// The times of the newest calls, oldest first: at most as many as the limit.
    pub calls: Vec<Timestamp>,
    /// The latest retry time that a refused caller got. The next refused caller gets a later one.
    pub reserved_until: Option<Timestamp>,
    /// The end of the block after TikTok refused a call.
    pub blocked_until: Option<Timestamp>,
}

impl SlidingWindow {
    /// The earliest time from `now` on at which fewer than `limit` calls are in the window and no block applies.
    fn free_at(&self, limit: usize, now: Timestamp) -> Timestamp {
        let oldest = self.calls.len().checked_sub(limit).and_then(|index| self.calls.get(index));
        let free = oldest.map_or(now, |&oldest| oldest + WINDOW);
        free.max(now).max(self.blocked_until.unwrap_or(now))
    }

    /// Records a call, if there is room. The counter must be stored before the call is made; otherwise two workers
    /// could use the same room.
    ///
    /// # Errors
    /// There is no room. The error has the counter to store and the time to retry at. Each caller gets another time,
    /// so that they do not all retry at once.
    pub fn try_record(mut self, limit: usize, now: Timestamp) -> Result<Self, (Self, Timestamp)> {
        let free = self.free_at(limit, now);
        if free <= now {
            self.record(limit, now);
            return Ok(self);
        }
        let spacing = WINDOW / u32::try_from(limit.max(1)).unwrap_or(1);
        let retry_at = self.reserved_until.map_or(free, |last| last + spacing).max(free);
        self.reserved_until = Some(retry_at);
        Err((self, retry_at))
    }

    /// Records a call. Workers' clocks differ, so a time before the last call's counts as the last call's.
    pub(super) fn record(&mut self, limit: usize, now: Timestamp) {
        let at = self.calls.last().map_or(now, |&last| last.max(now));
        self.calls.push(at);
        let old = self.calls.len().saturating_sub(limit);
        self.calls.drain(..old);
    }

    /// Blocks calls because TikTok refused one: for a whole window, or for `wait` if TikTok asks for more.
    #[must_use]
    pub fn block(mut self, now: Timestamp, wait: Duration) -> Self {
        self.blocked_until = self.blocked_until.max(Some(now + WINDOW.max(wait)));
        self
    }
}
