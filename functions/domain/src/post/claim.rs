//! Claims: one worker at a time, and what a late one may not do any more.
//!
//! A lease says who works on a post and until when. The attempt number grows
//! with every claim; since each write is conditional on the version that was
//! read, a worker whose lease ran out and was taken cannot write any more, and
//! stops at its next checkpoint.

use std::time::Duration;

use jiff::Timestamp;

use super::{HoldReason, Post, PostState, StateName};
use crate::failure::Deferral;

/// How long a lease lasts unless it is renewed. A crashed worker's post is
/// taken up again after this.
pub const LEASE_TERM: Duration = Duration::from_mins(2);

/// What a post is put off by whose worker vanished before it had begun an upload.
pub(super) const WORKER_LOST: &str = "worker_lost";

/// Who works on a post, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// The end; from then on anybody may claim the post.
    pub expires_at: Timestamp,
}

/// Why a post cannot be worked on now. None of these is a fault: the event or
/// the bell came a second time, or early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimable {
    /// Somebody works on it.
    #[error("{owner} works on it until {until}")]
    Leased {
        /// Who.
        owner: String,
        /// Until when.
        until: Timestamp,
    },
    /// It waits for its time.
    #[error("it is not due before {until}")]
    NotDue {
        /// When it is.
        until: Timestamp,
    },
    /// It waits for a person.
    #[error("it is held until its {reason:?} is there")]
    Held {
        /// What for.
        reason: HoldReason,
    },
    /// Its bytes are sent, or it is at an end.
    #[error("it is {state} already")]
    Past {
        /// Where it stands.
        state: StateName,
    },
}

impl Post {
    /// Claims the post for a worker until `now` + [`LEASE_TERM`].
    ///
    /// # Errors
    /// Tells why nobody can work on it now; the post is left as it is.
    pub fn claim(self, owner: &str, now: Timestamp) -> Result<Self, NotClaimable> {
        let (deferral, upload, note) = match &self.state {
            PostState::Queued { not_before, .. } if *not_before > now => {
                return Err(NotClaimable::NotDue { until: *not_before });
            }
            PostState::Scheduled { publish_at } if *publish_at > now => {
                return Err(NotClaimable::NotDue { until: *publish_at });
            }
            PostState::Uploading { lease, .. } if lease.expires_at > now => {
                return Err(NotClaimable::Leased { owner: lease.owner.clone(), until: lease.expires_at });
            }
            PostState::Held { reason } => return Err(NotClaimable::Held { reason: *reason }),
            PostState::Processing { .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => {
                return Err(NotClaimable::Past { state: self.state_name() });
            }
            PostState::Scheduled { .. } => (None, None, "its time has come"),
            PostState::Queued { deferral, upload, .. } => (deferral.clone(), upload.clone(), "taken up"),
            PostState::Uploading { deferral, upload: None, .. } => {
                (Some(lost_again(deferral.as_ref())), None, "taken over from a worker that stopped")
            }
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

    /// Tells whether the post needs its bell rung: somebody should work on it.
    #[must_use]
    pub fn wants_work(&self, now: Timestamp) -> bool {
        match &self.state {
            PostState::Queued { not_before, .. } => *not_before <= now,
            PostState::Scheduled { publish_at } => *publish_at <= now,
            PostState::Uploading { lease, .. } => lease.expires_at <= now,
            PostState::Held { .. }
            | PostState::Processing { .. }
            | PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => false,
        }
    }

    /// How long it has been waiting for somebody to look at it. That the bell was
    /// rung meanwhile makes no difference.
    #[must_use]
    pub fn waited(&self, now: Timestamp) -> Duration {
        let since = match &self.state {
            PostState::Queued { not_before, .. } => Some(*not_before),
            PostState::Scheduled { publish_at } => Some(*publish_at),
            PostState::Uploading { lease, .. } => Some(lease.expires_at),
            PostState::Processing { .. } | PostState::Published { .. } | PostState::Delivered { .. } => self.due_at,
            PostState::Held { .. } | PostState::Failed { .. } | PostState::Cancelled { .. } => None,
        };
        since.and_then(|since| Duration::try_from(now.duration_since(since)).ok()).unwrap_or_default()
    }

    /// Notes that the bell was rung, so that it is not rung again before
    /// `until` unless the post changes in the meantime.
    #[must_use]
    pub fn woken(mut self, until: Timestamp) -> Self {
        self.0.due_at = Some(until);
        self
    }
}

/// Counts the workers in a row that vanished before the post's upload was begun.
fn lost_again(before: Option<&Deferral>) -> Deferral {
    let count = before.filter(|deferral| deferral.code == WORKER_LOST).map_or(0, |deferral| deferral.count);
    let message = "its worker stopped before an upload was begun".to_owned();
    Deferral { code: WORKER_LOST.to_owned(), message, count: count.saturating_add(1) }
}
