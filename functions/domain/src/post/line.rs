//! The line of an account's posts that could be begun, and are not.
//! [`crate::budget`] tells what it is for.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::WORKER_LOST;
use super::{Post, PostState};
use crate::budget;
use crate::failure::Deferral;
use crate::options::Mode;

/// For less than this nobody is woken earlier.
const WORTH_IT: Duration = Duration::from_secs(1);
/// How many workers in a row may vanish with a post before it steps aside: one
/// may have been stopped by chance; a post that stops them all must not stop the line.
const MOST_LOST: u32 = 2;

impl Post {
    /// Tells whether the post waits for its turn, or is about to take it. One
    /// that backs off for a reason of its own has stepped aside, and so has one
    /// that no worker survives.
    #[must_use]
    pub fn stands_in_line(&self) -> bool {
        match &self.state {
            PostState::Queued { upload: None, deferral, .. } => {
                deferral.as_ref().is_none_or(|deferral| budget::is_limit(&deferral.code))
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
    pub fn sleeps_until(&self) -> Option<Timestamp> {
        match &self.state {
            PostState::Queued { not_before, deferral: Some(_), .. } => Some(*not_before),
            _ => None,
        }
    }

    /// Calls a post up that was told to wait longer than it has to; none, where
    /// it waits for something else, or is to come by then anyway.
    #[must_use]
    pub fn called_up(mut self, at: Timestamp) -> Option<Self> {
        match &mut self.0.state {
            PostState::Queued { not_before, deferral: Some(deferral), upload: None }
                if budget::is_limit(&deferral.code) && *not_before > at + WORTH_IT =>
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
    use crate::budget::POSTS;
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
        assert!(post.stands_in_line(), "from the moment it is stored");
        post.claim("worker-1", start()).unwrap()
    }

    #[test]
    fn a_post_stands_in_line_until_it_waits_for_something_of_its_own() {
        let post = claimed();
        assert!(post.stands_in_line());
        assert!(post.clone().defer(POSTS, "", DAY, start()).unwrap().stands_in_line());
        assert!(!post.clone().defer("source_unreadable", "", DAY, start()).unwrap().stands_in_line());
        assert!(!post.hold(HoldReason::Sidecar, start()).unwrap().stands_in_line());
    }

    #[test]
    fn a_post_that_no_worker_survives_steps_aside() {
        let later = |n: u32| start() + super::super::LEASE_TERM * n;
        let once = claimed().claim("worker-2", later(1)).unwrap();
        assert!(once.stands_in_line(), "a worker may be stopped by chance");
        let twice = once.clone().claim("worker-3", later(2)).unwrap();
        assert!(!twice.stands_in_line(), "{:?}", twice.state);
        let survived = twice.defer(POSTS, "", DAY, later(2)).unwrap();
        assert!(survived.stands_in_line(), "it has its place again once a worker got through");
        let again = survived.claim("worker-4", later(2) + DAY).unwrap();
        assert!(again.claim("worker-5", later(3) + DAY).unwrap().stands_in_line(), "it counts those in a row");
    }

    #[test]
    fn a_post_whose_account_is_connected_again_has_its_place_before_anybody_takes_it_up() {
        let parked = claimed().defer("needs_reconnect", "", DAY, start()).unwrap();
        assert!(!parked.stands_in_line(), "the others hear of it themselves");
        let freed = parked.reconnected("needs_reconnect", start()).unwrap();
        assert!(freed.stands_in_line(), "{:?}", freed.state);
    }

    #[test]
    fn only_who_waits_for_a_limit_longer_than_needed_is_called_up() {
        let waiting = claimed().defer(POSTS, "", DAY, start()).unwrap();
        let called = waiting.clone().called_up(start()).unwrap();
        assert_eq!(called.due_at, Some(start()));
        assert!(called.clone().claim("worker-2", start()).is_ok());
        assert_eq!(called.called_up(start()), None);
        assert_eq!(waiting.called_up(start() + DAY), None);
        assert_eq!(claimed().called_up(start()), None, "somebody has it");
        let aside = claimed().defer("source_unreadable", "", DAY, start()).unwrap();
        assert_eq!(aside.called_up(start()), None);
    }
}
