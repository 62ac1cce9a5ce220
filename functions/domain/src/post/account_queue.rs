//! The line of an account's posts that could be begun, and are not.
//! [`crate::rate_limit`] tells what it is for.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::WORKER_LOST;
use super::{Post, PostState};
use crate::failure::Deferral;
use crate::options::Mode;
use crate::rate_limit;

/// For less than this nobody is woken earlier.
const WORTH_IT: Duration = Duration::from_secs(1);
/// How many workers in a row may vanish with a post before it steps aside: one
/// may have been stopped by random; a post that stops them all must not stop the line.
const MOST_LOST: u32 = 2;

impl Post {
    /// Tells whether the post waits for its turn, or is about to take it. One
    /// that backs off for a reason of its own has stepped aside, and so has one
    /// that no worker survives.
    #[must_use]
    pub fn is_in_account_queue(&self) -> bool {
        match &self.state {
            PostState::Queued { upload: None, deferral, .. } => {
                deferral.as_ref().is_none_or(|deferral| rate_limit::is_limit(&deferral.code))
            }
            PostState::Uploading { upload: None, deferral, .. } => !deferral.as_ref().is_some_and(stops_its_workers),
            PostState::Queued { upload: Some(_), .. }
            | PostState::Uploading { upload: Some(_), .. }
            | PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Processing { .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => false,
        }
    }

    /// Which of the account's limits the post goes by, once its options are known.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.settings.as_ref().map(|settings| settings.mode)
    }

    /// When the post tries next, where it sleeps until then.
    #[must_use]
    pub fn queue_not_before(&self) -> Option<Timestamp> {
        match &self.state {
            PostState::Queued { not_before, deferral: Some(_), .. } => Some(*not_before),
            _ => None,
        }
    }

    /// Calls a post up that was told to wait longer than it has to; none, where
    /// it waits for something else, or is to come by then anyway.
    #[must_use]
    pub fn woken_early(mut self, at: Timestamp) -> Option<Self> {
        match &mut self.0.state {
            PostState::Queued { not_before, deferral: Some(deferral), upload: None }
                if rate_limit::is_limit(&deferral.code) && *not_before > at + WORTH_IT =>
            {
                *not_before = at;
                self.0.due_at = Some(at);
                Some(self)
            }
            _ => None,
        }
    }
}

fn stops_its_workers(deferral: &Deferral) -> bool {
    deferral.code == WORKER_LOST && deferral.count >= MOST_LOST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Alias;
    use crate::post::HoldReason;
    use crate::rate_limit::POSTS;
    use crate::source::{ObjectVersion, Source};

    const DAY: Duration = Duration::from_hours(24);

    fn start() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn claimed() -> Post {
        let version = ObjectVersion::Id("1".into());
        let source = Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version };
        let post = Post::submit(Alias::new("anna").unwrap(), source, None, start());
        assert!(post.is_in_account_queue(), "from the moment it is stored");
        post.claim("worker-1", start()).unwrap()
    }

    #[test]
    fn a_post_stands_in_line_until_it_waits_for_something_of_its_own() {
        let post = claimed();
        assert!(post.is_in_account_queue());
        assert!(post.clone().defer(POSTS, "", DAY, start()).unwrap().is_in_account_queue());
        assert!(!post.clone().defer("source_unreadable", "", DAY, start()).unwrap().is_in_account_queue());
        assert!(!post.hold(HoldReason::Sidecar, start()).unwrap().is_in_account_queue());
    }

    #[test]
    fn a_post_that_no_worker_survives_steps_aside() {
        let later = |n: u32| start() + super::super::LEASE_TERM * n;
        let once = claimed().claim("worker-2", later(1)).unwrap();
        assert!(once.is_in_account_queue(), "a worker may be stopped by random");
        let twice = once.clone().claim("worker-3", later(2)).unwrap();
        assert!(!twice.is_in_account_queue(), "{:?}", twice.state);
        let survived = twice.defer(POSTS, "", DAY, later(2)).unwrap();
        assert!(survived.is_in_account_queue(), "it has its place again once a worker got through");
        let again = survived.claim("worker-4", later(2) + DAY).unwrap();
        assert!(again.claim("worker-5", later(3) + DAY).unwrap().is_in_account_queue(), "it counts those in a row");
    }

    #[test]
    fn a_post_whose_account_is_connected_again_has_its_place_before_anybody_takes_it_up() {
        let awaiting_reconnect = claimed().defer("needs_reconnect", "", DAY, start()).unwrap();
        assert!(!awaiting_reconnect.is_in_account_queue(), "the others hear of it themselves");
        let freed = awaiting_reconnect.reconnected("needs_reconnect", start()).unwrap();
        assert!(freed.is_in_account_queue(), "{:?}", freed.state);
    }

    #[test]
    fn only_who_waits_for_a_limit_longer_than_needed_is_called_up() {
        let waiting = claimed().defer(POSTS, "", DAY, start()).unwrap();
        let called = waiting.clone().woken_early(start()).unwrap();
        assert_eq!(called.due_at, Some(start()));
        assert!(called.clone().claim("worker-2", start()).is_ok());
        assert_eq!(called.woken_early(start()), None);
        assert_eq!(waiting.woken_early(start() + DAY), None);
        assert_eq!(claimed().woken_early(start()), None, "somebody has it");
        let aside = claimed().defer("source_unreadable", "", DAY, start()).unwrap();
        assert_eq!(aside.woken_early(start()), None);
    }
}
