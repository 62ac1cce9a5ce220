//! Concluding: why work rests becomes where the post stands.

use std::time::Duration;

use domain::failure::{backoff, error_chain};
use domain::post::{InvalidTransition, Post, PostState, SentReceipt};
use domain::reason::Reason;
use domain::upload::Upload;
use futures::join;
use storage::StoreError;

use super::{LeasedPost, Worked};
use crate::exit::{Exit, Limited};
use crate::posting::Posting;

impl Posting {
    pub(super) async fn conclude(&self, mut leased: LeasedPost<'_>, stop: Exit) -> Result<Worked, StoreError> {
        let post = leased.post().clone();
        let handed_over = matches!(stop, Exit::Yield);
        let settled = matches!(stop, Exit::Reported(_));
        if let Exit::Reported(report) = &stop {
            self.note_authorization(report, &post.account, leased.worker()).await;
        }
        let (alias, mode, in_line) = (post.account.clone(), post.mode(), post.is_in_account_queue());
        let next = match self.next(post, stop) {
            Ok(next) => next,
            Err(End::Overtaken) => return Ok(overtaken(&leased)),
            Err(End::Store(error)) => return Err(error),
        };
        let id = next.id.clone();
        match leased.save(next).await {
            Ok(()) => {}
            Err(Exit::Store(error)) => return Err(error),
            Err(_) => return Ok(overtaken(&leased)),
        }
        let post = leased.post();
        let others = async {
            if settled {
                self.settle_turn(post).await;
            } else if in_line {
                self.wake_next(&alias, mode).await;
            }
            if handed_over && let Err(error) = self.wake_queue.wake(&id).await {
                tracing::warn!(post.id = %id, error = error_chain(&error), "bell not rung: the post is due and will be found");
            }
        };
        join!(Box::pin(self.record_state(post)), Box::pin(others));
        Ok(Worked::Rests(post.state_name()))
    }

    fn next(&self, post: Post, stop: Exit) -> Result<Post, End> {
        let now = self.now();
        let fallback = post.clone();
        let next = match stop {
            Exit::LeaseLost => return Err(End::Overtaken),
            Exit::Store(error) => return Err(End::Store(error)),
            // Every byte may be there: it has not failed before TikTok says so.
            Exit::Fail(failure) if post.upload().is_some_and(Upload::may_be_complete) => {
                tracing::warn!(post.id = %post.id, why = %failure, "the post may be published all the same: TikTok is asked");
                post.sent(SentReceipt::Unconfirmed { why: failure.message }, now)
            }
            Exit::Fail(failure) => post.fail(failure, now),
            Exit::Defer { reason, message, after } => {
                let wait = after.max(backoff(times(&post, &reason))) + spread(&post);
                post.defer(reason, &message, wait, now)
            }
            Exit::RateLimited(limited) => {
                let Limited { wait, described } = *limited;
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
            Exit::Bug(fault) => Err(fault),
        };
        Ok(next.unwrap_or_else(|fault| set_aside(fallback, fault, now)))
    }
}

/// Why nothing is written.
enum End {
    Overtaken,
    Store(StoreError),
}

fn overtaken(leased: &LeasedPost<'_>) -> Worked {
    tracing::warn!(post.id = %leased.post().id, "another worker has the post now: this one stops");
    Worked::LeaseLost
}

/// A step that the state does not allow is a fault of ours. The post is put
/// back, so that it is not lost; the log holds what a developer needs.
fn set_aside(post: Post, fault: InvalidTransition, now: jiff::Timestamp) -> Post {
    tracing::error!(post.id = %post.id, fault = %fault, "a fault of Dropcast's: the post is put back");
    let wait = Duration::from_mins(5);
    post.clone().defer("internal_fault", &fault.to_string(), wait, now).unwrap_or(post)
}

/// How often in a row the post now waits for this.
fn times(post: &Post, reason: &Reason) -> u32 {
    match &post.state {
        PostState::Uploading { deferral: Some(deferral), .. } if deferral.reason == *reason => deferral.count + 1,
        _ => 1,
    }
}

/// Up to a second, different for each post, so that posts that met the same
/// limit together do not come back together.
fn spread(post: &Post) -> Duration {
    let sum: u64 = post.id.as_str().bytes().map(u64::from).sum();
    Duration::from_millis(sum * 7 % 1000)
}
