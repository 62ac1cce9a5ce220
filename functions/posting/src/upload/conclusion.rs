//! Turns the [`Exit`] of a worker into the post's next state, and stores it.

use std::time::Duration;

use domain::failure::{backoff, error_chain};
use domain::post::{HoldReason, NotClaimable, Post, PostState, SentReceipt, StateName};
use domain::reason::Reason;
use domain::upload::Upload;
use futures::join;
use jiff::Timestamp;
use storage::{Accounts, StoreError, WakeQueue};

use super::leased_post::LeasedPost;
use crate::account_queue::AccountQueue;
use crate::best_effort::wake_worker;
use crate::exit::{Exit, RateLimited};
use crate::invocation::Instruments;
use crate::repost_check::RepostCheck;
use crate::state_recorder::StateRecorder;
use crate::tokens::Tokens;

/// How long a post is deferred after a bug in Dropcast ([`Exit::Bug`]).
const BUG_WAIT: Duration = Duration::from_mins(5);

/// The result of a worker's attempt at a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkOutcome {
    /// There is no such post.
    NotFound,
    /// The post cannot be claimed now: the message was a duplicate, or early.
    NotClaimable(NotClaimable),
    /// Another worker has the post now.
    LeaseLost,
    /// The worker stopped, and left the post in this state.
    Stopped(StateName),
}

from_dependencies! {
    pub(crate) struct Conclusion {
        accounts: Accounts, tokens: Tokens, queue: AccountQueue, reposts: RepostCheck, recorder: StateRecorder,
        wake_queue: WakeQueue,
        instruments: Instruments,
    }
}

impl Conclusion {
    /// Stores the post's next state, records it, and wakes workers: for this post after [`Exit::Yield`], and for
    /// the next post of the account's queue if this one has left it.
    pub(super) async fn conclude(&self, mut leased: LeasedPost<'_>, exit: Exit) -> Result<WorkOutcome, StoreError> {
        let post = leased.post().clone();
        let yielded = matches!(exit, Exit::Yield);
        let reported = matches!(exit, Exit::Reported(_));
        if let Exit::Reported(report) = &exit {
            self.tokens.check_authorization(report, &post.account, leased.worker()).await;
        }
        let (alias, mode, was_queued) = (post.account.clone(), post.mode(), post.is_in_account_queue());
        let stored = match next_state(post, exit, self.instruments.now()) {
            Ok(next) => leased.save(next).await,
            Err(exit) => Err(exit),
        };
        match stored {
            Ok(()) => {}
            Err(Exit::Store(error)) => return Err(error),
            // `next_state` and `save` return no other exit than `Store` and `LeaseLost`.
            Err(_) => {
                tracing::warn!(post.id = %leased.post().id, "lease lost: another worker has the post");
                return Ok(WorkOutcome::LeaseLost);
            }
        }
        let is_released = self.release(&mut leased).await;
        let post = leased.post();
        let wake = async {
            // A post that has ended releases its reservation too.
            if reported || (post.ended_unposted() && post.mode().is_some()) {
                self.queue.after_transition(post).await;
            } else if was_queued {
                self.queue.wake_next(&alias, mode).await;
            }
            self.reposts.after_transition(post).await;
            if yielded || is_released {
                wake_worker(&self.wake_queue, &post.id).await;
            }
        };
        join!(Box::pin(self.recorder.record_state(post)), Box::pin(wake));
        Ok(WorkOutcome::Stopped(post.state_name()))
    }

    /// Releases a post that was just held for a review or its sidecar if its account no longer requires that; returns
    /// whether it did.
    ///
    /// The account may have been configured after the worker read it, and before the post was stored as held. Then the
    /// command that released the account's held posts did not find this one. If this check fails, the poller repeats it
    /// within a day.
    async fn release(&self, leased: &mut LeasedPost<'_>) -> bool {
        let post = leased.post().clone();
        let PostState::Held { reason: reason @ (HoldReason::Review | HoldReason::Sidecar) } = &post.state else {
            return false;
        };
        let account = match self.accounts.get(&post.account).await {
            Ok(account) => account,
            Err(error) => {
                tracing::warn!(post.id = %post.id, error = error_chain(&error), "hold not checked: the poller will check it");
                return false;
            }
        };
        if account.is_none_or(|account| account.preferences.require(reason)) {
            return false;
        }
        let Ok(released) = post.clone().release_hold(reason, self.instruments.now()) else { return false };
        leased.save(released).await.is_ok()
    }
}

/// The state that an exit leads to; the exit itself if the post must not, or cannot, be written.
fn next_state(post: Post, exit: Exit, now: Timestamp) -> Result<Post, Exit> {
    let fallback = post.clone();
    let next = match exit {
        Exit::LeaseLost | Exit::Store(_) => return Err(exit),
        // TikTok may have every byte. A failed post can be retried, which could post the video twice: TikTok is asked.
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
        Exit::Withdraw(why) => post.withdraw(&why, now),
        Exit::Schedule(at) => post.schedule(at, now),
        Exit::Yield => post.hand_over(now),
        Exit::Sent => post.sent(SentReceipt::Confirmed, now),
        Exit::Unconfirmed(why) => post.sent(SentReceipt::Unconfirmed { why }, now),
        Exit::Reported(report) => post.apply_report(&report, now),
        Exit::Bug(error) => Err(error),
    };
    // The post's state does not allow the step: a bug in Dropcast. It is logged, and the post is not lost.
    Ok(next.unwrap_or_else(|error| {
        tracing::error!(post.id = %fallback.id, error = %error, "bug in Dropcast: the post is deferred");
        fallback.clone().defer(Reason::InternalFault, &error.to_string(), BUG_WAIT, now).unwrap_or(fallback)
    }))
}

/// How many times in a row the post was deferred for this reason, with this deferral.
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
