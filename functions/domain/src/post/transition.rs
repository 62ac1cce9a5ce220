//! The steps of a post under a claim, and those that what it waits for makes it take.

use std::time::Duration;

use jiff::Timestamp;

use super::{HistoryEntry, HoldReason, LEASE_TERM, Lease, Outcome, Post, PostState, Receipt, StateName};
use crate::failure::{Deferral, Failure};
use crate::polling::next_poll;
use crate::rate::Rate;
use crate::settings::Settings;
use crate::upload::{LastChunk, Upload};
use crate::video::VideoFacts;

/// How many lines of history are kept: the first, and the newest.
const HISTORY: usize = 50;

/// A step that is not possible from where the post stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a post that is {from} cannot be {step}")]
pub struct InvalidTransition {
    /// Where the post stands.
    pub from: StateName,
    /// What was asked of it.
    pub step: &'static str,
}

type Transition = Result<Post, InvalidTransition>;

impl Post {
    /// Puts a claimed post aside until a person acts.
    pub fn hold(self, reason: HoldReason, now: Timestamp) -> Transition {
        let (_, _, None) = self.clone().working("held")? else {
            return Err(self.not("held"));
        };
        let note = match reason {
            HoldReason::Review => "waits for approval",
            HoldReason::Sidecar => "waits for its sidecar",
            // Its bytes are there: somebody has it.
            HoldReason::Upload => return Err(self.not("held for its bytes")),
        };
        Ok(self.enter(PostState::Held { reason }, None, now, note))
    }

    /// Puts a claimed post aside until its time.
    pub fn schedule(self, publish_at: Timestamp, now: Timestamp) -> Transition {
        let (_, _, None) = self.clone().working("scheduled")? else {
            return Err(self.not("scheduled"));
        };
        let note = format!("waits for {publish_at}");
        Ok(self.enter(PostState::Scheduled { publish_at }, Some(publish_at), now, &note))
    }

    /// Releases a post whose options have changed or arrived, so that they are
    /// read again. One that waits for a limit goes on waiting.
    pub fn options_arrived(self, now: Timestamp) -> Transition {
        match &self.state {
            // A worker that has begun no upload yet may have looked before the
            // sidecar was there: the post is taken away from it.
            PostState::Held { reason: HoldReason::Sidecar }
            | PostState::Scheduled { .. }
            | PostState::Uploading { upload: None, .. } => Ok(self.queue(now, None, None, now, "its sidecar is there")),
            _ => Err(self.not("given options")),
        }
    }

    /// Lets a post go on at once whose account is connected again: one that
    /// waits to be worked on, or that TikTok is to be asked about.
    ///
    /// # Errors
    /// Refuses where it does not wait for its account (`code` is what such a
    /// wait is called).
    pub fn reconnected(mut self, code: &str, now: Timestamp) -> Transition {
        match &self.state {
            // What it waited for is over: it stands in its account's line from now on, not only once it is taken up.
            PostState::Queued { deferral: Some(deferral), upload, .. } if deferral.code == code => {
                let upload = upload.clone();
                Ok(self.queue(now, None, upload, now, "its account is connected again"))
            }
            PostState::Processing { .. } if self.due_at.is_some_and(|due| due > now) => {
                self.0.due_at = Some(now);
                Ok(self)
            }
            _ => Err(self.not("continued")),
        }
    }

    /// Has a post that waits to be worked on wait for its account instead, whose
    /// consent is gone (`code` is what such a wait is called). An upload under way is kept.
    ///
    /// # Errors
    /// Refuses where it does not wait to be worked on, or waits for its account already.
    pub fn awaiting_reconnect(self, code: &str, message: &str, wait: Duration, now: Timestamp) -> Transition {
        match self.state.clone() {
            PostState::Queued { deferral, upload, .. }
                if deferral.as_ref().is_none_or(|deferral| deferral.code != code) =>
            {
                let until = now + wait;
                let deferral = Deferral { code: code.to_owned(), message: message.to_owned(), count: 1 };
                Ok(self.queue(until, Some(deferral), upload, now, &format!("waits until {until}: {message}")))
            }
            _ => Err(self.not("awaiting_reconnect")),
        }
    }

    /// Notes what the post goes out with. It stays where it is.
    #[must_use]
    pub fn described(mut self, settings: Settings, video: VideoFacts, bytes: u64) -> Self {
        self.0.settings = Some(settings);
        self.0.video = Some(video);
        self.0.bytes = Some(bytes);
        self
    }

    /// Notes that TikTok gave a ticket. To be stored before the first byte leaves.
    pub fn begin(self, upload: Upload, now: Timestamp) -> Transition {
        let (lease, _, None) = self.clone().working("begun")? else {
            return Err(self.not("begun"));
        };
        let note = format!("TikTok awaits {} chunks as {}", upload.plan.count(), upload.publish_id);
        let mut post = self.leased(lease, None, Some(upload), now);
        post.0.inits = post.0.inits.saturating_add(1);
        post.note(now, &note);
        Ok(post)
    }

    /// Notes how many bytes TikTok has, and how fast it takes them where that
    /// was measured; renews the lease with it.
    pub fn progress(self, offset: u64, rate: Option<Rate>, now: Timestamp) -> Transition {
        let (lease, _, Some(upload)) = self.clone().working("carried on")? else {
            return Err(self.not("carried on"));
        };
        Ok(self.leased(lease, None, Some(Upload { offset, rate: rate.or(upload.rate), ..upload }), now))
    }

    /// Notes that the last chunk is about to leave. To be stored before it does.
    pub fn commit(self, now: Timestamp) -> Transition {
        self.marked(LastChunk::MayBeSent, now)
    }

    /// Takes the note back. Only the worker that made it may, and only where
    /// TikTok itself refused the one and only try.
    pub fn uncommit(self, now: Timestamp) -> Transition {
        self.marked(LastChunk::NotSent, now)
    }

    fn marked(self, last_chunk: LastChunk, now: Timestamp) -> Transition {
        let (lease, deferral, Some(upload)) = self.clone().working("committed")? else {
            return Err(self.not("committed"));
        };
        Ok(self.leased(lease, deferral, Some(Upload { last_chunk, ..upload }), now))
    }

    /// Renews the lease.
    pub fn renew(self, now: Timestamp) -> Transition {
        let (lease, deferral, upload) = self.clone().working("renewed")?;
        Ok(self.leased(lease, deferral, upload, now))
    }

    /// Notes that the last chunk is sent.
    pub fn sent(self, receipt: SentReceipt, now: Timestamp) -> Transition {
        let (_, _, Some(upload)) = self.clone().working("sent")? else {
            return Err(self.not("sent"));
        };
        let publish_id = upload.publish_id.clone();
        let (receipt, note) = match receipt {
            SentReceipt::Confirmed => (Receipt::Confirmed, "TikTok has every byte and works on it".to_owned()),
            SentReceipt::Unconfirmed { why } => {
                (Receipt::Unconfirmed(upload), format!("TikTok may have every byte, and is being asked ({why})"))
            }
        };
        let state = PostState::Processing { publish_id, receipt, since: now };
        Ok(self.enter(state, Some(next_poll(now, now)), now, &note))
    }

    /// Puts a claimed post back, to be taken up after a wait. An upload under
    /// way is kept, to go on with.
    pub fn defer(self, code: &str, message: &str, wait: Duration, now: Timestamp) -> Transition {
        let (_, before, upload) = self.clone().working("deferred")?;
        let count = before.filter(|d| d.code == code).map_or(0, |d| d.count).saturating_add(1);
        let deferral = Deferral { code: code.to_owned(), message: message.to_owned(), count };
        let until = now + wait;
        let note = format!("waits until {until}: {message}");
        Ok(self.queue(until, Some(deferral), upload, now, &note))
    }

    /// Hands a claimed post over to the next worker, at once.
    pub fn hand_over(self, now: Timestamp) -> Transition {
        let (_, deferral, upload) = self.clone().working("handed over")?;
        Ok(self.queue(now, deferral, upload, now, "handed over to the next invocation"))
    }

    /// Drops an upload that can no longer end well, and that cannot have ended.
    ///
    /// # Errors
    /// Refuses where TikTok may have every byte: then only TikTok's word counts.
    pub fn abandon(self, now: Timestamp, why: &str) -> Transition {
        match self.clone().working("begun anew")? {
            (lease, deferral, Some(upload)) if !upload.may_be_complete() => {
                let mut post = self.leased(lease, deferral, None, now);
                post.note(now, &format!("upload {} given up: {why}", upload.publish_id));
                Ok(post)
            }
            _ => Err(self.not("begun anew")),
        }
    }

    /// Ends a post that will not be posted by itself.
    ///
    /// # Errors
    /// Refuses where TikTok may have every byte: it may be posted yet.
    pub fn fail(self, failure: Failure, now: Timestamp) -> Transition {
        let may_be_complete = self.upload().is_some_and(Upload::may_be_complete);
        match &self.state {
            PostState::Held { .. } | PostState::Scheduled { .. } => {}
            PostState::Queued { .. } | PostState::Uploading { .. } if !may_be_complete => {}
            _ => return Err(self.not("failed")),
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

    pub(super) fn enter(mut self, state: PostState, due_at: Option<Timestamp>, now: Timestamp, note: &str) -> Self {
        self.0.state = state;
        self.0.due_at = due_at;
        self.note(now, note);
        self
    }

    pub(super) fn note(&mut self, at: Timestamp, note: &str) {
        if self.history.len() >= HISTORY {
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

    fn working(self, step: &'static str) -> Result<(Lease, Option<Deferral>, Option<Upload>), InvalidTransition> {
        match self.0.state {
            PostState::Uploading { lease, deferral, upload } => Ok((lease, deferral, upload)),
            _ => Err(self.not(step)),
        }
    }

    pub(super) fn not(&self, step: &'static str) -> InvalidTransition {
        InvalidTransition { from: self.state_name(), step }
    }
}

/// How the last chunk was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentReceipt {
    /// TikTok said that it has every byte.
    Confirmed,
    /// The answer was lost, or none could be had.
    Unconfirmed {
        /// What happened instead, for people.
        why: String,
    },
}
