//! Works on one due post, in two steps: first what needs no call to TikTok, then the poll. Also counts the outcomes.

use std::time::Duration;

use domain::failure::error_chain;
use domain::identity::PostId;
use domain::post::{Post, StateName};
use jiff::Timestamp;
use storage::{Posts, SaveError, StoreError, Versioned, WakeQueue};
use tracing::Instrument;

use super::publish_poll::PublishPoll;
use crate::invocation::{Instruments, Worker};
use crate::state_recorder::{StateRecorder, span_of};

/// How long a post for which a worker was woken is not due again, unless its state changes.
const WAKE_INTERVAL: Duration = Duration::from_mins(5);
/// How long a post has been due when it is overdue: a few runs of the poller by the default schedule. With a slower
/// schedule many posts are overdue, which costs a write for each poll.
const OVERDUE_AFTER: Duration = Duration::from_mins(5);
/// How long an overdue post is postponed before it is polled.
const POSTPONE_WAIT: Duration = Duration::from_mins(15);

/// A post after the first step.
pub(super) struct FirstStep {
    id: PostId,
    /// How long the post had been due.
    pub(super) waited: Duration,
    /// What is left to do; `None` if the first step failed.
    remaining: Option<Remaining>,
}

impl FirstStep {
    /// Tells whether TikTok is still to be polled.
    pub(super) fn polls(&self) -> bool {
        matches!(self.remaining, Some(Remaining::Poll(_)))
    }
}

/// What is left to do after the first step.
enum Remaining {
    /// Nothing.
    Nothing(PollOutcome),
    /// TikTok is polled.
    Poll(Box<Versioned<Post>>),
}

/// Tells whether a post that is due since `due` is overdue.
pub(super) fn is_overdue(due: Timestamp, now: Timestamp) -> bool {
    due + OVERDUE_AFTER < now
}

from_dependencies! {
    pub(crate) struct DuePosts {
        posts: Posts, publish_poll: PublishPoll, recorder: StateRecorder, wake_queue: WakeQueue,
        instruments: Instruments,
    }
}

impl DuePosts {
    /// Works on a post, unless the deadline is reached.
    pub(super) async fn work(&self, id: PostId, worker: &Worker) -> Attempt {
        if self.instruments.now() >= worker.deadline {
            return Attempt { outcome: Some(PollOutcome::Skipped), waited: Duration::ZERO };
        }
        self.second_step(self.first_step(id).await, worker).await
    }

    /// Does what needs no call to TikTok.
    pub(super) async fn first_step(&self, id: PostId) -> FirstStep {
        let mut waited = Duration::ZERO;
        let done = self.try_first_step(&id, &mut waited).await;
        FirstStep { remaining: logged(&id, done), id, waited }
    }

    /// Polls TikTok, if that is left to do and the deadline is not reached.
    pub(super) async fn second_step(&self, first: FirstStep, worker: &Worker) -> Attempt {
        let FirstStep { id, waited, remaining } = first;
        let outcome = match remaining {
            Some(Remaining::Poll(_)) if self.instruments.now() >= worker.deadline => Some(PollOutcome::Skipped),
            Some(Remaining::Poll(post)) => {
                let span = span_of(&post);
                let polled = Box::pin(self.publish_poll.poll(*post, worker)).instrument(span).await;
                logged(&id, polled.map(|()| PollOutcome::Polled))
            }
            Some(Remaining::Nothing(outcome)) => Some(outcome),
            None => None,
        };
        Attempt { outcome, waited }
    }

    async fn try_first_step(&self, id: &PostId, waited: &mut Duration) -> Result<Remaining, StoreError> {
        let skipped = Ok(Remaining::Nothing(PollOutcome::Skipped));
        let Some(post) = self.posts.get(id).await? else { return skipped };
        let now = self.instruments.now();
        *waited = post.overdue_by(now);
        // The index is updated after the table, so it may name a post that has moved on.
        let Some(due) = post.due_at.filter(|due| *due <= now) else { return skipped };
        let span = span_of(&post);
        match post.state_name() {
            StateName::Processing | StateName::Published | StateName::Delivered if is_overdue(due, now) => {
                self.postpone(post).instrument(span).await
            }
            StateName::Processing | StateName::Published | StateName::Delivered => Ok(Remaining::Poll(Box::new(post))),
            StateName::Held => self.expire(post).instrument(span).await.map(Remaining::Nothing),
            StateName::Queued | StateName::Scheduled | StateName::Uploading if post.is_claimable(now) => {
                self.wake(post).instrument(span).await.map(Remaining::Nothing)
            }
            _ => skipped,
        }
    }

    /// Postpones an overdue post before it is polled. The poll's result overwrites the new due time. If the poll kills
    /// the run, the next run finds the post behind all others.
    async fn postpone(&self, post: Versioned<Post>) -> Result<Remaining, StoreError> {
        let now = self.instruments.now();
        let postponed = post.value.clone().postpone_poll(POSTPONE_WAIT, now);
        match self.posts.save(post, postponed, now).await {
            Ok(post) => {
                tracing::info!(post.id = %post.id, "post is overdue: postponed, and polled now");
                Ok(Remaining::Poll(Box::new(post)))
            }
            Err(SaveError::Conflict) => Ok(Remaining::Nothing(PollOutcome::Skipped)),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    /// Fails a post whose video was never uploaded. No other held post is due.
    async fn expire(&self, post: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        let now = self.instruments.now();
        let Ok(failed) = post.value.clone().expire_upload(now) else { return Ok(PollOutcome::Skipped) };
        match self.posts.save(post, failed, now).await {
            Ok(post) => {
                self.recorder.record_state(&post).await;
                Ok(PollOutcome::Expired)
            }
            Err(SaveError::Conflict) => Ok(PollOutcome::Skipped),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    /// Wakes a worker for a post.
    async fn wake(&self, post: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        let (id, now) = (post.id.clone(), self.instruments.now());
        if let Err(error) = self.wake_queue.wake(&id).await {
            tracing::error!(post.id = %id, error = error_chain(&error), "post not sent to the wake queue: it stays due");
            return Ok(PollOutcome::Skipped);
        }
        tracing::info!(post.id = %id, post.state = %post.state_name(), "post is due: sent to the wake queue");
        let woken = post.value.clone().due_again_at(now + WAKE_INTERVAL);
        match self.posts.save(post, woken, now).await {
            Ok(_) | Err(SaveError::Conflict) => Ok(PollOutcome::Woken),
            Err(SaveError::Store(error)) => Err(error),
        }
    }
}

/// Logs a failed step, and returns `None` for it.
fn logged<T>(id: &PostId, done: Result<T, StoreError>) -> Option<T> {
    let log = |error: &StoreError| {
        tracing::error!(post.id = %id, error = error_chain(error), "due post not worked on: it stays due");
    };
    done.inspect_err(log).ok()
}

/// What a run of the poller did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueSummary {
    /// Posts about which TikTok was polled.
    pub polled: u32,
    /// Posts for which a worker was woken.
    pub woken: u32,
    /// Posts that failed because their video was never uploaded.
    pub expired: u32,
    /// Posts that had moved on already, or for which no time was left.
    pub skipped: u32,
    /// Posts that could not be read or written; they stay due.
    pub failed: u32,
    /// The longest time that one of the posts had been due.
    pub oldest: Duration,
}

/// What was done about one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PollOutcome {
    Polled,
    Woken,
    Expired,
    Skipped,
}

/// The work on one post.
pub(super) struct Attempt {
    /// `None` if it failed.
    pub(super) outcome: Option<PollOutcome>,
    /// How long the post had been due.
    pub(super) waited: Duration,
}

impl DueSummary {
    pub(super) fn found(&self) -> u32 {
        self.polled + self.woken + self.failed
    }

    pub(super) fn count(&mut self, attempt: &Attempt) {
        self.oldest = self.oldest.max(attempt.waited);
        match attempt.outcome {
            Some(PollOutcome::Polled) => self.polled += 1,
            Some(PollOutcome::Woken) => self.woken += 1,
            Some(PollOutcome::Expired) => self.expired += 1,
            Some(PollOutcome::Skipped) => self.skipped += 1,
            None => self.failed += 1,
        }
    }

    pub(super) fn add(&mut self, part: &Self) {
        self.polled += part.polled;
        self.woken += part.woken;
        self.expired += part.expired;
        self.skipped += part.skipped;
        self.failed += part.failed;
        self.oldest = self.oldest.max(part.oldest);
    }
}
