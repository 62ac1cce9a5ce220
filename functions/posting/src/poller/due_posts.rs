//! Processes one due post in two steps, and counts the outcomes.
//!
//! The first step makes no call to TikTok: it wakes a worker, expires the post, releases it, or decides what to ask TikTok.
//! The second step polls TikTok, or checks the account of a scheduled post. After the worker's deadline a post is skipped
//! and stays due.

use std::time::Duration;

use domain::account::{Connection, TokenUse};
use domain::failure::error_chain;
use domain::identity::PostId;
use domain::post::{Post, PostState, StateName};
use domain::source::Arrival;
use jiff::Timestamp;
use storage::{Accounts, Objects, Posts, StoreError, Versioned, WakeQueue};
use tracing::Instrument;

use crate::account_queue::AccountQueue;
use crate::best_effort::wake_worker;
use crate::compare_and_swap::unless_conflict;
use crate::invocation::{Instruments, Worker};
use crate::limited_calls::LimitedCalls;
use crate::measure::Measurement;
use crate::repost_check::RepostCheck;
use crate::state_recorder::{StateRecorder, span_of};
use crate::submit::{Submit, SubmitError, Submitted};

/// When a post is due again after a worker was woken for it, unless its state changes before.
const WAKE_INTERVAL: Duration = Duration::from_mins(5);
/// A post that has been due for longer than this is overdue: several runs of the poller have not finished it, by the
/// default schedule of one run a minute (`StatusSchedule` in `template.yaml`). With a slower schedule many posts are
/// overdue, which costs an additional write for each poll.
const OVERDUE_AFTER: Duration = Duration::from_mins(5);
/// How long an overdue post is postponed before it is polled. The poll's result overwrites this wait.
const POSTPONE_WAIT: Duration = Duration::from_mins(15);

/// A post after the first step.
pub(super) struct FirstStep {
    id: PostId,
    /// How long the post had been due; zero if it could not be read.
    pub(super) waited: Duration,
    remaining: Remaining,
}

impl FirstStep {
    /// Tells whether the second step polls TikTok, or checks an account.
    pub(super) fn polls(&self) -> bool {
        matches!(self.remaining, Remaining::Poll(_) | Remaining::CheckAccount(_))
    }
}

/// What is left to do after the first step.
enum Remaining {
    Nothing(PollOutcome),
    Poll(Box<Versioned<Post>>),
    CheckAccount(Box<Versioned<Post>>),
}

/// Tells whether a post that is due since `due` is overdue.
pub(super) fn is_overdue(due: Timestamp, now: Timestamp) -> bool {
    due + OVERDUE_AFTER < now
}

from_dependencies! {
    pub(crate) struct DuePosts {
        posts: Posts, accounts: Accounts, calls: LimitedCalls, queue: AccountQueue, reposts: RepostCheck,
        recorder: StateRecorder, objects: Objects, submit: Submit, wake_queue: WakeQueue, instruments: Instruments,
    }
}

impl DuePosts {
    /// Takes both steps for a post, unless the deadline is reached.
    pub(super) async fn work(&self, id: PostId, worker: &Worker) -> DueSummary {
        if self.instruments.now() >= worker.deadline {
            return DueSummary::of(PollOutcome::Skipped, Duration::ZERO);
        }
        self.second_step(self.first_step(id).await, worker).await
    }

    /// Does what needs no call to TikTok.
    pub(super) async fn first_step(&self, id: PostId) -> FirstStep {
        let mut waited = Duration::ZERO;
        let done = self.try_first_step(&id, &mut waited).await;
        FirstStep { remaining: logged(&id, done, Remaining::Nothing(PollOutcome::Failed)), id, waited }
    }

    /// Polls TikTok, if the first step decided so and the deadline is not reached.
    pub(super) async fn second_step(&self, first: FirstStep, worker: &Worker) -> DueSummary {
        let outcome = match first.remaining {
            Remaining::Poll(_) | Remaining::CheckAccount(_) if self.instruments.now() >= worker.deadline => {
                PollOutcome::Skipped
            }
            Remaining::CheckAccount(post) => {
                let span = span_of(&post);
                let checked = Box::pin(self.check_account(*post, worker)).instrument(span).await;
                logged(&first.id, checked.map(|()| PollOutcome::Polled), PollOutcome::Failed)
            }
            Remaining::Poll(post) => {
                let span = span_of(&post);
                let polled = Box::pin(self.poll(*post, worker)).instrument(span).await;
                logged(&first.id, polled.map(|()| PollOutcome::Polled), PollOutcome::Failed)
            }
            Remaining::Nothing(outcome) => outcome,
        };
        DueSummary::of(outcome, first.waited)
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
            StateName::Held if post.earlier_post().is_some() => {
                let released = self.reposts.recheck(post).instrument(span).await?;
                Ok(Remaining::Nothing(if released { PollOutcome::Woken } else { PollOutcome::Skipped }))
            }
            StateName::Held if post.awaits_bytes() => self.expire(post).instrument(span).await.map(Remaining::Nothing),
            StateName::Held => self.check_hold(post).instrument(span).await.map(Remaining::Nothing),
            StateName::Scheduled if post.needs_account_check(now) => Ok(Remaining::CheckAccount(Box::new(post))),
            StateName::Queued | StateName::Scheduled | StateName::Uploading if post.is_claimable(now) => {
                self.wake(post).instrument(span).await.map(Remaining::Nothing)
            }
            _ => skipped,
        }
    }

    /// Postpones an overdue post before it is polled. This must be stored first: if the poll kills the run, the next
    /// run finds the post behind all others. The poll's result overwrites the new due time.
    async fn postpone(&self, post: Versioned<Post>) -> Result<Remaining, StoreError> {
        let now = self.instruments.now();
        let postponed = post.value.clone().postpone_poll(POSTPONE_WAIT, now);
        let Some(post) = unless_conflict(self.posts.save(post, postponed, now).await)? else {
            return Ok(Remaining::Nothing(PollOutcome::Skipped));
        };
        tracing::info!(post.id = %post.id, "post is overdue: postponed, and polled now");
        Ok(Remaining::Poll(Box::new(post)))
    }

    /// Releases a post that is held for a requirement that its account no longer has: the account may have been
    /// configured while a worker stored the hold. Otherwise the post is checked again a day later.
    async fn check_hold(&self, post: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        let PostState::Held { reason } = post.state.clone() else { return Ok(PollOutcome::Skipped) };
        let (account, now) = (self.accounts.get(&post.account).await?, self.instruments.now());
        let is_required = account.is_none_or(|account| account.preferences.require(&reason));
        let next = if is_required {
            post.value.clone().hold_checked(now)
        } else {
            post.value.clone().release_hold(&reason, now)
        };
        let Ok(next) = next else { return Ok(PollOutcome::Skipped) };
        let saved = unless_conflict(self.posts.save(post, next, now).await)?;
        let Some(post) = saved.filter(|_| !is_required) else { return Ok(PollOutcome::Skipped) };
        tracing::warn!(post.id = %post.id, hold.reason = %reason.name(), "held post released: its account no longer requires this");
        self.recorder.record_state(&post).await;
        wake_worker(&self.wake_queue, &post.id).await;
        Ok(PollOutcome::Woken)
    }

    /// Checks that the account of a scheduled post can post, some time before its publication time. A problem is logged and
    /// noted in the post's history. If the account must be connected again, the alarm's metric is measured too. So a
    /// person can solve it in time.
    async fn check_account(&self, post: Versioned<Post>, worker: &Worker) -> Result<(), StoreError> {
        let account = self.accounts.get(&post.account).await?;
        let problem = match account.map(|account| account.value.connection) {
            Some(Connection::NeedsReconnect { why, .. }) => {
                self.instruments.measure(&Measurement::authorization_lost(&post.account));
                Some(format!("it must be connected again ({why})"))
            }
            // This also refreshes tokens that would not live until the publication, and reports an authorization that
            // turns out to be lost.
            Some(Connection::Connected) | None => {
                let refreshed = self.calls.tokens.keep_alive(&post.account, TokenUse::Upload, worker).await;
                refreshed.err().map(|error| error.to_string())
            }
        };
        if let Some(problem) = &problem {
            let publish_at = post.state.fields().publish_at.map(tracing::field::display);
            tracing::error!(
                post.id = %post.id, account = %post.account, publish_at, problem,
                "the account of a scheduled post cannot post at present"
            );
        }
        let now = self.instruments.now();
        let Ok(checked) = post.value.clone().account_checked(problem.as_deref(), now) else { return Ok(()) };
        unless_conflict(self.posts.save(post, checked, now).await).map(drop)
    }

    /// Fails a post whose video was never uploaded.
    ///
    /// The video may have been uploaded although its event has not arrived. So the bucket is asked first, and the post
    /// continues if it has the video. If the bucket cannot be read, the post stays due.
    async fn expire(&self, post: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        match Box::pin(self.find_upload(&post)).await {
            Ok(None) => {}
            Ok(Some(id)) => {
                wake_worker(&self.wake_queue, &id).await;
                return Ok(PollOutcome::Woken);
            }
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(post.id = %post.id, error, "bucket not asked for the upload: the post stays due");
                return Ok(PollOutcome::Failed);
            }
        }
        let now = self.instruments.now();
        let Ok(failed) = post.value.clone().expire_upload(now) else { return Ok(PollOutcome::Skipped) };
        let saved = unless_conflict(self.posts.save(post, failed, now).await)?;
        let Some(post) = saved else { return Ok(PollOutcome::Skipped) };
        self.recorder.record_state(&post).await;
        Ok(PollOutcome::Expired)
    }

    /// Pins a post to the object that was uploaded for it without an event; `None` if there is no object.
    async fn find_upload(&self, post: &Post) -> Result<Option<PostId>, SubmitError> {
        let (bucket, key) = (&post.source.bucket, &post.source.key);
        let Some(object) = self.objects.current(bucket, key).await? else { return Ok(None) };
        let (version_id, etag) = object.source.version.into_parts();
        let (bucket, key, bytes) = (bucket.clone(), key.clone(), Some(object.bytes));
        let arrival = Arrival { bucket, key, version_id, etag, bytes, at: None, trace: None };
        tracing::warn!(post.id = %post.id, object.key = arrival.key, "no event of the object has arrived");
        Ok(match self.submit.submit_missed(&arrival).await? {
            Submitted::Post(id) => {
                self.instruments.measure(&Measurement::missed_drops(1));
                Some(id)
            }
            Submitted::Options(_) | Submitted::Ignored(_) | Submitted::Nothing => None,
        })
    }

    /// Wakes a worker, and only then stores the new due time: after a crash between the two, the post is still due.
    async fn wake(&self, post: Versioned<Post>) -> Result<PollOutcome, StoreError> {
        let (id, now) = (post.id.clone(), self.instruments.now());
        if let Err(error) = self.wake_queue.wake(&id).await {
            tracing::error!(post.id = %id, error = error_chain(&error), "post not sent to the wake queue: it stays due");
            return Ok(PollOutcome::Skipped);
        }
        tracing::info!(post.id = %id, post.state = %post.state_name(), "post is due: sent to the wake queue");
        let woken = post.value.clone().due_again_at(now + WAKE_INTERVAL);
        unless_conflict(self.posts.save(post, woken, now).await)?;
        Ok(PollOutcome::Woken)
    }
}

/// Returns the result of a step. If the step failed, logs its error and returns `failed`.
fn logged<T>(id: &PostId, done: Result<T, StoreError>, failed: T) -> T {
    done.unwrap_or_else(|error| {
        tracing::error!(post.id = %id, error = error_chain(&error), "due post not processed: it stays due");
        failed
    })
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
    /// Posts that another writer had changed already, or that were not reached before the deadline.
    pub skipped: u32,
    /// Posts that could not be read or written; they stay due.
    pub failed: u32,
    /// The longest time that one of the posts had been due.
    pub oldest: Duration,
}

/// What was done about one post.
#[derive(Clone, Copy)]
enum PollOutcome {
    Polled,
    Woken,
    Expired,
    Skipped,
    Failed,
}

impl DueSummary {
    /// The summary of one post that had been due for `waited`.
    fn of(outcome: PollOutcome, waited: Duration) -> Self {
        let mut summary = Self { oldest: waited, ..Self::default() };
        let count = match outcome {
            PollOutcome::Polled => &mut summary.polled,
            PollOutcome::Woken => &mut summary.woken,
            PollOutcome::Expired => &mut summary.expired,
            PollOutcome::Skipped => &mut summary.skipped,
            PollOutcome::Failed => &mut summary.failed,
        };
        *count = 1;
        summary
    }

    /// The number of posts for the metric `DuePosts`: without skipped and expired ones.
    pub(super) fn found(&self) -> u32 {
        self.polled + self.woken + self.failed
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            polled: self.polled + other.polled,
            woken: self.woken + other.woken,
            expired: self.expired + other.expired,
            skipped: self.skipped + other.skipped,
            failed: self.failed + other.failed,
            oldest: self.oldest.max(other.oldest),
        }
    }
}
