//! Overdue posts: due for so long that earlier runs must have died before they finished with them.
//!
//! As long as runs do not die, no post is overdue, and nothing here costs a call. If runs die, the posts at the front
//! of the shards become overdue after some minutes. Then:
//!
//! - An overdue post is postponed before it is polled. If the poll kills the run, the next run finds the post behind
//!   all others. A post that kills each run thus kills one now and then, and the others are worked on in between.
//! - The first post of every shard comes first. All of them take their first step, which ends with a write or a
//!   wake-up. Then TikTok is polled about the post that has waited longest, alone, and after that about the others. So
//!   a run that dies within a few dozen calls has still moved some posts to the back and finished one.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{DuePage, Shard};

use super::due_posts::{DuePosts, DueSummary, is_overdue};
use crate::invocation::Worker;

/// Works on the overdue posts at the front of the shards, and removes them from the pages.
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
    first_steps.sort_by_key(|step| (step.polls(), step.waited));
    let summary = match first_steps.pop() {
        Some(longest) => due_posts.second_step(longest, worker).await,
        None => return DueSummary::default(),
    };
    let others = stream::iter(first_steps).map(|step| due_posts.second_step(step, worker));
    others.buffer_unordered(concurrency).fold(summary, async |sum, part| sum.plus(&part)).await
}
