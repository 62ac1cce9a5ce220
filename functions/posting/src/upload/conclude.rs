//! Concluding: why work rests becomes where the post stands.

use std::time::Duration;

use domain::failure::backoff;
use domain::post::{HoldReason, InvalidTransition, Post, PostState, SentReceipt};
use storage::StoreError;

use super::{Hold, Worked};
use crate::posting::Posting;
use crate::stop::Stop;

impl Posting {
    pub(super) async fn conclude(&self, mut hold: Hold<'_>, stop: Stop) -> Result<Worked, StoreError> {
        let post = hold.post().clone();
        let handed_over = matches!(stop, Stop::HandOver);
        let held_for_sidecar = matches!(stop, Stop::Hold(HoldReason::Sidecar));
        let next = match self.next(post, stop) {
            Ok(next) => next,
            Err(End::Overtaken) => return Ok(overtaken(&hold)),
            Err(End::Store(error)) => return Err(error),
        };
        let id = next.id.clone();
        match hold.save(next).await {
            Ok(()) => {}
            Err(Stop::Store(error)) => return Err(error),
            Err(_) => return Ok(overtaken(&hold)),
        }
        if held_for_sidecar {
            self.look_again(&mut hold).await?;
        }
        let rests = hold.post().state_name();
        self.announce(hold.post()).await;
        if handed_over && let Err(error) = self.bell.ring(&id).await {
            tracing::warn!(post.id = %id, error = %error, "bell not rung: the post is due and will be found");
        }
        Ok(Worked::Rests(rests))
    }

    fn next(&self, post: Post, stop: Stop) -> Result<Post, End> {
        let now = self.now();
        let fallback = post.clone();
        let next = match stop {
            Stop::Overtaken => return Err(End::Overtaken),
            Stop::Store(error) => return Err(End::Store(error)),
            Stop::Fail(failure) => match post.fail(failure, now) {
                // Every byte may be there: it has not failed before TikTok says so.
                Err(_) => fallback.clone().sent(SentReceipt::Unconfirmed, now),
                failed => failed,
            },
            Stop::Wait { code, message, after } => {
                let wait = after.max(backoff(times(&post, &code))) + spread(&post);
                post.defer(&code, &message, wait, now)
            }
            Stop::Hold(reason) => post.hold(reason, now),
            Stop::Schedule(at) => post.schedule(at, now),
            Stop::HandOver => post.hand_over(now),
            Stop::Sent => post.sent(SentReceipt::Confirmed, now),
            Stop::Unsure => post.sent(SentReceipt::Unconfirmed, now),
            Stop::Verdict(report) => post.settle(&report, now),
            Stop::Fault(fault) => Err(fault),
        };
        Ok(next.unwrap_or_else(|fault| set_aside(fallback, fault, now)))
    }

    /// The sidecar may have come between the look for it and the hold; its
    /// own event found the post being worked on, and passed.
    async fn look_again(&self, hold: &mut Hold<'_>) -> Result<(), StoreError> {
        let source = hold.post().source.clone();
        for key in domain::drop_key::sidecars_of(&source.key) {
            if let Ok(Some(_)) | Err(_) = self.objects.sidecar(&source.bucket, &key).await
                && let Ok(released) = hold.post().clone().options_arrived(self.now())
            {
                return match hold.save(released).await {
                    Err(Stop::Store(error)) => Err(error),
                    _ => Ok(()),
                };
            }
        }
        Ok(())
    }
}

/// Why nothing is written.
enum End {
    Overtaken,
    Store(StoreError),
}

fn overtaken(hold: &Hold<'_>) -> Worked {
    tracing::warn!(post.id = %hold.post().id, "another worker has the post now: this one stops");
    Worked::Overtaken
}

/// A step that the state does not allow is a fault of ours. The post is put
/// back, so that it is not lost; the log holds what a developer needs.
fn set_aside(post: Post, fault: InvalidTransition, now: jiff::Timestamp) -> Post {
    tracing::error!(post.id = %post.id, fault = %fault, "a fault of Dropcast's: the post is put back");
    let wait = Duration::from_mins(5);
    post.clone().defer("internal_fault", &fault.to_string(), wait, now).unwrap_or(post)
}

/// How often in a row the post now waits for this.
fn times(post: &Post, code: &str) -> u32 {
    match &post.state {
        PostState::Uploading { deferral: Some(deferral), .. } if deferral.code == code => deferral.count + 1,
        _ => 1,
    }
}

/// Up to a second, different for each post, so that posts that met the same
/// limit together do not come back together.
fn spread(post: &Post) -> Duration {
    let sum: u64 = post.id.as_str().bytes().map(u64::from).sum();
    Duration::from_millis(sum * 7 % 1000)
}
