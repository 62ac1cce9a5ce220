//! What people ask of a post, made true: approve, cancel, retry, other options.
//!
//! The post itself decides what is possible ([`domain::post::CommandRejected`]). It is
//! written on the condition that nobody wrote since it was read, so a wish and a
//! worker that meet are told apart: the second to write sees what the first did.

use domain::failure::error_chain;
use domain::identity::{Alias, PostId};
use domain::listing::PostFilter;
use domain::options::{OptionsError, PostOptions};
use domain::post::{Approval, CommandRejected, HoldReason, Post, StateName};
use jiff::Timestamp;
use storage::{SaveError, StoreError, Versioned};

use crate::posting::Posting;

/// How often a post is read again that somebody else wrote meanwhile: whoever
/// uploads it writes after each chunk.
const TRIES: u32 = 10;
/// How many held posts are looked at at once.
const A_PAGE: usize = 50;

/// Why nothing was done about a post.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such post.
    #[error("there is no post {0}")]
    Unknown(PostId),
    /// The post does not allow it any more, or yet.
    #[error(transparent)]
    Refused(#[from] CommandRejected),
    /// The options cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The post changed each time that it was to be changed.
    #[error("the post is being changed by others")]
    Busy,
    /// The post could not be read or written.
    #[error("the post could not be read or written")]
    Store(#[from] StoreError),
}

impl Posting {
    /// Lets a post go out that waits for a review; one that was approved already
    /// stays as it is.
    pub async fn approve(&self, id: &PostId) -> Result<Versioned<Post>, CommandError> {
        self.command(
            id,
            |post, now| {
                if post.approval == Approval::Given { Ok(None) } else { Ok(Some(post.approve(now)?)) }
            },
        )
        .await
    }

    /// Stops a post for good; one that is stopped already stays as it is.
    pub async fn cancel(&self, id: &PostId) -> Result<Versioned<Post>, CommandError> {
        self.command(
            id,
            |post, now| {
                if post.state_name() == StateName::Cancelled { Ok(None) } else { Ok(Some(post.cancel(now)?)) }
            },
        )
        .await
    }

    /// Tries a post again that has failed.
    pub async fn retry(&self, id: &PostId) -> Result<Versioned<Post>, CommandError> {
        self.command(id, |post, now| Ok(Some(post.retry(now)?))).await
    }

    /// Changes what the request for a post says of it, as a JSON object does: what
    /// that leaves out stays, `null` leaves the matter to the next source.
    pub async fn update_options(&self, id: &PostId, change: &[u8]) -> Result<Versioned<Post>, CommandError> {
        // What is wrong with the change itself is said first, and whatever the post is.
        PostOptions::from_json(change, "change")?;
        self.command(id, |post, now| {
            let request = post.request.changed(change, "change")?;
            if request == post.request { Ok(None) } else { Ok(Some(post.with_options(request, now)?)) }
        })
        .await
    }

    /// Makes a wish true, and has somebody go on with what follows from it.
    async fn command(
        &self,
        id: &PostId,
        wish: impl Fn(Post, Timestamp) -> Result<Option<Post>, CommandError>,
    ) -> Result<Versioned<Post>, CommandError> {
        for _ in 0..TRIES {
            let kept = self.posts.get(id).await?.ok_or_else(|| CommandError::Unknown(id.clone()))?;
            let now = self.now();
            let Some(next) = wish(kept.value.clone(), now)? else { return Ok(kept) };
            let was = kept.value.clone();
            match self.posts.save(kept, next, now).await {
                Ok(kept) => {
                    Box::pin(self.follow_up(&was, &kept)).await;
                    return Ok(kept);
                }
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(CommandError::Busy)
    }

    /// Whatever of this fails is made up for: a post that wants work is due.
    async fn follow_up(&self, was: &Post, post: &Post) {
        self.record_state(post).await;
        if post.state_name() == StateName::Cancelled {
            self.settle_turn(post).await;
            if was.awaits_bytes()
                && let Some(parts) = &was.multipart_upload_id
            {
                self.abandon_multipart_upload(&was.source.bucket, &was.source.key, parts).await;
            }
            if was.is_in_account_queue() && was.mode().is_none() {
                self.wake_next(&post.account, None).await;
            }
        }
        if post.is_claimable(self.now()) {
            self.ring_for(post).await;
        }
    }

    /// Has somebody work on a post that is due, at once if that can be.
    pub(crate) async fn ring_for(&self, post: &Post) {
        if let Err(error) = self.wake_queue.wake(&post.id).await {
            tracing::warn!(post.id = %post.id, error = error_chain(&error), "bell not rung: the post is due and will be found");
        }
    }

    /// Lets the posts of an account go on that are held for what it does not ask
    /// for any more; tells how many.
    pub(crate) async fn release_held(&self, alias: &Alias, reason: HoldReason) -> Result<u32, StoreError> {
        let held = PostFilter { account: Some(alias.clone()), state: Some(StateName::Held), ..PostFilter::default() };
        let (mut released, mut after) = (0, None);
        loop {
            let page = self.posts.list(&held, after.take(), A_PAGE).await?;
            for kept in page.posts {
                let done = self.command(&kept.id, |post, now| Ok(post.release_hold(reason, now).ok())).await;
                match done {
                    Ok(post) if post.state_name() != StateName::Held => released += 1,
                    Ok(_) | Err(CommandError::Unknown(_)) => {}
                    Err(CommandError::Store(error)) => return Err(error),
                    Err(error) => tracing::warn!(post.id = %kept.id, error = error_chain(&error), "post not released"),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(released),
            }
        }
    }
}
