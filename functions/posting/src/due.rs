//! Working what is due: the scheduled look at everything that needs one.
//!
//! The cost follows what is due, not what is stored: the index holds only
//! posts with a time, in shards, ordered by it, and is read a page at a time
//! until the time is up. What is left is due still.
//!
//! A look may die at any of its calls, and each look at the same one. What waits
//! behind a post that kills whoever looks at it has its turn all the same: a look
//! begins with what is [late], which leaves it something done however short it lives.

mod overdue;
mod summary;

use std::pin::pin;
use std::time::Duration;

use domain::failure::error_chain;
use domain::identity::PostId;
use domain::post::{Post, StateName};
use futures::{StreamExt, stream};
use storage::{DuePage, SaveError, Shard, StoreError, Versioned};
use tracing::Instrument;

use crate::measure::Measurement;
use crate::posting::{Posting, Worker};
use crate::record_state::span_of;

use overdue::is_overdue;
pub use summary::DueSummary;
use summary::{Look, PollOutcome};

/// How many shards are worked at once.
const SHARDS_AT_ONCE: usize = 16;
/// How many posts of a shard are looked at at once.
const AT_ONCE: usize = 4;
/// A bell that was rung is not rung again before this, unless the post moves.
const RING_AGAIN: Duration = Duration::from_mins(5);

/// A look that has begun.
struct Begun {
    id: PostId,
    /// How long the post had been waiting for it.
    waited: Duration,
    /// None, where that failed.
    then: Option<Next>,
}

/// What is to follow.
enum Next {
    /// Nothing: this was done.
    Nothing(PollOutcome),
    /// TikTok is asked what became of it.
    Ask(Box<Versioned<Post>>),
}

impl Posting {
    /// Looks at every post that is due, until all are done or the time is up.
    ///
    /// # Errors
    /// A part of the index could not be read; the others were worked.
    pub async fn work_due(&self, worker: &Worker) -> Result<DueSummary, StoreError> {
        let mut first_error = None;
        let mut unread = |error: StoreError| {
            tracing::error!(error = error_chain(&error), "a part of what is due could not be read");
            first_error.get_or_insert(error);
        };
        let read = stream::iter(Shard::all()).map(async |shard| (shard, self.posts.due(self.now(), shard, None).await));
        let read: Vec<_> = read.buffer_unordered(SHARDS_AT_ONCE).collect().await;
        let mut pages = Vec::new();
        for (shard, page) in read {
            match page {
                Ok(page) => pages.push((shard, page)),
                Err(error) => unread(error),
            }
        }
        let mut summary = self.work_overdue(&mut pages, worker).await;
        let shards = stream::iter(pages).map(|(shard, page)| self.work_shard(shard, page, worker));
        let mut shards = pin!(shards.buffer_unordered(SHARDS_AT_ONCE));
        while let Some((part, ended)) = shards.next().await {
            summary.add(&part);
            ended.unwrap_or_else(&mut unread);
        }
        self.measure(&Measurement::looked(summary.found(), summary.oldest));
        first_error.map_or(Ok(summary), Err)
    }

    /// Works a page of a shard and those behind it.
    async fn work_shard(
        &self,
        shard: Shard,
        mut page: DuePage,
        worker: &Worker,
    ) -> (DueSummary, Result<(), StoreError>) {
        let mut summary = DueSummary::default();
        loop {
            let looks = stream::iter(page.ids).map(|id| self.look_in_time(id, worker)).buffer_unordered(AT_ONCE);
            let mut looks = pin!(looks);
            while let Some(look) = looks.next().await {
                summary.count(&look);
            }
            let Some(next) = page.next.filter(|_| self.now() < worker.deadline) else { return (summary, Ok(())) };
            page = match self.posts.due(self.now(), shard, Some(next)).await {
                Ok(page) => page,
                Err(error) => return (summary, Err(error)),
            };
        }
    }

    async fn look_in_time(&self, id: PostId, worker: &Worker) -> Look {
        if self.now() >= worker.deadline {
            return Look { looked: Some(PollOutcome::Passed), waited: Duration::ZERO };
        }
        self.end_look(self.begin_look(id).await, worker).await
    }

    /// Does what there is to be done about a post without TikTok.
    async fn begin_look(&self, id: PostId) -> Begun {
        let mut waited = Duration::ZERO;
        let then = self.attend(&id, &mut waited).await;
        Begun { then: logged(&id, then), id, waited }
    }

    /// Asks TikTok, where that is left to do, and there is time.
    async fn end_look(&self, Begun { id, waited, then }: Begun, worker: &Worker) -> Look {
        let looked = match then {
            Some(Next::Ask(_)) if self.now() >= worker.deadline => Some(PollOutcome::Passed),
            Some(Next::Ask(kept)) => {
                let span = span_of(&kept);
                let asked = Box::pin(self.poll(*kept, worker)).instrument(span).await;
                logged(&id, asked.map(|()| PollOutcome::Polled))
            }
            Some(Next::Nothing(looked)) => Some(looked),
            None => None,
        };
        Look { looked, waited }
    }

    async fn attend(&self, id: &PostId, waited: &mut Duration) -> Result<Next, StoreError> {
        let Some(kept) = self.posts.get(id).await? else {
            return Ok(Next::Nothing(PollOutcome::Passed));
        };
        let now = self.now();
        *waited = kept.overdue_by(now);
        let span = span_of(&kept);
        // The index follows the table with a delay: it may name a post that has moved on.
        let Some(due) = kept.due_at.filter(|due| *due <= now) else {
            return Ok(Next::Nothing(PollOutcome::Passed));
        };
        match kept.state_name() {
            StateName::Processing | StateName::Published | StateName::Delivered if is_overdue(due, now) => {
                self.postpone(kept).instrument(span).await
            }
            StateName::Processing | StateName::Published | StateName::Delivered => Ok(Next::Ask(Box::new(kept))),
            StateName::Held => self.give_up(kept).instrument(span).await.map(Next::Nothing),
            StateName::Queued | StateName::Scheduled | StateName::Uploading if kept.is_claimable(now) => {
                self.ring(kept).instrument(span).await.map(Next::Nothing)
            }
            _ => Ok(Next::Nothing(PollOutcome::Passed)),
        }
    }

    /// Ends a post whose bytes never came; nothing else that is held is ever due.
    async fn give_up(&self, kept: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        let Ok(failed) = kept.value.clone().expire_upload(self.now()) else { return Ok(PollOutcome::Passed) };
        match self.posts.save(kept, failed, self.now()).await {
            Ok(kept) => {
                self.record_state(&kept).await;
                Ok(PollOutcome::GivenUp)
            }
            Err(SaveError::Conflict) => Ok(PollOutcome::Passed),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    async fn ring(&self, kept: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        let (id, now) = (kept.id.clone(), self.now());
        if let Err(error) = self.wake_queue.wake(&id).await {
            tracing::error!(post.id = %id, error = error_chain(&error), "bell not rung: the post stays due");
            return Ok(PollOutcome::Passed);
        }
        tracing::info!(post.id = %id, post.state = %kept.state_name(), "post is due: sent to be published");
        let rung = kept.value.clone().due_again_at(now + RING_AGAIN);
        match self.posts.save(kept, rung, now).await {
            Ok(_) | Err(SaveError::Conflict) => Ok(PollOutcome::Rung),
            Err(SaveError::Store(error)) => Err(error),
        }
    }
}

/// What came of a step of a look; none, where it failed, which is said here.
fn logged<T>(id: &PostId, done: Result<T, StoreError>) -> Option<T> {
    let say = |error: &StoreError| {
        tracing::error!(post.id = %id, error = error_chain(error), "due post not worked: it is due still");
    };
    done.inspect_err(say).ok()
}
