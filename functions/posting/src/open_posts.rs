//! The open posts of an account: deferred when its authorization ends, and resumed when it is connected again.
//!
//! A post that is not reached before the deadline changes later: the next worker that claims it defers it, or it
//! resumes at its next retry.

use domain::failure::error_chain;
use domain::identity::{Alias, PostId};
use domain::post::{InvalidTransition, Post, StateName};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{Posts, Versioned, WakeQueue};

use crate::best_effort::wake_worker;
use crate::exit::{Exit, RECONNECT_RETRY};
use crate::invocation::Instruments;

/// How many posts are written at once.
const CONCURRENCY: usize = 8;

from_dependencies! {
    pub(crate) struct OpenPosts { posts: Posts, wake_queue: WakeQueue, instruments: Instruments, }
}

impl OpenPosts {
    /// Defers an account's queued posts until it is connected again; returns how many.
    pub(crate) async fn defer(&self, alias: &Alias, why: &str, deadline: Timestamp) -> usize {
        let Exit::Defer { message, .. } = Exit::needs_reconnect(why) else { return 0 };
        let defer = |post: Post, now| post.awaiting_reconnect(&message, RECONNECT_RETRY, now);
        self.change_each(alias, deadline, defer).await.len()
    }

    /// Resumes an account's posts that wait for its connection; returns how many. No worker is woken before all posts
    /// are in the account's queue again. Otherwise they would not be uploaded in the order of their drops.
    pub(crate) async fn resume(&self, alias: &Alias, deadline: Timestamp) -> usize {
        let resumed = self.change_each(alias, deadline, Post::reconnected).await;
        if !resumed.is_empty() {
            tracing::info!(account = %alias, posts.resumed = resumed.len(), "posts of the account resumed");
        }
        let queued = resumed.iter().filter(|(_, state)| *state == StateName::Queued);
        let wake = |(id, _): &'_ (PostId, StateName)| self.wake_in_time(id.clone(), deadline);
        stream::iter(queued).for_each_concurrent(CONCURRENCY, wake).await;
        resumed.len()
    }

    async fn wake_in_time(&self, id: PostId, deadline: Timestamp) {
        if self.instruments.now() < deadline {
            wake_worker(&self.wake_queue, &id).await;
        }
    }

    /// Changes the account's open posts whose state allows it; returns these posts and their new states.
    async fn change_each(
        &self,
        alias: &Alias,
        deadline: Timestamp,
        change: impl Fn(Post, Timestamp) -> Result<Post, InvalidTransition>,
    ) -> Vec<(PostId, StateName)> {
        let (mut changed, mut after) = (Vec::new(), None);
        while self.instruments.now() < deadline {
            let page = match self.posts.open_of(alias, after).await {
                Ok(page) => page,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(account = %alias, error, "open posts not found: they change at their next retry");
                    break;
                }
            };
            let posts = stream::iter(page.posts).map(|post| self.change(post, &change)).buffered(CONCURRENCY);
            changed.extend(posts.filter_map(std::future::ready).collect::<Vec<_>>().await);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        changed
    }

    async fn change(
        &self,
        post: Versioned<Post>,
        change: impl Fn(Post, Timestamp) -> Result<Post, InvalidTransition>,
    ) -> Option<(PostId, StateName)> {
        let (id, now) = (post.id.clone(), self.instruments.now());
        let changed = change(post.value.clone(), now).ok()?;
        // After a conflict another writer has changed the post, so it is retried soon in any case.
        let saved = self.posts.save(post, changed, now).await.inspect_err(|error| {
            tracing::debug!(post.id = %id, error = error_chain(error), "open post not changed before its next retry");
        });
        saved.ok().map(|post| (id, post.state_name()))
    }
}
