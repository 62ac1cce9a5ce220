//! The poller: works on every post that is due.
//!
//! The index of due posts holds only posts with a due time, in shards, ordered by that time. It is read page by page
//! until the worker's deadline; the rest stays due. So the cost depends on the number of due posts, not of stored
//! posts.
//!
//! A run may die at any of its calls, and each run at the same one: for example because of a post that exhausts the
//! memory. So that such a post does not starve the posts behind it, a run begins with the [`overdue`] posts.

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

/// How many shards are worked on at once.
const CONCURRENT_SHARDS: usize = 16;
/// How many posts of a shard are worked on at once.
const CONCURRENT_POSTS: usize = 4;

from_dependencies! {
    /// Works on due posts.
    pub struct Poller { posts: Posts, due_posts: DuePosts, instruments: Instruments, }
}

impl Poller {
    /// Works on every due post, until all are done or the deadline is reached.
    ///
    /// # Errors
    /// A shard could not be read; the other shards were worked on.
    pub async fn work_due(&self, worker: &Worker) -> Result<DueSummary, StoreError> {
        let mut first_error = None;
        let mut keep_error = |error: StoreError| {
            tracing::error!(error = error_chain(&error), "a shard of the due posts could not be read");
            first_error.get_or_insert(error);
        };
        let first_page = |shard| async move { (shard, self.posts.due(self.instruments.now(), shard, None).await) };
        let read = stream::iter(Shard::all()).map(first_page).buffer_unordered(CONCURRENT_SHARDS);
        let read: Vec<_> = read.collect().await;
        let mut pages = Vec::new();
        for (shard, page) in read {
            match page {
                Ok(page) => pages.push((shard, page)),
                Err(error) => keep_error(error),
            }
        }
        let mut summary = work_overdue(&self.due_posts, &mut pages, worker, self.instruments.now()).await;
        let shards = stream::iter(pages).map(|(shard, page)| self.work_shard(shard, page, worker));
        let mut shards = pin!(shards.buffer_unordered(CONCURRENT_SHARDS));
        while let Some((part, ended)) = shards.next().await {
            summary = summary.plus(&part);
            ended.unwrap_or_else(&mut keep_error);
        }
        self.instruments.measure(&Measurement::due_posts(summary.found(), summary.oldest));
        first_error.map_or(Ok(summary), Err)
    }

    /// Works on a page of a shard and on the pages after it.
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
