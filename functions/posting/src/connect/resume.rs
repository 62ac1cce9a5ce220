//! Posts that waited for their account go on at once, when it is connected again.
//!
//! They would by themselves, at the next of their looks; so whatever cannot be
//! done here, for want of time say, is only done later. No bell is rung before
//! all of them stand in the account's line again, so that they go in its order.

use domain::failure::error_chain;
use domain::identity::{Alias, PostId};
use domain::post::{Post, StateName};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::Versioned;

use crate::posting::Posting;

/// How many posts are written at once.
const AT_ONCE: usize = 8;

impl Posting {
    /// Lets an account's waiting posts go on; tells how many.
    pub(crate) async fn resume(&self, alias: &Alias, deadline: Timestamp) -> u32 {
        let mut freed = Vec::new();
        let mut after = None;
        while self.now() < deadline {
            let page = match self.posts.open_of(alias, after.take()).await {
                Ok(page) => page,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(account = %alias, error, "waiting posts not found: they go on at their next look");
                    break;
                }
            };
            let posts = stream::iter(page.posts).map(|kept| self.free(kept)).buffered(AT_ONCE);
            freed.extend(posts.filter_map(std::future::ready).collect::<Vec<_>>().await);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        if !freed.is_empty() {
            tracing::info!(account = %alias, posts.resumed = freed.len(), "posts that waited for the account go on");
        }
        let queued = freed.iter().filter(|(_, state)| *state == StateName::Queued);
        stream::iter(queued).for_each_concurrent(AT_ONCE, |(id, _)| self.ring_in_time(id, deadline)).await;
        u32::try_from(freed.len()).unwrap_or(u32::MAX)
    }

    /// Lets one post go on, if it waits for its account; tells where it stands then.
    async fn free(&self, kept: Versioned<Post>) -> Option<(PostId, StateName)> {
        let (id, now) = (kept.id.clone(), self.now());
        let freed = kept.value.clone().reconnected(now).ok()?;
        // What somebody else has written meanwhile waits no more, or looks soon.
        let saved = self.posts.save(kept, freed, now).await.inspect_err(|error| {
            tracing::debug!(post.id = %id, error = error_chain(error), "waiting post left to its next look");
        });
        saved.ok().map(|kept| (id, kept.state_name()))
    }

    async fn ring_in_time(&self, id: &PostId, deadline: Timestamp) {
        if self.now() >= deadline {
            return;
        }
        if let Err(error) = self.wake_queue.wake(id).await {
            tracing::warn!(post.id = %id, error = error_chain(&error), "bell not rung: the post is due");
        }
    }
}
