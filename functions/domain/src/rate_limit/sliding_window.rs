//! A sliding minute: when the last calls of a kind were made.
//! <https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit>

use std::time::Duration;

use jiff::Timestamp;

/// TikTok's window, and five seconds: a call is written down here a little
/// before it arrives there, and not always by the same little.
pub(super) const WINDOW: Duration = Duration::from_secs(65);

/// A kind of call that TikTok limits for each account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// What a creator may post now.
    CreatorInfo,
    /// Where a publish stands.
    StatusFetch,
}

impl CallKind {
    /// How many TikTok takes a minute.
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
    #[must_use]
    pub fn a_minute(self) -> usize {
        match self {
            Self::CreatorInfo => 20,
            Self::StatusFetch => 30,
        }
    }

    /// Its name, as keys have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatorInfo => "creator_info",
            Self::StatusFetch => "status_fetch",
        }
    }
}

/// The calls of the last minute, and who comes when it is full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlidingWindow {
    /// When calls were made, oldest first; of old ones, as many as may matter.
    pub calls: Vec<Timestamp>,
    /// The last time at which somebody was told to come again.
    pub reserved_until: Option<Timestamp>,
    /// TikTok takes no call before this.
    pub blocked_until: Option<Timestamp>,
}

impl SlidingWindow {
    /// When there is room for a call, from `now` on.
    #[must_use]
    pub fn free_at(&self, most: usize, now: Timestamp) -> Timestamp {
        let window = self.calls.len().checked_sub(most).and_then(|oldest| self.calls.get(oldest));
        let window = window.map_or(now, |&oldest| oldest + WINDOW);
        window.max(now).max(self.blocked_until.unwrap_or(now))
    }

    /// Writes a call down.
    ///
    /// # Errors
    /// There is no room. Nothing is written but when the asker should come again:
    /// each is told another time, so that they do not come together.
    pub fn take(mut self, most: usize, now: Timestamp) -> Result<Self, (Self, Timestamp)> {
        let free = self.free_at(most, now);
        if free <= now {
            self.write_down(most, now);
            return Ok(self);
        }
        let behind = self.reserved_until.map_or(free, |last| last + WINDOW / u32::try_from(most.max(1)).unwrap_or(1));
        let again = behind.max(free);
        self.reserved_until = Some(again);
        Err((self, again))
    }

    /// Writes a call down. Where clocks differ, the later one counts.
    pub(super) fn write_down(&mut self, most: usize, now: Timestamp) {
        let at = self.calls.last().map_or(now, |&last| last.max(now));
        self.calls.push(at);
        let old = self.calls.len().saturating_sub(most);
        self.calls.drain(..old);
    }

    /// Notes that TikTok refused: nothing before a whole window has passed.
    #[must_use]
    pub fn refused(mut self, now: Timestamp) -> Self {
        self.blocked_until = self.blocked_until.max(Some(now + WINDOW));
        self
    }
}
