//! Commands of people: approve, cancel or retry a post, or change its options.
//!
//! The post decides whether a command is possible (`domain::post::CommandRejected`). A command and a worker may write
//! the same post at the same time; both writes are conditional, so the second writer sees what the first one wrote.

use domain::failure::error_chain;
use domain::identity::{Alias, PostId};
use domain::listing::PostFilter;
use domain::options::{OptionsError, PostOptions};
use domain::post::{Approval, CommandRejected, HoldReason, Post, Repost, StateName};
use jiff::Timestamp;
use storage::{Objects, Posts, StoreError, Versioned, WakeQueue};

use crate::account_queue::AccountQueue;
use crate::best_effort::{abandon_multipart_upload, wake_worker};
use crate::compare_and_swap::{Change, update};
use crate::invocation::Instruments;
use crate::repost_check::RepostCheck;
use crate::state_recorder::StateRecorder;

/// How many held posts are read in one page.
const PAGE_SIZE: usize = 50;

/// Why a command was not carried out. The post is unchanged.
#[expect(missing_docs, reason = "the message of each undocumented variant says what it means")]
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("post {0} not found")]
    NotFound(PostId),
    /// The post's state does not allow the command.
    #[error(transparent)]
    Rejected(#[from] CommandRejected),
    #[error(transparent)]
    Options(#[from] OptionsError),
    #[error("the post is being changed by others")]
    Busy,
    #[error("the post could not be read or written")]
    Store(#[from] StoreError),
}

from_dependencies! {
    /// Carries out commands.
    pub struct Commands {
        posts: Posts, objects: Objects, wake_queue: WakeQueue, queue: AccountQueue, reposts: RepostCheck,
        recorder: StateRecorder, instruments: Instruments,
    }
}

impl Commands {
    /// Approves a post that is held for a review or for the same video. A post that was approved already is returned
    /// unchanged.
    pub async fn approve(&self, id: &PostId) -> Result<Versioned<Post>, CommandError> {
        let approve = |post: Post, now| {
            let was_approved = post.approval == Approval::Given || post.repost == Repost::Approved;
            match post.approve(now) {
                Err(_) if was_approved => Ok(None),
                approved => Ok(Some(approved?)),
            }
        };
        self.command(id, approve).await
    }

    /// Cancels a post for good. A post that was cancelled already is returned unchanged.
    pub async fn cancel(&self, id: &PostId) -> Result<Versioned<Post>, CommandError> {
        let cancel = |post: Post, now| {
            if post.state_name() == StateName::Cancelled { Ok(None) } else { Ok(Some(post.cancel(now)?)) }
        };
        self.command(id, cancel).await
    }

    /// Retries a failed post.
    pub async fn retry(&self, id: &PostId) -> Result<Versioned<Post>, CommandError> {
        self.command(id, |post, now| Ok(Some(post.retry(now)?))).await
    }

    /// Changes the options of a post's request by a JSON merge patch: a missing option stays, `null` removes it. For a
    /// removed option the next source decides (see `upload/options.rs`).
    pub async fn update_options(&self, id: &PostId, change: &[u8]) -> Result<Versioned<Post>, CommandError> {
        // An invalid change is reported as such even if the post's state does not allow a change.
        PostOptions::from_json(change, "change")?;
        self.command(id, |post, now| {
            let request = post.request.changed(change, "change")?;
            if request == post.request { Ok(None) } else { Ok(Some(post.with_options(request, now)?)) }
        })
        .await
    }

    /// Changes a post by a command, and then wakes workers as needed ([`Self::follow_up`]). `command` returns `None` if
    /// the post stays as it is.
    async fn command(
        &self,
        id: &PostId,
        command: impl Fn(Post, Timestamp) -> Result<Option<Post>, CommandError>,
    ) -> Result<Versioned<Post>, CommandError> {
        let changed = update(
            None,
            || async move { self.posts.get(id).await?.ok_or_else(|| CommandError::NotFound(id.clone())) },
            |post: Versioned<Post>| {
                Ok(match command(post.value.clone(), self.instruments.now())? {
                    Some(next) => Change::Save((post, next)),
                    None => Change::Stop((post, None)),
                })
            },
            |(before, next): (Versioned<Post>, Post)| async move {
                let saved = self.posts.save(&before, next, self.instruments.now()).await?;
                Ok((saved, Some(before.value)))
            },
        );
        let (post, before) = changed.await?.ok_or(CommandError::Busy)?;
        if let Some(before) = before {
            Box::pin(self.follow_up(&before, &post)).await;
        }
        Ok(post)
    }

    /// Records the post's new state, and wakes the worker of this post or of the next one in the queue. If a part
    /// fails, nothing is lost: a post that needs a worker is due, so the poller wakes one.
    async fn follow_up(&self, before: &Post, post: &Post) {
        self.recorder.record_state(post).await;
        if post.state_name() == StateName::Cancelled {
            self.queue.after_transition(post).await;
            self.reposts.after_transition(post).await;
            if let Some(upload) = before.multipart_upload_id.as_ref().filter(|_| before.awaits_bytes()) {
                abandon_multipart_upload(&self.objects, &before.source.bucket, &before.source.key, upload).await;
            }
            // Without a mode, `after_transition` does nothing. The post may have been the first in either mode.
            if before.is_in_account_queue() && before.mode().is_none() {
                self.queue.wake_next(&post.account, None).await;
            }
        }
        if post.is_claimable(self.instruments.now()) {
            wake_worker(&self.wake_queue, &post.id).await;
        }
    }

    /// Releases an account's posts that are held for this reason; returns how many were released.
    pub(crate) async fn release_held(&self, alias: &Alias, reason: &HoldReason) -> Result<u32, StoreError> {
        let held = PostFilter { account: Some(alias.clone()), state: Some(StateName::Held), ..PostFilter::default() };
        let (mut released, mut after) = (0, None);
        loop {
            let page = self.posts.list(&held, after, PAGE_SIZE).await?;
            for post in page.posts {
                let release = |post: Post, now| Ok(post.release_hold(reason, now).ok());
                match self.command(&post.id, release).await {
                    Ok(post) if post.state_name() != StateName::Held => released += 1,
                    Ok(_) | Err(CommandError::NotFound(_)) => {}
                    Err(CommandError::Store(error)) => return Err(error),
                    Err(error) => tracing::warn!(post.id = %post.id, error = error_chain(&error), "post not released"),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(released);
            }
        }
    }
}
