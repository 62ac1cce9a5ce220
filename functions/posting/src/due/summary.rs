//! What a look at the due posts did, counted.

use std::time::Duration;

/// What a look at the due posts did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueSummary {
    /// Posts whose publish TikTok was asked about.
    pub polled: u32,
    /// Posts that were sent to be worked on.
    pub rung: u32,
    /// Posts that were given up, since their bytes never came.
    pub given_up: u32,
    /// Posts that had moved on already.
    pub passed: u32,
    /// Posts that could not be read or written; they are due still.
    pub failed: u32,
    /// How long the post that had waited longest had been waiting.
    pub oldest: Duration,
}

/// What was done about one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PollOutcome {
    Polled,
    Rung,
    GivenUp,
    Passed,
}

/// What a look at one post came to.
pub(super) struct Look {
    /// None, where it failed.
    pub(super) looked: Option<PollOutcome>,
    /// How long the post had been waiting for it.
    pub(super) waited: Duration,
}

impl DueSummary {
    pub(super) fn found(&self) -> u32 {
        self.polled + self.rung + self.failed
    }

    pub(super) fn count(&mut self, look: &Look) {
        self.oldest = self.oldest.max(look.waited);
        match look.looked {
            Some(PollOutcome::Polled) => self.polled += 1,
            Some(PollOutcome::Rung) => self.rung += 1,
            Some(PollOutcome::GivenUp) => self.given_up += 1,
            Some(PollOutcome::Passed) => self.passed += 1,
            None => self.failed += 1,
        }
    }

    pub(super) fn add(&mut self, part: &Self) {
        self.polled += part.polled;
        self.rung += part.rung;
        self.given_up += part.given_up;
        self.passed += part.passed;
        self.failed += part.failed;
        self.oldest = self.oldest.max(part.oldest);
    }
}
