//! Which posts are in their account's queue: those that could begin an upload and have not.
//!
//! [`crate::rate_limit`] explains the queue. `storage` keeps an index of it, which it writes from
//! [`Post::is_in_account_queue`].

use std::time::Duration;

use jiff::Timestamp;

use super::{Post, PostState};
use crate::failure::Deferral;
use crate::options::Mode;
use crate::reason::Reason;

/// A post is not woken early if it would gain less than this.
const MIN_WAKE_GAIN: Duration = Duration::from_secs(1);
/// After this many workers in a row stopped while they had the post, it leaves the queue. One worker can stop by
/// chance, but a post that stops every worker must not block the queue.
const MAX_LOST_WORKERS: u32 = 2;

impl Post {
    /// Tells whether the post waits for a limit or is about to begin its upload.
    ///
    /// A post that is deferred for another reason, or whose workers keep stopping, is not in the queue: it would block
    /// the account's later posts.
    pub fn is_in_account_queue(&self) -> bool {
        match &self.state {
            PostState::Queued { upload: None, deferral, .. } => {
                deferral.as_ref().is_none_or(|deferral| deferral.reason.is_limit())
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

    /// The post's mode, which decides its limits; `None` until its options are resolved.
    pub fn mode(&self) -> Option<Mode> {
        self.settings.as_ref().map(|settings| settings.mode)
    }

    /// Until when the post is deferred, if it is.
    pub fn queue_not_before(&self) -> Option<Timestamp> {
        match &self.state {
            PostState::Queued { not_before, deferral: Some(_), .. } => Some(*not_before),
            _ => None,
        }
    }

    /// Ends a wait for a limit early, because the limit allows the post earlier than estimated.
    ///
    /// Returns `None` if the post waits for something else, or at most one second longer than `at`.
    #[must_use]
    pub fn woken_early(mut self, at: Timestamp) -> Option<Self> {
        match &mut self.0.state {
            PostState::Queued { not_before, deferral: Some(deferral), upload: None }
                if deferral.reason.is_limit() && *not_before > at + MIN_WAKE_GAIN =>
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
    deferral.reason == Reason::WorkerLost && deferral.count >= MAX_LOST_WORKERS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Alias;
    use crate::post::HoldReason;
    use crate::source::{ObjectVersion, Source};

    const DAY: Duration = Duration::from_hours(24);

    fn start() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn claimed() -> Post {
        let version = ObjectVersion::Id("1".into());
        let source = Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version };
        let post = Post::submit(Alias::new("anna").unwrap(), source, None, start());
        assert!(post.is_in_account_queue(), "a new post is queued");
        post.claim("worker-1", start()).unwrap()
    }

    #[test]
    fn post_is_queued_unless_deferred_for_other_reason() {
        let post = claimed();
        assert!(post.is_in_account_queue());
        assert!(post.clone().defer(Reason::PostsPerDay, "", DAY, start()).unwrap().is_in_account_queue());
        assert!(!post.clone().defer(Reason::SourceUnreadable, "", DAY, start()).unwrap().is_in_account_queue());
        assert!(!post.hold(HoldReason::Sidecar, start()).unwrap().is_in_account_queue());
    }

    #[test]
    fn post_that_stops_two_workers_leaves_queue() {
        let later = |n: u32| start() + super::super::LEASE_TERM * n;
        let once = claimed().claim("worker-2", later(1)).unwrap();
        assert!(once.is_in_account_queue(), "one worker can stop by chance");
        let twice = once.clone().claim("worker-3", later(2)).unwrap();
        assert!(!twice.is_in_account_queue(), "{:?}", twice.state);
        let survived = twice.defer(Reason::PostsPerDay, "", DAY, later(2)).unwrap();
        assert!(survived.is_in_account_queue(), "a worker that got further resets the count");
        let again = survived.claim("worker-4", later(2) + DAY).unwrap();
        assert!(again.claim("worker-5", later(3) + DAY).unwrap().is_in_account_queue(), "only workers in a row count");
    }

    #[test]
    fn handed_over_post_is_queued_and_counts_no_lost_worker() {
        let later = |n: u32| start() + super::super::LEASE_TERM * n;
        let taken_over = claimed().claim("worker-2", later(1)).unwrap();
        let handed_over = taken_over.hand_over(later(1)).unwrap();
        assert!(handed_over.is_in_account_queue(), "{:?}", handed_over.state);
        let lost_once = handed_over.claim("worker-3", later(1)).unwrap().claim("worker-4", later(2)).unwrap();
        assert!(lost_once.is_in_account_queue(), "the worker in between was not lost: {:?}", lost_once.state);
    }

    #[test]
    fn reconnected_post_is_queued_before_a_worker_claims_it() {
        let awaiting_reconnect = claimed().defer(Reason::NeedsReconnect, "", DAY, start()).unwrap();
        assert!(!awaiting_reconnect.is_in_account_queue(), "later posts may pass it");
        let reconnected = awaiting_reconnect.reconnected(start()).unwrap();
        assert!(reconnected.is_in_account_queue(), "{:?}", reconnected.state);
    }

    #[test]
    fn only_post_deferred_for_limit_is_woken_early() {
        let waiting = claimed().defer(Reason::PostsPerDay, "", DAY, start()).unwrap();
        let woken = waiting.clone().woken_early(start()).unwrap();
        assert_eq!(woken.due_at, Some(start()));
        assert!(woken.clone().claim("worker-2", start()).is_ok());
        assert_eq!(woken.woken_early(start()), None);
        assert_eq!(waiting.woken_early(start() + DAY), None);
        assert_eq!(claimed().woken_early(start()), None, "a worker has it");
        let outage = claimed().defer(Reason::SourceUnreadable, "", DAY, start()).unwrap();
        assert_eq!(outage.woken_early(start()), None);
    }
}
