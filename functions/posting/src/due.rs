//! Working what is due: the scheduled look at everything that needs one.
//!
//! The cost follows what is due, not what is stored: the index holds only
//! posts with a time, in shards, ordered by it, and is read a page at a time
//! until the time is up. What is left is due still.

use std::time::Duration;

use domain::failure::in_full;
use domain::identity::PostId;
use domain::post::{Post, StateName};
use futures::{StreamExt, stream};
use storage::{Kept, SaveError, Shard, StoreError};
use tracing::Instrument;

use crate::announce::span_of;
use crate::measure::Reading;
use crate::posting::{Posting, Worker};

/// How many posts are looked at at once.
const AT_ONCE: usize = 16;
/// A bell that was rung is not rung again before this, unless the post moves.
const RING_AGAIN: Duration = Duration::from_mins(5);

/// What a look at the due posts did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueSummary {
    /// Posts whose publish TikTok was asked about.
    pub polled: u32,
    /// Posts that were sent to be worked on.
    pub rung: u32,
    /// Posts that were given up, since their bytes never came.
    pub given_up: u32,
    /// Posts that had moved on already.
    pub passed: u32,
    /// Posts that could not be read or written; they are due still.
    pub failed: u32,
    /// How long the post that had waited longest had been waiting.
    pub oldest: Duration,
}

/// What was done about one post.
enum Looked {
    Polled,
    Rung,
    GivenUp,
    Passed,
}

/// What a look at one post came to.
struct Look {
    /// None, where it failed.
    looked: Option<Looked>,
    /// How long the post had been waiting for it.
    waited: Duration,
}

impl Posting {
    /// Looks at every post that is due, until all are done or the time is up.
    ///
    /// # Errors
    /// A part of the index could not be read; the others were worked.
    pub async fn work_due(&self, worker: &Worker) -> Result<DueSummary, StoreError> {
        let mut summary = DueSummary::default();
        let mut first_error = None;
        let pages = stream::iter(Shard::all()).map(|shard| self.shard(shard, worker)).buffer_unordered(AT_ONCE);
        tokio::pin!(pages);
        while let Some(shard) = pages.next().await {
            match shard {
                Ok(part) => summary.add(&part),
                Err(error) => {
                    tracing::error!(error = in_full(&error), "a part of what is due could not be read");
                    first_error.get_or_insert(error);
                }
            }
        }
        self.measure(&Reading::looked(summary.found(), summary.oldest));
        first_error.map_or(Ok(summary), Err)
    }

    async fn shard(&self, shard: Shard, worker: &Worker) -> Result<DueSummary, StoreError> {
        let mut summary = DueSummary::default();
        let mut after = None;
        while self.now() < worker.rest_by {
            let page = self.posts.due(self.now(), shard, after.take()).await?;
            let looks = stream::iter(page.ids).map(|id| self.look_in_time(id, worker)).buffer_unordered(AT_ONCE / 4);
            tokio::pin!(looks);
            while let Some(looked) = looks.next().await {
                summary.count(&looked);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(summary)
    }

    async fn look_in_time(&self, id: PostId, worker: &Worker) -> Look {
        let mut waited = Duration::ZERO;
        if self.now() >= worker.rest_by {
            return Look { looked: Some(Looked::Passed), waited };
        }
        let looked = self.look(&id, worker, &mut waited).await.inspect_err(
            |error| tracing::error!(post.id = %id, error = in_full(error), "due post not worked: it stays due"),
        );
        Look { looked: looked.ok(), waited }
    }

    async fn look(&self, id: &PostId, worker: &Worker, waited: &mut Duration) -> Result<Looked, StoreError> {
        let Some(kept) = self.posts.get(id).await? else {
            return Ok(Looked::Passed);
        };
        let now = self.now();
        *waited = kept.waited(now);
        let span = span_of(&kept);
        // The index follows the table with a delay: it may name a post that has moved on.
        if kept.due_at.is_none_or(|due| due > now) {
            return Ok(Looked::Passed);
        }
        match kept.state_name() {
            StateName::Processing | StateName::Published | StateName::Delivered => {
                Box::pin(self.poll(kept, worker)).instrument(span).await?;
                Ok(Looked::Polled)
            }
            StateName::Held => self.give_up(kept).instrument(span).await,
            StateName::Queued | StateName::Scheduled | StateName::Uploading if kept.wants_work(now) => {
                self.ring(kept).instrument(span).await
            }
            _ => Ok(Looked::Passed),
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

impl DueSummary {
    fn found(&self) -> u32 {
        self.polled + self.rung + self.failed
    }

    fn count(&mut self, look: &Look) {
        self.oldest = self.oldest.max(look.waited);
        match look.looked {
            Some(Looked::Polled) => self.polled += 1,
            Some(Looked::Rung) => self.rung += 1,
            Some(Looked::GivenUp) => self.given_up += 1,
            Some(Looked::Passed) => self.passed += 1,
            None => self.failed += 1,
        }
    }

    fn add(&mut self, part: &Self) {
        self.polled += part.polled;
        self.rung += part.rung;
        self.given_up += part.given_up;
        self.passed += part.passed;
        self.failed += part.failed;
        self.oldest = self.oldest.max(part.oldest);
    }
}
