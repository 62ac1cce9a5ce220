//! Claims: how one worker at a time gets the right to work on a post.
//!
//! A lease names the worker and has an expiry time. Each claim increments the attempt number. Each write is
//! conditional on the revision that was read. So a worker whose lease expired and was taken over can no longer write;
//! it stops at its next checkpoint.

use std::time::Duration;

use jiff::Timestamp;

use super::{HoldReasonName, Post, PostState, StateName};
use crate::failure::Deferral;
use crate::polling::elapsed;
use crate::reason::Reason;

/// How long a lease lasts unless the worker renews it. If the worker crashes, another one claims the post after this.
/// A worker renews it every 40 s (`posting/src/upload/leased_post.rs`), so two renewals may fail.
pub const LEASE_TERM: Duration = Duration::from_mins(2);

/// A worker's right to work on a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// The expiry time. From then on any worker may claim the post.
    pub expires_at: Timestamp,
}

/// Why a post cannot be claimed now. This is normal: events and wake messages can arrive early or twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimable {
    /// Another worker has a lease.
    #[error("worker {owner} has a lease until {until}")]
    Leased {
        /// The other worker.
        owner: String,
        /// When the lease expires.
        until: Timestamp,
    },
    /// The post is deferred or scheduled.
    #[error("the post is not due before {until}")]
    NotDue {
        /// When it is due.
        until: Timestamp,
    },
    /// The post is held.
    #[error("the post is held ({reason})")]
    Held {
        /// What it waits for.
        reason: HoldReasonName,
    },
    /// No worker is needed any more: TikTok processes the video, or the post has ended.
    #[error("the post is {state} already")]
    Past {
        /// The post's state.
        state: StateName,
    },
}

impl Post {
    /// Claims the post for a worker until `now` + [`LEASE_TERM`].
    ///
    /// # Errors
    /// The post cannot be claimed now; it stays as it is.
    pub fn claim(self, owner: &str, now: Timestamp) -> Result<Self, NotClaimable> {
        let (deferral, upload, note) = match &self.state {
            PostState::Queued { not_before: until, .. } | PostState::Scheduled { publish_at: until }
                if *until > now =>
            {
                return Err(NotClaimable::NotDue { until: *until });
            }
            PostState::Uploading { lease, .. } if lease.expires_at > now => {
                return Err(NotClaimable::Leased { owner: lease.owner.clone(), until: lease.expires_at });
            }
            PostState::Held { reason } => return Err(NotClaimable::Held { reason: reason.name() }),
            PostState::Processing { .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => return Err(NotClaimable::Past { state: self.state_name() }),
            PostState::Scheduled { .. } => (None, None, "its publication time was reached"),
            PostState::Queued { deferral, upload, .. } => (deferral.clone(), upload.clone(), "claimed by a worker"),
            PostState::Uploading { deferral, upload: None, .. } => {
                (Some(lost_again(deferral.as_ref())), None, "taken over from a worker that stopped")
            }
            // The upload must be kept: its `last_chunk` may say that the last chunk was possibly sent. Without that, the
            // next worker could begin a second upload.
            PostState::Uploading { deferral, upload, .. } => {
                (deferral.clone(), upload.clone(), "taken over from a worker that stopped")
            }
        };
        let lease = Lease { owner: owner.to_owned(), expires_at: now + LEASE_TERM };
        let due = lease.expires_at;
        let mut post = self.enter(PostState::Uploading { lease, deferral, upload }, Some(due), now, note);
        post.0.attempt = post.0.attempt.saturating_add(1);
        Ok(post)
    }

    /// Tells whether a worker can claim the post now, so that a wake message is worth sending.
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        self.claimable_from().is_some_and(|from| from <= now)
    }

    /// For how long the post has needed work or a poll: zero if it needs neither.
    ///
    /// A post that a worker must claim has needed work since it became claimable. Its `due_at` does not tell, because
    /// each wake message postpones it ([`Post::due_again_at`]). The poll of any other post is due at `due_at`.
    pub fn overdue_by(&self, now: Timestamp) -> Duration {
        let since = match &self.state {
            PostState::Processing { .. } | PostState::Published { .. } | PostState::Delivered { .. } => self.due_at,
            _ => self.claimable_from(),
        };
        since.map_or(Duration::ZERO, |since| elapsed(since, now))
    }

    fn claimable_from(&self) -> Option<Timestamp> {
        match &self.state {
            PostState::Queued { not_before: from, .. } | PostState::Scheduled { publish_at: from } => Some(*from),
            PostState::Uploading { lease, .. } => Some(lease.expires_at),
            PostState::Held { .. }
            | PostState::Processing { .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => None,
        }
    }

    /// Makes the post due again at this time, because a wake message was sent or a poll failed.
    ///
    /// Only `due_at` changes, and the next transition sets it again. If the wake message is lost, the poller finds the
    /// post at this time.
    #[must_use]
    pub fn due_again_at(mut self, at: Timestamp) -> Self {
        self.0.due_at = Some(at);
        self
    }
}

/// The deferral of a post whose worker stopped before it began an upload. Its `count` is the number of such workers in a
/// row; after two, the post leaves its account's queue (`account_queue.rs`).
fn lost_again(before: Option<&Deferral>) -> Deferral {
    let count = before.filter(|deferral| deferral.reason == Reason::WorkerLost).map_or(0, |deferral| deferral.count);
    let message = "its worker stopped before an upload was begun".to_owned();
    Deferral { reason: Reason::WorkerLost, message, count: count.saturating_add(1) }
}
