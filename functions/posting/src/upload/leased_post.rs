//! A claimed post: the post as it was stored last, and the lease that lets this worker write it.
//!
//! A change on which the next step depends is [saved](LeasedPost::save) at once. Progress on which no step depends is a
//! [checkpoint](LeasedPost::checkpoint), which the next write stores. During a chunk,
//! [`run_renewing`](LeasedPost::run_renewing) makes this write once the last one is [`CHECKPOINT_INTERVAL`] old. It
//! returns only after the write has finished, so writes of a post never overlap, and none is forgotten.

use std::pin::pin;
use std::time::Duration;

use domain::post::{LEASE_TERM, Post};
use domain::upload::Upload;
use jiff::Timestamp;
use storage::{Posts, Versioned};

use crate::exit::Exit;
use crate::invocation::{Instruments, Worker};

/// The age at which a lease is renewed. The rest of `LEASE_TERM` must be enough for the time between two chunks, in
/// which the lease is not renewed: a wait of at most `send::MAX_WAIT`, and a call to TikTok.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(40);

/// The minimum time between two writes that only store an offset. Writing more often costs more than it saves: the next
/// worker asks TikTok for its offset. If TikTok does not state it, that worker sends the bytes of this time again.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// A claimed post. Each write is conditional on the previous one; after a failed write no other can succeed.
pub(crate) struct LeasedPost<'a> {
    posts: &'a Posts,
    instruments: &'a Instruments,
    stored: Versioned<Post>,
    /// The post with progress that is not stored yet.
    checkpoint: Option<Post>,
    worker: &'a Worker,
    /// When the lease was last renewed; every write renews it.
    leased_at: Timestamp,
}

impl<'a> LeasedPost<'a> {
    pub(crate) fn new(
        posts: &'a Posts,
        instruments: &'a Instruments,
        post: Versioned<Post>,
        worker: &'a Worker,
    ) -> Self {
        Self { posts, instruments, stored: post, checkpoint: None, worker, leased_at: instruments.now() }
    }

    /// The post with all progress.
    pub(crate) fn post(&self) -> &Post {
        self.checkpoint.as_ref().unwrap_or(&self.stored.value)
    }

    /// The upload of a post that is being sent.
    ///
    /// # Errors
    /// The post has none, which is a bug; TikTok is asked before anything else is done.
    pub(crate) fn upload(&self) -> Result<Upload, Exit> {
        self.post().upload().cloned().ok_or_else(|| Exit::Unconfirmed("the post has no upload".to_owned()))
    }

    pub(crate) fn worker(&self) -> &'a Worker {
        self.worker
    }

    /// Stores the post and renews the lease. Fails if another writer has changed the post, or the database failed.
    pub(crate) async fn save(&mut self, next: Post) -> Result<(), Exit> {
        let now = self.instruments.now();
        self.stored = self.posts.save(&self.stored, next, now).await?;
        self.checkpoint = None;
        self.leased_at = now;
        Ok(())
    }

    /// Keeps progress in memory, for a later write to store.
    pub(crate) fn checkpoint(&mut self, next: Post) {
        self.checkpoint = Some(next);
    }

    /// Renews the lease if it is older than [`HEARTBEAT_INTERVAL`]. This fails if another worker has claimed the post.
    pub(crate) async fn renew_if_stale(&mut self) -> Result<(), Exit> {
        if self.remaining(HEARTBEAT_INTERVAL).is_zero() { self.save(self.renewed()?).await } else { Ok(()) }
    }

    /// Does a piece of work, and meanwhile stores the checkpoint and renews the lease.
    ///
    /// # Errors
    /// The post may be another worker's, or it cannot be stored. The work was aborted at once; if it had finished, its
    /// result is dropped, because this worker must not act on it.
    pub(crate) async fn run_renewing<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Exit> {
        let mut work = pin!(work);
        loop {
            let interval = if self.checkpoint.is_some() { CHECKPOINT_INTERVAL } else { HEARTBEAT_INTERVAL };
            let wait = self.remaining(interval);
            if !wait.is_zero() {
                tokio::select! {
                    biased;
                    done = &mut work => return Ok(done),
                    () = tokio::time::sleep(wait) => {}
                }
            }
            let next = self.checkpoint.clone().map_or_else(|| self.renewed(), Ok)?;
            let lease = self.remaining(LEASE_TERM);
            // A write that does not finish within the lease counts as refused: another worker may have the post.
            let write = async { tokio::time::timeout(lease, self.save(next)).await.unwrap_or(Err(Exit::LeaseLost)) };
            let mut write = Box::pin(write);
            tokio::select! {
                biased;
                stored = &mut write => stored?,
                done = &mut work => return write.await.map(|()| done),
            }
        }
    }

    /// What remains of a term that began when the lease was last renewed.
    fn remaining(&self, term: Duration) -> Duration {
        remaining(term, self.leased_at, self.instruments.now())
    }

    fn renewed(&self) -> Result<Post, Exit> {
        Ok(self.post().clone().renew(self.instruments.now())?)
    }
}

/// What remains of a term that began at `since`; the whole term if the clock was set back.
fn remaining(term: Duration, since: Timestamp, now: Timestamp) -> Duration {
    let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    term.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as `send::MAX_WAIT`.
    const MAX_WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn heartbeat_depends_on_age_of_lease_alone() {
        let since = Timestamp::UNIX_EPOCH;
        let left = |seconds| remaining(HEARTBEAT_INTERVAL, since, since + Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 15, 39, 40, 200].map(left), [40, 25, 1, 0, 0]);
        let before = since - MAX_WAIT;
        assert_eq!(remaining(HEARTBEAT_INTERVAL, since, before), HEARTBEAT_INTERVAL, "the clock was set back");
    }

    #[test]
    fn lease_outlives_the_wait_between_two_chunks() {
        assert!(HEARTBEAT_INTERVAL + MAX_WAIT < LEASE_TERM);
    }
}
