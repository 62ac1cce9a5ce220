//! The poller: for every due post, it polls TikTok, wakes a worker, or expires the post. `status` runs it on a
//! schedule.
//!
//! The index `due` holds only posts with a due time, in shards, ordered by that time. The poller reads each shard page
//! by page until the worker's deadline ([`due_posts`] checks it for each post). Posts that it did not reach stay due.
//! The cost depends on the number of due posts, not of stored posts.
//!
//! A post can kill every run that polls it, for example by exhausting the memory. Therefore a run first postpones
//! [`overdue`] posts before it polls them, so the next run finds that post behind all others.

mod due_posts;
mod overdue;
mod publish_poll;

use std::pin::pin;

use domain::failure::error_chain;
use futures::{StreamExt, stream};
use storage::{DuePage, Posts, Shard, StoreError};

pub use due_posts::DueSummary;

use crate::invocation::{Instruments, Worker};
use crate::measure::Measurement;
use due_posts::DuePosts;
use overdue::work_overdue;

/// How many shards are processed at once: all 8 shards of the index (`SHARDS` in `storage/src/posts/shard.rs`).
const CONCURRENT_SHARDS: usize = 8;
/// How many posts of a shard are processed at once.
const CONCURRENT_POSTS: usize = 4;

from_dependencies! {
    /// Polls TikTok about due posts, wakes workers for them, or expires them.
    pub struct Poller { posts: Posts, due_posts: DuePosts, instruments: Instruments, }
}

impl Poller {
    /// Processes every due post, until all are done or the deadline is reached.
    ///
    /// # Errors
    /// A shard could not be read. The posts of the other shards were processed.
    pub async fn work_due(&self, worker: &Worker) -> Result<DueSummary, StoreError> {
        let mut first_error = None;
        let mut keep_error = |error: StoreError| {
            tracing::error!(error = error_chain(&error), "a shard of the due posts could not be read");
            first_error.get_or_insert(error);
        };
        let first_page = |shard| async move { (shard, self.posts.due(self.instruments.now(), shard, None).await) };
        let first_pages = stream::iter(Shard::all()).map(first_page).buffer_unordered(CONCURRENT_SHARDS);
        let first_pages: Vec<_> = first_pages.collect().await;
        let mut pages = Vec::new();
        for (shard, page) in first_pages {
            match page {
                Ok(page) => pages.push((shard, page)),
                Err(error) => keep_error(error),
            }
        }
        let mut summary = work_overdue(&self.due_posts, &mut pages, worker, self.instruments.now()).await;
        let shards = stream::iter(pages).map(|(shard, page)| self.work_shard(shard, page, worker));
        let mut shards = pin!(shards.buffer_unordered(CONCURRENT_SHARDS));
        while let Some((part, read)) = shards.next().await {
            summary = summary.plus(&part);
            read.unwrap_or_else(&mut keep_error);
        }
        self.instruments.measure(&Measurement::due_posts(summary.found(), summary.oldest));
        first_error.map_or(Ok(summary), Err)
    }

    /// Processes a page of a shard and the pages after it. The error says that a later page could not be read.
    async fn work_shard(
        &self,
        shard: Shard,
        mut page: DuePage,
        worker: &Worker,
    ) -> (DueSummary, Result<(), StoreError>) {
        let mut summary = DueSummary::default();
        loop {
            let work = stream::iter(page.ids).map(|id| self.due_posts.work(id, worker));
            let work = work.buffer_unordered(CONCURRENT_POSTS);
            summary = work.fold(summary, async |sum, part| sum.plus(&part)).await;
            let in_time = self.instruments.now() < worker.deadline;
            let Some(next) = page.next.filter(|_| in_time) else { return (summary, Ok(())) };
            page = match self.posts.due(self.instruments.now(), shard, Some(next)).await {
                Ok(page) => page,
                Err(error) => return (summary, Err(error)),
            };
        }
    }
}
