//! Resumes the posts that wait for their account, when it is connected again.
//!
//! They would resume at their next retry in any case, so a post that is not reached here only resumes later. No worker
//! is woken before all posts are in the account's queue again, so that they are uploaded in the order of their drops.

use domain::failure::error_chain;
use domain::identity::{Alias, PostId};
use domain::post::{Post, StateName};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{Posts, Versioned, WakeQueue};

use crate::best_effort::wake_worker;
use crate::invocation::Instruments;

/// How many posts are written at once.
const CONCURRENCY: usize = 8;

from_dependencies! {
    pub(crate) struct ResumePosts { posts: Posts, wake_queue: WakeQueue, instruments: Instruments, }
}

impl ResumePosts {
    /// Resumes an account's waiting posts; returns how many.
    pub(super) async fn resume(&self, alias: &Alias, deadline: Timestamp) -> u32 {
        let mut resumed = Vec::new();
        let mut after = None;
        while self.instruments.now() < deadline {
            let page = match self.posts.open_of(alias, after.take()).await {
                Ok(page) => page,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(account = %alias, error, "waiting posts not found: they resume at their next retry");
                    break;
                }
            };
            let posts = stream::iter(page.posts).map(|post| self.resume_post(post)).buffered(CONCURRENCY);
            resumed.extend(posts.filter_map(std::future::ready).collect::<Vec<_>>().await);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        if !resumed.is_empty() {
            tracing::info!(account = %alias, posts.resumed = resumed.len(), "posts of the account resumed");
        }
        let queued = resumed.iter().filter(|(_, state)| *state == StateName::Queued);
        stream::iter(queued).for_each_concurrent(CONCURRENCY, |(id, _)| self.wake_in_time(id, deadline)).await;
        u32::try_from(resumed.len()).unwrap_or(u32::MAX)
    }

    /// Resumes a post if it waits for its account; returns its new state.
    async fn resume_post(&self, post: Versioned<Post>) -> Option<(PostId, StateName)> {
        let (id, now) = (post.id.clone(), self.instruments.now());
        let resumed = post.value.clone().reconnected(now).ok()?;
        // After a conflict the post no longer waits, or is retried soon.
        let saved = self.posts.save(post, resumed, now).await.inspect_err(|error| {
            tracing::debug!(post.id = %id, error = error_chain(error), "waiting post not resumed before its next retry");
        });
        saved.ok().map(|post| (id, post.state_name()))
    }

    async fn wake_in_time(&self, id: &PostId, deadline: Timestamp) {
        if self.instruments.now() < deadline {
            wake_worker(&self.wake_queue, id).await;
        }
    }
}
