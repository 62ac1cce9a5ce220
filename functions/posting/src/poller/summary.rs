//! What a run of the poller did, counted.

use std::time::Duration;

/// What a run of the poller did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueSummary {
    /// Posts about which TikTok was polled.
    pub polled: u32,
    /// Posts for which a worker was woken.
    pub woken: u32,
    /// Posts that failed because their video was never uploaded.
    pub expired: u32,
    /// Posts that had moved on already, or for which no time was left.
    pub skipped: u32,
    /// Posts that could not be read or written; they stay due.
    pub failed: u32,
    /// The longest time that one of the posts had been due.
    pub oldest: Duration,
}

/// What was done about one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PollOutcome {
    Polled,
    Woken,
    Expired,
    Skipped,
}

/// The work on one post.
pub(super) struct Attempt {
    /// `None` if it failed.
    pub(super) outcome: Option<PollOutcome>,
    /// How long the post had been due.
    pub(super) waited: Duration,
}

impl DueSummary {
    pub(super) fn found(&self) -> u32 {
        self.polled + self.woken + self.failed
    }

    pub(super) fn count(&mut self, attempt: &Attempt) {
        self.oldest = self.oldest.max(attempt.waited);
        match attempt.outcome {
            Some(PollOutcome::Polled) => self.polled += 1,
            Some(PollOutcome::Woken) => self.woken += 1,
            Some(PollOutcome::Expired) => self.expired += 1,
            Some(PollOutcome::Skipped) => self.skipped += 1,
            None => self.failed += 1,
        }
    }

    pub(super) fn add(&mut self, part: &Self) {
        self.polled += part.polled;
        self.woken += part.woken;
        self.expired += part.expired;
        self.skipped += part.skipped;
        self.failed += part.failed;
        self.oldest = self.oldest.max(part.oldest);
    }
}
