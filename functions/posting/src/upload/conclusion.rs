//! Turns the [`Exit`] of a worker into the post's next state, and stores it.

use std::time::Duration;

use domain::failure::backoff;
use domain::post::{InvalidTransition, NotClaimable, Post, PostState, SentReceipt, StateName};
use domain::reason::Reason;
use domain::upload::Upload;
use futures::join;
use jiff::Timestamp;
use storage::{StoreError, WakeQueue};

use super::leased_post::LeasedPost;
use crate::account_queue::AccountQueue;
use crate::best_effort::wake_worker;
use crate::exit::{Exit, RateLimited};
use crate::invocation::Instruments;
use crate::state_recorder::StateRecorder;
use crate::tokens::Tokens;

/// How long a post waits after a bug.
const BUG_WAIT: Duration = Duration::from_mins(5);

/// What came of a worker's attempt at a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkOutcome {
    /// There is no such post.
    NotFound,
    /// The post cannot be worked on now: the message was a duplicate, or early.
    NotClaimable(NotClaimable),
    /// Another worker has the post now.
    LeaseLost,
    /// The worker stopped, and left the post in this state.
    Stopped(StateName),
}

from_dependencies! {
    pub(crate) struct Conclusion {
        tokens: Tokens, queue: AccountQueue, recorder: StateRecorder, wake_queue: WakeQueue,
        instruments: Instruments,
    }
}

impl Conclusion {
    pub(super) async fn conclude(&self, mut leased: LeasedPost<'_>, exit: Exit) -> Result<WorkOutcome, StoreError> {
        let post = leased.post().clone();
        let yielded = matches!(exit, Exit::Yield);
        let reported = matches!(exit, Exit::Reported(_));
        if let Exit::Reported(report) = &exit {
            self.tokens.check_authorization(report, &post.account, leased.worker()).await;
        }
        let (alias, mode, was_queued) = (post.account.clone(), post.mode(), post.is_in_account_queue());
        let next = match next_state(post, exit, self.instruments.now()) {
            Ok(next) => next,
            Err(Unstored::LeaseLost) => return Ok(lease_lost(&leased)),
            Err(Unstored::Store(error)) => return Err(error),
        };
        match leased.save(next).await {
            Ok(()) => {}
            Err(Exit::Store(error)) => return Err(error),
            Err(_) => return Ok(lease_lost(&leased)),
        }
        let post = leased.post();
        let wake = async {
            if reported {
                self.queue.after_transition(post).await;
            } else if was_queued {
                self.queue.wake_next(&alias, mode).await;
            }
            if yielded {
                wake_worker(&self.wake_queue, &post.id).await;
            }
        };
        join!(Box::pin(self.recorder.record_state(post)), Box::pin(wake));
        Ok(WorkOutcome::Stopped(post.state_name()))
    }
}

/// Why nothing is stored.
enum Unstored {
    LeaseLost,
    Store(StoreError),
}

/// The state that an exit leads to.
fn next_state(post: Post, exit: Exit, now: Timestamp) -> Result<Post, Unstored> {
    let fallback = post.clone();
    let next = match exit {
        Exit::LeaseLost => return Err(Unstored::LeaseLost),
        Exit::Store(error) => return Err(Unstored::Store(error)),
        // TikTok may have every byte, so the post does not fail before TikTok says so.
        Exit::Fail(failure) if post.upload().is_some_and(Upload::may_be_complete) => {
            tracing::warn!(post.id = %post.id, why = %failure, "the video may be posted all the same: TikTok is polled");
            post.sent(SentReceipt::Unconfirmed { why: failure.message }, now)
        }
        Exit::Fail(failure) => post.fail(failure, now),
        Exit::Defer { reason, message, after } => {
            let wait = after.max(backoff(deferral_count(&post, &reason))) + jitter(&post);
            post.defer(reason, &message, wait, now)
        }
        Exit::RateLimited(limited) => {
            let RateLimited { wait, described } = *limited;
            let post = match described {
                Some((settings, video, bytes)) => post.described(settings, video, bytes),
                None => post,
            };
            let after = Duration::try_from(wait.until.duration_since(now)).unwrap_or_default();
            post.defer(wait.reason, &wait.message, after, now)
        }
        Exit::Hold(reason) => post.hold(reason, now),
        Exit::Schedule(at) => post.schedule(at, now),
        Exit::Yield => post.hand_over(now),
        Exit::Sent => post.sent(SentReceipt::Confirmed, now),
        Exit::Unconfirmed(why) => post.sent(SentReceipt::Unconfirmed { why }, now),
        Exit::Reported(report) => post.apply_report(&report, now),
        Exit::Bug(error) => Err(error),
    };
    Ok(next.unwrap_or_else(|error| defer_after_bug(fallback, &error, now)))
}

fn lease_lost(leased: &LeasedPost<'_>) -> WorkOutcome {
    tracing::warn!(post.id = %leased.post().id, "lease lost: another worker has the post");
    WorkOutcome::LeaseLost
}

/// Defers a post whose state did not allow a step, which is a bug in Dropcast. The post is not lost, and the log has
/// what a developer needs.
fn defer_after_bug(post: Post, error: &InvalidTransition, now: Timestamp) -> Post {
    tracing::error!(post.id = %post.id, error = %error, "bug in Dropcast: the post is deferred");
    post.clone().defer(Reason::InternalFault, &error.to_string(), BUG_WAIT, now).unwrap_or(post)
}

/// How many times in a row the post is now deferred for this reason.
fn deferral_count(post: &Post, reason: &Reason) -> u32 {
    match &post.state {
        PostState::Uploading { deferral: Some(deferral), .. } if deferral.reason == *reason => deferral.count + 1,
        _ => 1,
    }
}

/// Up to one second, derived from the post's id, so that posts that were deferred together are not retried together.
fn jitter(post: &Post) -> Duration {
    let sum: u64 = post.id.as_str().bytes().map(u64::from).sum();
    Duration::from_millis(sum * 7 % 1000)
}
