//! Processes overdue posts: posts due for so long that earlier runs probably died before they finished them.
//!
//! If no run dies, no post is overdue, and this module makes no call. If runs die, the posts at the front of the shards
//! become overdue after some minutes (`OVERDUE_AFTER` in `due_posts.rs`). Then:
//!
//! - An overdue post is postponed before it is polled. If the poll kills the run, the next run finds the post behind
//!   all others. A post that kills every run that polls it then kills one run in a while, and the runs in between
//!   process the other posts.
//! - The run begins with the first post of every shard. All these posts take their first step, which ends with a write
//!   or a wake-up. Then the run polls TikTok about the post that has waited longest, alone, and after that about the
//!   others. A run that dies within a few dozen calls has still moved some posts to the back, and finished one.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{DuePage, Shard};

use super::due_posts::{DuePosts, DueSummary, is_overdue};
use crate::invocation::Worker;

/// Processes the first post of each shard's page if it is overdue, and removes it from the page.
pub(super) async fn work_overdue(
    due_posts: &DuePosts,
    pages: &mut [(Shard, DuePage)],
    worker: &Worker,
    now: Timestamp,
) -> DueSummary {
    let fronts = pages.iter_mut().filter_map(|(_, page)| page.take_if(|due| is_overdue(due, now)));
    let fronts: Vec<_> = fronts.collect();
    let concurrency = fronts.len().max(1);
    let first_steps = stream::iter(fronts).map(|id| due_posts.first_step(id)).buffer_unordered(concurrency);
    let mut first_steps: Vec<_> = first_steps.collect().await;
    // The last one is the post to be polled that has waited longest.
    first_steps.sort_by_key(|step| (step.polls(), step.waited));
    let summary = match first_steps.pop() {
        Some(longest) => due_posts.second_step(longest, worker).await,
        None => return DueSummary::default(),
    };
    let others = stream::iter(first_steps).map(|step| due_posts.second_step(step, worker));
    others.buffer_unordered(concurrency).fold(summary, async |sum, part| sum.plus(&part)).await
}
