//! Posts that waited for their account go on at once, when it is connected again.
//!
//! They would by themselves, at the next of their looks; so whatever cannot be
//! done here, for want of time say, is only done later.

use domain::failure::in_full;
use domain::identity::Alias;
use domain::post::{Post, StateName};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::Kept;

use crate::posting::Posting;
use crate::stop::NEEDS_RECONNECT;

/// How many posts are written at once.
const AT_ONCE: usize = 8;

impl Posting {
    /// Lets an account's waiting posts go on; tells how many.
    pub(crate) async fn resume(&self, alias: &Alias, rest_by: Timestamp) -> u32 {
        let mut resumed = 0;
        let mut after = None;
        while self.now() < rest_by {
            let page = match self.posts.open_of(alias, after.take()).await {
                Ok(page) => page,
                Err(error) => {
                    let error = in_full(&error);
                    tracing::warn!(account = %alias, error, "waiting posts not found: they go on at their next look");
                    break;
                }
            };
            let freed = stream::iter(page.posts).map(|kept| self.free(kept)).buffer_unordered(AT_ONCE);
            resumed +=
                u32::try_from(freed.filter(|freed| std::future::ready(*freed)).count().await).unwrap_or(u32::MAX);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        if resumed > 0 {
            tracing::info!(account = %alias, posts.resumed = resumed, "posts that waited for the account go on");
        }
        resumed
    }

    /// Lets one post go on, if it waits for its account; tells whether it did.
    async fn free(&self, kept: Kept<Post>) -> bool {
        let (id, now) = (kept.id.clone(), self.now());
        let Ok(freed) = kept.value.clone().reconnected(NEEDS_RECONNECT, now) else { return false };
        // What somebody else has written meanwhile waits no more, or looks soon.
        let Ok(kept) = self.posts.save(kept, freed, now).await.inspect_err(|error| {
            tracing::debug!(post.id = %id, error = in_full(error), "waiting post left to its next look");
        }) else {
            return false;
        };
        if kept.state_name() == StateName::Queued
            && let Err(error) = self.bell.ring(&id).await
        {
            tracing::warn!(post.id = %id, error = in_full(&error), "bell not rung: the post is due");
        }
        true
    }
}
