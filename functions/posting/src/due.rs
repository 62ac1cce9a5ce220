//! Working what is due: the scheduled look at everything that needs one.
//!
//! The cost follows what is due, not what is stored: the index holds only
//! posts with a time, in shards, ordered by it, and is read a page at a time
//! until the time is up. What is left is due still.
//!
//! A look may die at any of its calls, and each look at the same one. What waits
//! behind a post that kills whoever looks at it has its turn all the same: a look
//! begins with what is [late], which leaves it something done however short it lives.

mod late;
mod summary;

use std::pin::pin;
use std::time::Duration;

use domain::failure::in_full;
use domain::identity::PostId;
use domain::post::{Post, StateName};
use futures::{StreamExt, stream};
use storage::{DuePage, Kept, SaveError, Shard, StoreError};
use tracing::Instrument;

use crate::announce::span_of;
use crate::measure::Reading;
use crate::posting::{Posting, Worker};

use late::is_late;
pub use summary::DueSummary;
use summary::{Look, Looked};

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
    then: Option<Then>,
}

/// What is to follow.
enum Then {
    /// Nothing: this was done.
    Nothing(Looked),
    /// TikTok is asked what became of it.
    Ask(Box<Kept<Post>>),
}

impl Posting {
    /// Looks at every post that is due, until all are done or the time is up.
    ///
    /// # Errors
    /// A part of the index could not be read; the others were worked.
    pub async fn work_due(&self, worker: &Worker) -> Result<DueSummary, StoreError> {
        let mut first_error = None;
        let mut unread = |error: StoreError| {
            tracing::error!(error = in_full(&error), "a part of what is due could not be read");
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
        let mut summary = self.work_late(&mut pages, worker).await;
        let shards = stream::iter(pages).map(|(shard, page)| self.work_shard(shard, page, worker));
        let mut shards = pin!(shards.buffer_unordered(SHARDS_AT_ONCE));
        while let Some((part, ended)) = shards.next().await {
            summary.add(&part);
            ended.unwrap_or_else(&mut unread);
        }
        self.measure(&Reading::looked(summary.found(), summary.oldest));
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
            let Some(next) = page.next.filter(|_| self.now() < worker.rest_by) else { return (summary, Ok(())) };
            page = match self.posts.due(self.now(), shard, Some(next)).await {
                Ok(page) => page,
                Err(error) => return (summary, Err(error)),
            };
        }
    }

    async fn look_in_time(&self, id: PostId, worker: &Worker) -> Look {
        if self.now() >= worker.rest_by {
            return Look { looked: Some(Looked::Passed), waited: Duration::ZERO };
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
            Some(Then::Ask(_)) if self.now() >= worker.rest_by => Some(Looked::Passed),
            Some(Then::Ask(kept)) => {
                let span = span_of(&kept);
                let asked = Box::pin(self.poll(*kept, worker)).instrument(span).await;
                logged(&id, asked.map(|()| Looked::Polled))
            }
            Some(Then::Nothing(looked)) => Some(looked),
            None => None,
        };
        Look { looked, waited }
    }

    async fn attend(&self, id: &PostId, waited: &mut Duration) -> Result<Then, StoreError> {
        let Some(kept) = self.posts.get(id).await? else {
            return Ok(Then::Nothing(Looked::Passed));
        };
        let now = self.now();
        *waited = kept.waited(now);
        let span = span_of(&kept);
        // The index follows the table with a delay: it may name a post that has moved on.
        let Some(due) = kept.due_at.filter(|due| *due <= now) else {
            return Ok(Then::Nothing(Looked::Passed));
        };
        match kept.state_name() {
            StateName::Processing | StateName::Published | StateName::Delivered if is_late(due, now) => {
                self.put_off(kept).instrument(span).await
            }
            StateName::Processing | StateName::Published | StateName::Delivered => Ok(Then::Ask(Box::new(kept))),
            StateName::Held => self.give_up(kept).instrument(span).await.map(Then::Nothing),
            StateName::Queued | StateName::Scheduled | StateName::Uploading if kept.wants_work(now) => {
                self.ring(kept).instrument(span).await.map(Then::Nothing)
            }
            _ => Ok(Then::Nothing(Looked::Passed)),
        }
    }

    /// Ends a post whose bytes never came; nothing else that is held is ever due.
    async fn give_up(&self, kept: Kept<Post>) -> Result<Looked, StoreError> {
        let Ok(failed) = kept.value.clone().never_arrived(self.now()) else { return Ok(Looked::Passed) };
        match self.posts.save(kept, failed, self.now()).await {
            Ok(kept) => {
                self.announce(&kept).await;
                Ok(Looked::GivenUp)
            }
            Err(SaveError::Overtaken) => Ok(Looked::Passed),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    async fn ring(&self, kept: Kept<Post>) -> Result<Looked, StoreError> {
        let (id, now) = (kept.id.clone(), self.now());
        if let Err(error) = self.bell.ring(&id).await {
            tracing::error!(post.id = %id, error = in_full(&error), "bell not rung: the post stays due");
            return Ok(Looked::Passed);
        }
        tracing::info!(post.id = %id, post.state = %kept.state_name(), "post is due: sent to be published");
        let rung = kept.value.clone().rung(now + RING_AGAIN);
        match self.posts.save(kept, rung, now).await {
            Ok(_) | Err(SaveError::Overtaken) => Ok(Looked::Rung),
            Err(SaveError::Store(error)) => Err(error),
        }
    }
}

/// What came of a step of a look; none, where it failed, which is said here.
fn logged<T>(id: &PostId, done: Result<T, StoreError>) -> Option<T> {
    let say = |error: &StoreError| {
        tracing::error!(post.id = %id, error = in_full(error), "due post not worked: it is due still");
    };
    done.inspect_err(say).ok()
}
