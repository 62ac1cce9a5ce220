//! The queue of an account's posts: which post may begin its upload, and which one is woken next.
//!
//! The queue is not stored as such. It is a sparse index over the posts that wait for their account's limits, in the
//! order of their drops (`domain::post::account_queue`). A worker reads it before it begins an upload, and again after
//! a post has left the queue, to wake the next one earlier than its estimated time.
//!
//! The index is updated later than the table. So the post at the head of the queue is read from the table before it
//! delays another post, or is woken.

use domain::failure::{Deferral, error_chain};
use domain::identity::Alias;
use domain::options::Mode;
use domain::post::{Outcome, Post, PostState};
use domain::rate_limit::{Cooldown, QueuePosition, UploadQuota};
use jiff::Timestamp;
use storage::{Posts, QueueEntry, StoreError, Versioned, WakeQueue};

use crate::best_effort::wake_worker;
use crate::compare_and_swap::unless_conflict;
use crate::exit::Exit;
use crate::invocation::Instruments;
use crate::rate_limit::{AccountLimits, RateLimiter};

/// The result of a search for the post to wake.
#[derive(PartialEq, Eq)]
enum Woken {
    /// The first queued post was found. It was woken, if it waited longer than necessary.
    Head,
    /// No entry is queued any more.
    NoneQueued,
}

from_dependencies! {
    pub(crate) struct AccountQueue {
        posts: Posts, limiter: RateLimiter, wake_queue: WakeQueue, instruments: Instruments,
    }
}

impl AccountQueue {
    /// Checks that a post may begin its upload: it is the first of its queue, and the limits have room. `queue` is the
    /// account's queue up to the post. Returns the limits that were read, for the reservation that follows.
    ///
    /// # Errors
    /// The post must wait, or a counter could not be read.
    pub(crate) async fn check(&self, post: &Post, mode: Mode, queue: &[QueueEntry]) -> Result<AccountLimits, Exit> {
        let limits = self.limiter.account_limits(&post.account, mode).await?;
        let is_earlier = |other: &&QueueEntry| (other.dropped_at, &other.id) < (post.dropped_at, &post.id);
        let mut ahead = self.waiting(queue, mode, &limits.quota.value).filter(is_earlier);
        // Only a post that is really queued delays this one, perhaps by a day.
        let mut head = ahead.next();
        while let Some(entry) = head {
            if self.queued(entry, mode).await?.is_some() {
                break;
            }
            head = ahead.next();
        }
        let ahead = QueuePosition {
            posts: head.map_or(0, |_| 1) + ahead.count(),
            head_not_before: head.and_then(|head| head.queue_not_before),
        };
        self.limiter.check_room((&post.account, &post.id), &limits, ahead).map_err(Exit::rate_limited)?;
        Ok(limits)
    }

    /// Updates the account's limits and queue after a post has changed its state.
    ///
    /// A failed or cancelled post, and a draft that has left the creator's inbox, release their reservation, and the
    /// next post is woken. If TikTok failed the publish for a limit, the account's uploads are blocked first.
    pub(crate) async fn after_transition(&self, post: &Post) {
        let (alias, Some(mode)) = (&post.account, post.mode()) else { return };
        match &post.state {
            PostState::Queued { deferral: Some(Deferral { reason, message, .. }), not_before, .. } => {
                if reason.is_platform_limit() {
                    let (reason, message) = (reason.clone(), message.clone());
                    self.limiter.block_uploads(alias, mode, Cooldown { until: *not_before, reason, message }).await;
                }
            }
            // The video may have been posted, so its reservation counts as used.
            PostState::Failed { outcome: Outcome::Unknown, .. } => return,
            PostState::Failed { .. } | PostState::Cancelled { .. } => {}
            PostState::Published { .. } if mode == Mode::Draft => {}
            _ => return,
        }
        self.limiter.release(alias, mode, &post.id).await;
        self.wake_next(alias, Some(mode)).await;
    }

    /// Wakes the first post of an account's queue if it may begin earlier than its deferral says. Each mode has its own
    /// first post; without a `mode`, both are woken. If this fails, the post is due at its estimated time.
    pub(crate) async fn wake_next(&self, alias: &Alias, mode: Option<Mode>) {
        if let Err(error) = Box::pin(self.try_wake_next(alias, mode)).await {
            tracing::warn!(account = %alias, error = error_chain(&error), "next post not woken: it becomes due later");
        }
    }

    async fn try_wake_next(&self, alias: &Alias, only: Option<Mode>) -> Result<(), StoreError> {
        let front = self.posts.front_of_account_queue(alias, only).await?;
        for mode in [Mode::Direct, Mode::Draft] {
            if only.is_some_and(|only| only != mode) || !front.iter().any(|post| post.mode == Some(mode)) {
                continue;
            }
            let limits = self.limiter.account_limits(alias, mode).await?;
            if self.wake_first(&front, &limits).await? == Woken::NoneQueued {
                // Every entry at the front has left the queue, so the entries behind the front are read too.
                let queue = self.posts.account_queue(alias, Timestamp::MAX).await?;
                self.wake_first(queue.get(front.len()..).unwrap_or_default(), &limits).await?;
            }
        }
        Ok(())
    }

    /// Wakes the first post of these entries that is really queued: the index still lists posts that have just left the
    /// queue.
    async fn wake_first(&self, entries: &[QueueEntry], limits: &AccountLimits) -> Result<Woken, StoreError> {
        for entry in self.waiting(entries, limits.mode, &limits.quota.value) {
            let Some(post) = self.queued(entry, limits.mode).await? else { continue };
            // The mode of a post is unknown until a worker reads its options. Such a post at the head needs no
            // wake-up: a worker has been woken for it already.
            if post.mode() == Some(limits.mode) {
                let room = self.limiter.check_room((&post.account, &post.id), limits, QueuePosition::default());
                self.wake(post, room.map_or_else(|wait| wait.until, |()| self.instruments.now())).await?;
            }
            return Ok(Woken::Head);
        }
        Ok(Woken::NoneQueued)
    }

    /// Reads the post of an entry. Returns `None` if it is no longer in the queue of this mode.
    async fn queued(&self, entry: &QueueEntry, mode: Mode) -> Result<Option<Versioned<Post>>, StoreError> {
        let is_queued =
            |post: &Versioned<Post>| post.is_in_account_queue() && post.mode().is_none_or(|other| other == mode);
        Ok(self.posts.get(&entry.id).await?.filter(is_queued))
    }

    async fn wake(&self, head: Versioned<Post>, at: Timestamp) -> Result<(), StoreError> {
        let Some(woken) = head.value.clone().woken_early(at) else { return Ok(()) };
        let id = head.id.clone();
        let saved = unless_conflict(self.posts.save(head, woken, self.instruments.now()).await)?;
        // After a conflict another worker has claimed the post. When its post leaves the queue, it wakes the next one.
        if saved.is_some() && at <= self.instruments.now() {
            tracing::info!(post.id = %id, "post woken: the account's limits have room");
            wake_worker(&self.wake_queue, &id).await;
        }
        Ok(())
    }

    /// The posts of a queue that wait in this mode, and those whose mode is not known yet. A post that has reserved its
    /// upload is left out: it left the queue, but the index is updated later than the table.
    fn waiting<'a>(
        &self,
        queue: &'a [QueueEntry],
        mode: Mode,
        quota: &'a UploadQuota,
    ) -> impl Iterator<Item = &'a QueueEntry> + use<'a> {
        let now = self.instruments.now();
        let competes = move |post: &&QueueEntry| post.mode.is_none_or(|other| other == mode);
        queue.iter().filter(competes).filter(move |post| !quota.has_reserved(&post.id, now))
    }
}
