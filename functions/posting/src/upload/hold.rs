//! A worker's hold on a post: what it read, and the right to write the next.

use std::time::Duration;

use domain::post::Post;
use jiff::Timestamp;
use storage::Kept;

use crate::posting::{Posting, Worker};
use crate::stop::Stop;

/// The age at which a lease is renewed: early enough for what may come between
/// two chunks, a wait and a question to TikTok, to end within it too.
const HEARTBEAT: Duration = Duration::from_secs(40);

/// A claimed post. Every write through it is conditional on the last; after
/// one has failed, nothing can be written through it any more.
pub(crate) struct Hold<'a> {
    posting: &'a Posting,
    kept: Kept<Post>,
    worker: &'a Worker,
    /// Since when the lease runs: every write renews it.
    leased_at: Timestamp,
}

impl<'a> Hold<'a> {
    pub(crate) fn new(posting: &'a Posting, kept: Kept<Post>, worker: &'a Worker) -> Self {
        Self { posting, kept, worker, leased_at: posting.now() }
    }

    pub(crate) fn post(&self) -> &Post {
        &self.kept.value
    }

    pub(crate) fn worker(&self) -> &'a Worker {
        self.worker
    }

    /// Keeps the lease from running out.
    pub(crate) async fn renew(&mut self) -> Result<(), Stop> {
        self.save(self.post().clone().renew(self.posting.now())?).await
    }

    /// Makes sure that nobody else has taken the post over, where the lease is
    /// not fresh any more.
    pub(crate) async fn freshen(&mut self) -> Result<(), Stop> {
        if self.fresh_for().is_zero() { self.renew().await } else { Ok(()) }
    }

    /// How long the lease may be left alone yet.
    pub(crate) fn fresh_for(&self) -> Duration {
        fresh_for(self.leased_at, self.posting.now())
    }

    /// Makes the next step true.
    pub(crate) async fn save(&mut self, next: Post) -> Result<(), Stop> {
        let now = self.posting.now();
        self.kept = self.posting.posts.save(&self.kept, next, now).await?;
        self.leased_at = now;
        Ok(())
    }
}

fn fresh_for(leased_at: Timestamp, now: Timestamp) -> Duration {
    let age = Duration::try_from(now.duration_since(leased_at)).unwrap_or_default();
    HEARTBEAT.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::post::LEASE_TERM;

    /// The longest wait before a chunk is sent again.
    const WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_is_renewed_by_its_age_however_often_a_chunk_was_tried_meanwhile() {
        let leased_at = Timestamp::UNIX_EPOCH;
        let fresh_after = |seconds| fresh_for(leased_at, leased_at + Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 15, 39, 40, 200].map(fresh_after), [40, 25, 1, 0, 0]);
        assert_eq!(fresh_for(leased_at, leased_at - WAIT), HEARTBEAT, "a clock that was set back");
    }

    #[test]
    fn a_lease_outlives_what_may_come_between_two_chunks() {
        assert!(HEARTBEAT + WAIT < LEASE_TERM);
    }
}
