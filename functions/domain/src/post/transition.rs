//! The steps that a worker with a claim takes, and the steps that end a wait: options or a reconnect.
//!
//! Each step fails with [`InvalidTransition`] if the state does not allow it. Errors of single methods are documented
//! only if they have a further condition.

use std::time::Duration;

use jiff::Timestamp;

use super::{HistoryEntry, HoldReason, LEASE_TERM, Lease, Outcome, Post, PostState, Receipt, StateName};
use crate::failure::{Deferral, Failure};
use crate::polling::next_poll;
use crate::rate::Rate;
use crate::reason::Reason;
use crate::settings::Settings;
use crate::upload::{LastChunk, Upload};
use crate::video::VideoFacts;

/// The maximum number of history entries. The first one is kept, and then the newest ones.
const MAX_HISTORY: usize = 50;

/// How often a post that is held for a review or its sidecar is checked: whether its account still requires that.
const HOLD_CHECK_INTERVAL: Duration = Duration::from_hours(24);
/// How long before its publication time the account of a scheduled post is checked. A person then has time to connect
/// it again.
const ACCOUNT_CHECK_LEAD: Duration = Duration::from_mins(90);

/// A step that the post's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a post that is {from} cannot be {step}")]
pub struct InvalidTransition {
    /// The post's state.
    pub from: StateName,
    /// The step, as a participle: "a post that is failed cannot be held".
    pub step: &'static str,
}

type Transition = Result<Post, InvalidTransition>;

impl Post {
    /// Holds a claimed post until a person acts. It is due in between, because the reason for the hold can end: the
    /// account no longer requires it ([`Post::hold_checked`]), or the earlier post of the video was not posted
    /// ([`Post::recheck_same_video`]).
    pub fn hold(self, reason: HoldReason, now: Timestamp) -> Transition {
        self.require_no_upload("held")?;
        let (note, wait) = match &reason {
            HoldReason::Review => ("waits for approval".to_owned(), HOLD_CHECK_INTERVAL),
            HoldReason::Sidecar => ("waits for its sidecar".to_owned(), HOLD_CHECK_INTERVAL),
            HoldReason::SameVideo { earlier } => {
                let note =
                    format!("the account's post {earlier} has the same video: approve this post to post it again");
                (note, super::same_video::FIRST_RECHECK)
            }
            // A claimed post has its bytes.
            HoldReason::Upload => return Err(self.invalid("held for its bytes")),
        };
        Ok(self.enter(PostState::Held { reason }, Some(now + wait), now, &note))
    }

    /// Cancels a claimed post whose object was replaced before it had any content.
    pub fn withdraw(self, why: &str, now: Timestamp) -> Transition {
        self.require_no_upload("withdrawn")?;
        Ok(self.enter(PostState::Cancelled { publish_id: None, at: now }, None, now, why))
    }

    /// Postpones the check of a post that is still held for a review or its sidecar.
    ///
    /// # Errors
    /// The post is not held for one of these.
    pub fn hold_checked(self, now: Timestamp) -> Transition {
        match &self.state {
            PostState::Held { reason: HoldReason::Review | HoldReason::Sidecar } => {
                Ok(self.due_again_at(now + HOLD_CHECK_INTERVAL))
            }
            _ => Err(self.invalid("checked")),
        }
    }

    /// Schedules a claimed post for its publication time. It is due before that, for the check of its account
    /// ([`Post::needs_account_check`]), unless the time is too close.
    pub fn schedule(self, publish_at: Timestamp, now: Timestamp) -> Transition {
        self.require_no_upload("scheduled")?;
        let note = format!("waits for {publish_at}");
        let check_at = publish_at - ACCOUNT_CHECK_LEAD;
        let due = if check_at > now { check_at } else { publish_at };
        Ok(self.enter(PostState::Scheduled { publish_at }, Some(due), now, &note))
    }

    /// Tells whether a scheduled post is due for the check of its account.
    pub fn needs_account_check(&self, now: Timestamp) -> bool {
        matches!(self.state, PostState::Scheduled { publish_at } if now < publish_at && self.due_at.is_some_and(|due| due <= now))
    }

    /// Records that the account of a scheduled post was checked. `problem` is what would prevent the post, if anything.
    ///
    /// # Errors
    /// The post is not scheduled.
    pub fn account_checked(mut self, problem: Option<&str>, now: Timestamp) -> Transition {
        let PostState::Scheduled { publish_at } = self.state else { return Err(self.invalid("checked")) };
        self.0.due_at = Some(publish_at);
        if let Some(problem) = problem {
            self.note(now, &format!("its account cannot post at present: {problem}"));
        }
        Ok(self)
    }

    /// Queues a post whose sidecar arrived or changed, so that a worker reads the options again.
    ///
    /// # Errors
    /// The post is in another state. A queued post needs no change: a worker reads the options after its claim.
    pub fn options_arrived(self, now: Timestamp) -> Transition {
        match &self.state {
            // A worker that has not begun the upload may have read the options too early, so it loses the post.
            PostState::Held { reason: HoldReason::Sidecar | HoldReason::SameVideo { .. } }
            | PostState::Scheduled { .. }
            | PostState::Uploading { upload: None, .. } => Ok(self.queue(now, None, None, now, "its sidecar arrived")),
            _ => Err(self.invalid("given options")),
        }
    }

    /// Resumes a post whose account was connected again: a post that was deferred for the reconnect is queued, and a
    /// processing post is due for a poll.
    ///
    /// # Errors
    /// The post does not wait for its account.
    pub fn reconnected(mut self, now: Timestamp) -> Transition {
        match &self.state {
            // Without a deferral the post is in the account queue from now on, before a worker claims it.
            PostState::Queued { deferral: Some(deferral), upload, .. } if deferral.reason.resumes_on_reconnect() => {
                let upload = upload.clone();
                Ok(self.queue(now, None, upload, now, "its account was connected again"))
            }
            PostState::Processing { .. } if self.due_at.is_some_and(|due| due > now) => {
                self.0.due_at = Some(now);
                Ok(self)
            }
            _ => Err(self.invalid("resumed")),
        }
    }

    /// Defers a queued post until its account, whose authorization is lost, is connected again.
    ///
    /// An unfinished upload is kept. `wait` is the time after which a worker checks the account in any case.
    ///
    /// # Errors
    /// The post is not queued, or waits for its account already.
    pub fn awaiting_reconnect(self, message: &str, wait: Duration, now: Timestamp) -> Transition {
        match self.state.clone() {
            PostState::Queued { deferral, upload, .. }
                if deferral.as_ref().is_none_or(|deferral| !deferral.reason.resumes_on_reconnect()) =>
            {
                let until = now + wait;
                let deferral = Deferral { reason: Reason::NeedsReconnect, message: message.to_owned(), count: 1 };
                Ok(self.queue(until, Some(deferral), upload, now, &format!("waits until {until}: {message}")))
            }
            _ => Err(self.invalid("deferred for a reconnect")),
        }
    }

    /// Stores the resolved options, the facts of the video and its size in bytes. The state stays.
    #[must_use]
    pub fn described(mut self, settings: Settings, video: VideoFacts, bytes: u64) -> Self {
        self.0.settings = Some(settings);
        self.0.video = Some(video);
        self.0.bytes = Some(bytes);
        self
    }

    /// Adds a note to the history, unless the history has it already: each worker that reads the post's options finds the
    /// same. The state stays.
    #[must_use]
    pub fn with_note(mut self, note: &str, now: Timestamp) -> Self {
        if self.history.iter().all(|entry| entry.note != note) {
            self.note(now, note);
        }
        self
    }

    /// Begins an upload that TikTok granted. To be stored before the first byte is sent, so that the next worker knows
    /// the publish if this one stops.
    pub fn begin(self, upload: Upload, now: Timestamp) -> Transition {
        let lease = self.require_no_upload("begun")?;
        let note = format!("upload begun in {} chunks, with publish id {}", upload.plan.count(), upload.publish_id);
        let mut post = self.leased(lease, None, Some(upload), now);
        post.0.inits = post.0.inits.saturating_add(1);
        post.0.denied_since = None;
        post.note(now, &note);
        Ok(post)
    }

    /// Records how many bytes TikTok has accepted, and the rate if it was measured. Renews the lease and removes the
    /// deferral. The commit mark stays even if `offset` decreases.
    pub fn progress(self, offset: u64, rate: Option<Rate>, now: Timestamp) -> Transition {
        let (lease, _, upload) = self.require_upload("advanced")?;
        Ok(self.leased(lease, None, Some(Upload { offset, rate: rate.or(upload.rate), ..upload }), now))
    }

    /// Sets the commit mark: the last chunk is about to be sent.
    ///
    /// To be stored before the first byte of the last chunk is sent. Otherwise, if the worker stops, the next one could
    /// abandon an upload that TikTok has completely, and post the video twice.
    pub fn commit(self, now: Timestamp) -> Transition {
        self.set_last_chunk(LastChunk::MayBeSent, now)
    }

    /// Removes the commit mark.
    ///
    /// Only the worker that set the mark may remove it, and only if it sent the last chunk once and TikTok rejected
    /// it. Otherwise TikTok may have every byte, and a new upload could post the video twice.
    pub fn uncommit(self, now: Timestamp) -> Transition {
        self.set_last_chunk(LastChunk::NotSent, now)
    }

    fn set_last_chunk(self, last_chunk: LastChunk, now: Timestamp) -> Transition {
        let (lease, deferral, upload) = self.require_upload("committed")?;
        Ok(self.leased(lease, deferral, Some(Upload { last_chunk, ..upload }), now))
    }

    /// Renews the lease.
    pub fn renew(self, now: Timestamp) -> Transition {
        let (lease, deferral, upload) = self.require_lease("renewed")?;
        Ok(self.leased(lease, deferral, upload, now))
    }

    /// Ends the upload: the last chunk was sent, or may have been.
    pub fn sent(self, receipt: SentReceipt, now: Timestamp) -> Transition {
        let (_, _, upload) = self.require_upload("sent")?;
        let publish_id = upload.publish_id.clone();
        let (receipt, note) = match receipt {
            SentReceipt::Confirmed => (Receipt::Confirmed, "TikTok has every byte and processes the video".to_owned()),
            SentReceipt::Unconfirmed { why } => (
                Receipt::Unconfirmed(upload),
                format!("TikTok may have every byte and is asked for the status ({why})"),
            ),
        };
        let state = PostState::Processing { publish_id, receipt, since: now };
        Ok(self.enter(state, Some(next_poll(now, now)), now, &note))
    }

    /// Defers a claimed post for `wait`. An unfinished upload is kept and continued later.
    pub fn defer(self, reason: Reason, message: &str, wait: Duration, now: Timestamp) -> Transition {
        let (_, before, upload) = self.require_lease("deferred")?;
        let count = before.filter(|d| d.reason == reason).map_or(0, |d| d.count).saturating_add(1);
        let deferral = Deferral { reason, message: message.to_owned(), count };
        let until = now + wait;
        let note = format!("waits until {until}: {message}");
        Ok(self.queue(until, Some(deferral), upload, now, &note))
    }

    /// Queues a claimed post for the next invocation, which continues immediately. The post waits for nothing, so an
    /// earlier deferral ends: it would keep the post out of its account queue, or count a lost worker twice.
    pub fn hand_over(self, now: Timestamp) -> Transition {
        let (_, _, upload) = self.require_lease("handed over")?;
        Ok(self.queue(now, None, upload, now, "handed over to the next invocation"))
    }

    /// Abandons an upload that cannot be completed. The worker may then begin a new one.
    ///
    /// # Errors
    /// TikTok may have every byte. A new upload could then post the video twice, so only TikTok's report decides.
    pub fn abandon(self, now: Timestamp, why: &str) -> Transition {
        let (lease, deferral, upload) = self.require_upload("restarted")?;
        if upload.may_be_complete() {
            return Err(self.invalid("restarted"));
        }
        let mut post = self.leased(lease, deferral, None, now);
        post.note(now, &format!("upload {} abandoned: {why}", upload.publish_id));
        Ok(post)
    }

    /// Fails a post that TikTok cannot have posted.
    ///
    /// # Errors
    /// TikTok may have every byte. The video may then be posted, and a retry of the failed post could post it twice.
    pub fn fail(self, failure: Failure, now: Timestamp) -> Transition {
        let may_be_complete = self.upload().is_some_and(Upload::may_be_complete);
        match &self.state {
            PostState::Held { .. } | PostState::Scheduled { .. } => {}
            PostState::Queued { .. } | PostState::Uploading { .. } if !may_be_complete => {}
            _ => return Err(self.invalid("failed")),
        }
        Ok(self.end_in_failure(failure, Outcome::NotPosted, now))
    }

    pub(super) fn end_in_failure(self, failure: Failure, outcome: Outcome, now: Timestamp) -> Self {
        let note = failure.to_string();
        let publish_id = self.publish_id().cloned();
        self.enter(PostState::Failed { failure, outcome, publish_id, at: now }, None, now, &note)
    }

    pub(super) fn queue(
        self,
        not_before: Timestamp,
        deferral: Option<Deferral>,
        upload: Option<Upload>,
        now: Timestamp,
        note: &str,
    ) -> Self {
        self.enter(PostState::Queued { not_before, deferral, upload }, Some(not_before), now, note)
    }

    /// Changes the state and adds a history entry. Without `due_at` the poller never finds the post, so `None` is only
    /// for states that a person or an event continues.
    pub(super) fn enter(mut self, state: PostState, due_at: Option<Timestamp>, now: Timestamp, note: &str) -> Self {
        self.0.state = state;
        self.0.due_at = due_at;
        self.note(now, note);
        self
    }

    pub(super) fn note(&mut self, at: Timestamp, note: &str) {
        if self.history.len() >= MAX_HISTORY {
            self.0.history.remove(1);
        }
        let state = self.state_name();
        self.0.history.push(HistoryEntry { at, state, note: note.to_owned() });
    }

    fn leased(mut self, lease: Lease, deferral: Option<Deferral>, upload: Option<Upload>, now: Timestamp) -> Self {
        let lease = Lease { expires_at: now + LEASE_TERM, ..lease };
        self.0.due_at = Some(lease.expires_at);
        self.0.state = PostState::Uploading { lease, deferral, upload };
        self
    }

    fn require_lease(
        &self,
        step: &'static str,
    ) -> Result<(Lease, Option<Deferral>, Option<Upload>), InvalidTransition> {
        match self.state.clone() {
            PostState::Uploading { lease, deferral, upload } => Ok((lease, deferral, upload)),
            _ => Err(self.invalid(step)),
        }
    }

    fn require_upload(&self, step: &'static str) -> Result<(Lease, Option<Deferral>, Upload), InvalidTransition> {
        let (lease, deferral, upload) = self.require_lease(step)?;
        Ok((lease, deferral, upload.ok_or_else(|| self.invalid(step))?))
    }

    fn require_no_upload(&self, step: &'static str) -> Result<Lease, InvalidTransition> {
        let (lease, _, upload) = self.require_lease(step)?;
        if upload.is_none() { Ok(lease) } else { Err(self.invalid(step)) }
    }

    pub(super) fn invalid(&self, step: &'static str) -> InvalidTransition {
        InvalidTransition { from: self.state_name(), step }
    }
}

/// How TikTok answered the last chunk. [`Receipt`] is what the post stores of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentReceipt {
    /// TikTok confirmed that it has every byte.
    Confirmed,
    /// The response was lost, or the chunk could not be sent to its end.
    Unconfirmed {
        /// What happened, for people.
        why: String,
    },
}
