//! A worker's hold on a post: what it read, and the right to write the next.
//!
//! What must be true before the work goes on is [saved](LeasedPost::save). What may
//! follow the work is [noted](LeasedPost::note): the next write stores it, or the one
//! beside the next [piece of work](LeasedPost::during) that lasts until the last write
//! is [a moment](CHECKPOINT) old; no such work ends before its write has. So
//! writes of a post never overlap, and none is left behind.

use std::pin::pin;
use std::time::Duration;

use domain::post::{LEASE_TERM, Post};
use jiff::Timestamp;
use storage::Versioned;

use crate::exit::Exit;
use crate::posting::{Posting, Worker};

/// The age at which a lease is renewed: early enough for what may come between
/// two chunks, a wait and a question to TikTok, to end within it too.
const HEARTBEAT: Duration = Duration::from_secs(40);

/// The least time between two writes that only say how far the work is. Less
/// would cost more than it saves: what TikTok took since, it is asked about, and
/// where it does not say, no more is sent again than goes in this time.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// A claimed post. Every write through it is conditional on the last; after
/// one has failed, nothing can be written through it any more.
pub(crate) struct LeasedPost<'a> {
    posting: &'a Posting,
    kept: Versioned<Post>,
    /// What the worker knows beyond what is stored.
    noted: Option<Post>,
    worker: &'a Worker,
    /// Since when the lease runs: every write renews it.
    leased_at: Timestamp,
}

impl<'a> LeasedPost<'a> {
    pub(crate) fn new(posting: &'a Posting, kept: Versioned<Post>, worker: &'a Worker) -> Self {
        Self { posting, kept, noted: None, worker, leased_at: posting.now() }
    }

    /// The post as the worker knows it.
    pub(crate) fn post(&self) -> &Post {
        self.noted.as_ref().unwrap_or(&self.kept.value)
    }

    pub(crate) fn worker(&self) -> &'a Worker {
        self.worker
    }

    /// Makes the next step true.
    pub(crate) async fn save(&mut self, next: Post) -> Result<(), Exit> {
        let now = self.posting.now();
        self.kept = self.posting.posts.save(&self.kept, next, now).await?;
        self.noted = None;
        self.leased_at = now;
        Ok(())
    }

    /// Goes on from the next step, which the next write makes true, a moment after
    /// the last one at the earliest.
    pub(crate) fn checkpoint(&mut self, next: Post) {
        self.noted = Some(next);
    }

    /// Makes sure that nobody else has taken the post over, where the lease is
    /// not fresh any more.
    pub(crate) async fn renew_if_stale(&mut self) -> Result<(), Exit> {
        if self.fresh_for().is_zero() { self.save(self.renewed()?).await } else { Ok(()) }
    }

    /// Does a piece of work, and meanwhile stores what was noted and keeps the
    /// lease from running out.
    ///
    /// # Errors
    /// The post is another worker's, or may be, or it cannot be stored. The work
    /// was dropped that very moment; or it had ended, and what it came to is
    /// nobody's to act upon.
    pub(crate) async fn run_renewing<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Exit> {
        let mut work = pin!(work);
        loop {
            let rest = if self.noted.is_some() { self.checkpoint_in() } else { self.fresh_for() };
            if !rest.is_zero() {
                tokio::select! {
                    biased;
                    done = &mut work => return Ok(done),
                    () = tokio::time::sleep(rest) => {}
                }
            }
            let next = self.noted.clone().map_or_else(|| self.renewed(), Ok)?;
            let left = left_of(LEASE_TERM, self.leased_at, self.posting.now());
            let mut write = Box::pin(within(left, self.save(next)));
            tokio::select! {
                biased;
                stored = &mut write => stored?,
                done = &mut work => return write.await.map(|()| done),
            }
        }
    }

    /// How long what was noted may wait yet.
    fn checkpoint_in(&self) -> Duration {
        left_of(CHECKPOINT, self.leased_at, self.posting.now())
    }

    /// How long the lease may be left alone yet.
    fn fresh_for(&self) -> Duration {
        left_of(HEARTBEAT, self.leased_at, self.posting.now())
    }

    fn renewed(&self) -> Result<Post, Exit> {
        Ok(self.post().clone().renew(self.posting.now())?)
    }
}

/// A write that comes too late to hold the post by is as good as refused: the
/// lease has run out, and anybody may have taken the post.
async fn within(lease: Duration, write: impl Future<Output = Result<(), Exit>>) -> Result<(), Exit> {
    tokio::time::timeout(lease, write).await.unwrap_or(Err(Exit::LeaseLost))
}

fn left_of(term: Duration, leased_at: Timestamp, now: Timestamp) -> Duration {
    let age = Duration::try_from(now.duration_since(leased_at)).unwrap_or_default();
    term.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest wait before a chunk is sent again.
    const WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_is_renewed_by_its_age_however_often_a_chunk_was_tried_meanwhile() {
        let leased_at = Timestamp::UNIX_EPOCH;
        let fresh_after = |seconds| left_of(HEARTBEAT, leased_at, leased_at + Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 15, 39, 40, 200].map(fresh_after), [40, 25, 1, 0, 0]);
        assert_eq!(left_of(HEARTBEAT, leased_at, leased_at - WAIT), HEARTBEAT, "a clock that was set back");
    }

    #[test]
    fn a_lease_outlives_what_may_come_between_two_chunks() {
        assert!(HEARTBEAT + WAIT < LEASE_TERM);
    }
}
