//! How TikTok's report of a publish changes a post, and how a worker continues an upload after it ([`reconcile`]).
//!
//! The poller and the webhooks (`event`) both use [`Post::apply_report`]. Reports can arrive twice, late and in any
//! order; the post ends in the same state.

use std::time::Duration;

use jiff::Timestamp;

use super::{InvalidTransition, Outcome, Post, PostState, Receipt};
use crate::failure::{Deferral, Failure, backoff};
use crate::identity::{PublishId, VideoId};
use crate::options::{Mode, PrivacyLevel};
use crate::polling::{elapsed, next_link_poll, next_poll};
use crate::reason::Reason;
use crate::report::{FailReaction, FailReason, Links, PublishStatus, StatusReport, Visibility, VisibilityChange};
use crate::settings::Settings;
use crate::upload::Upload;

/// How many times a new upload follows a publish that TikTok failed by its own error. Then the post fails.
const MAX_PUBLISH_RETRIES: u32 = 3;
/// The wait after the creator's daily number of posts is reached, and the time after which a post fails if TikTok
/// does not say whether it has every byte.
const DAY: Duration = Duration::from_hours(24);
/// How long TikTok must deny that it knows a publish before Dropcast accepts it. A single denial can be a fault of
/// TikTok's.
const DENIAL_PERIOD: Duration = Duration::from_hours(1);
/// The wait after a denial, and after any other refusal to report the status.
pub const REFUSED_WAIT: Duration = Duration::from_mins(15);

/// What a worker does with an unfinished upload, after it fetched the publish's status from TikTok.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reconciled {
    /// Send the video from this offset, a chunk boundary.
    SendFrom(u64),
    /// Nothing: TikTok has every byte.
    AllThere,
    /// Apply the report: the publish has ended.
    Ended,
    /// Begin a new upload: this one cannot be completed, and TikTok cannot have every byte.
    Abandon,
    /// Wait for TikTok's report: this upload cannot be continued, and TikTok may have every byte.
    Wait,
}

/// Which position counts if TikTok's report and the post differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustOffset {
    /// The larger one: a report can lag behind what TikTok acknowledged.
    Further,
    /// The report's: the upload URL itself answered (HTTP 416) that the post's position is wrong.
    StatusReport,
}

/// Decides how a worker continues an unfinished upload.
///
/// `needed` is the time for which the URL must still be valid to continue. [`Reconciled::Abandon`] leads to a new
/// upload, so it must never be returned if TikTok may have every byte: the video could be posted twice.
pub fn reconcile(
    upload: &Upload,
    report: &StatusReport,
    trust: TrustOffset,
    now: Timestamp,
    needed: Duration,
) -> Reconciled {
    let reported = match report.status {
        PublishStatus::InInbox | PublishStatus::Published | PublishStatus::Failed { .. } => return Reconciled::Ended,
        PublishStatus::Uploading => reported_offset(upload, report),
        PublishStatus::Processing | PublishStatus::Unknown { .. } => None,
    };
    let further = reported.unwrap_or(0).max(upload.offset);
    match (reported, trust) {
        (Some(at), _) if at == upload.plan.size().bytes() => Reconciled::AllThere,
        (Some(at), TrustOffset::StatusReport) if upload.can_send(now, needed) => Reconciled::SendFrom(at),
        _ if upload.can_send(now, needed) => Reconciled::SendFrom(further),
        _ if !upload.may_be_complete() => Reconciled::Abandon,
        _ => Reconciled::Wait,
    }
}

/// The position in a report, if it is a chunk boundary.
fn reported_offset(upload: &Upload, report: &StatusReport) -> Option<u64> {
    report.uploaded.and_then(|uploaded| upload.plan.boundary_of(uploaded))
}

/// Tells whether a report says that bytes are missing. Its position can be the index of the last byte, so a position
/// one below the size means that none is missing.
fn misses_bytes(upload: &Upload, report: &StatusReport) -> bool {
    report.uploaded.is_some_and(|uploaded| uploaded.saturating_add(1) < upload.plan.size().bytes())
}

/// The public part of a published post.
#[derive(Debug, Default)]
pub(super) struct Publication {
    pub(super) video_ids: Vec<VideoId>,
    pub(super) links: Links,
    pub(super) visibility: Vec<VisibilityChange>,
}

impl Publication {
    fn is_withdrawn(&self, id: &VideoId) -> bool {
        self.visibility.iter().any(|known| known.video == *id && known.visibility == Visibility::Withdrawn)
    }
}

impl Post {
    /// Applies TikTok's report of the post's newest publish.
    ///
    /// # Errors
    /// The post has no publish, so the report is not about it.
    pub fn apply_report(mut self, report: &StatusReport, now: Timestamp) -> Result<Self, InvalidTransition> {
        let Some(publish_id) = self.publish_id().cloned() else {
            return Err(self.invalid("given a report"));
        };
        self.0.denied_since = None;
        Ok(match &report.status {
            PublishStatus::Published => self.published(publish_id, report, now),
            PublishStatus::InInbox => self.delivered(publish_id, now),
            PublishStatus::Failed { reason } => self.publish_failed(reason, report, now),
            PublishStatus::Uploading | PublishStatus::Processing | PublishStatus::Unknown { .. } => {
                self.still_processing(report, now)
            }
        })
    }

    /// Adds links to a published post that the report did not contain.
    pub fn linked(self, links: Links, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state.clone() {
            PostState::Published { publish_id, at, video_ids, links: known, visibility } => {
                let seen = Publication { video_ids, links: known.or(links), visibility };
                Ok(self.publish(publish_id, at, seen, now))
            }
            _ => Err(self.invalid("given links")),
        }
    }

    /// Postpones the next poll by at least `wait`, because the status could not be fetched.
    ///
    /// A post that only misses a link is polled for a week.
    #[must_use]
    pub fn postpone_poll(self, wait: Duration, now: Timestamp) -> Self {
        let until = match &self.state {
            PostState::Published { at, .. } | PostState::Delivered { at, .. } => {
                next_link_poll(*at, now).map(|poll| poll.max(now + wait))
            }
            _ => Some(now + wait),
        };
        match until {
            Some(until) => self.due_again_at(until),
            None => self.clear_due(),
        }
    }

    /// Applies that TikTok denies the publish: it says that it does not know it, or not for this account.
    ///
    /// The first denial only postpones the poll. If TikTok denies the publish at each poll for an hour, a post without
    /// a result fails with [`Outcome::Unknown`]: a new upload could post the video twice, so a person must look. A post
    /// with a result keeps it and is not polled again. Any report ends the hour.
    #[must_use]
    pub fn publish_denied(mut self, failure: Failure, now: Timestamp) -> Self {
        let is_polled = matches!(
            self.state,
            PostState::Processing { .. } | PostState::Published { .. } | PostState::Delivered { .. }
        );
        if !is_polled {
            return self;
        }
        let since = *self.0.denied_since.get_or_insert(now);
        if elapsed(since, now) < DENIAL_PERIOD {
            return self.postpone_poll(REFUSED_WAIT, now);
        }
        match self.state {
            PostState::Processing { .. } => self.end_in_failure(failure, Outcome::Unknown, now),
            _ => self.clear_due(),
        }
    }

    fn published(self, publish_id: PublishId, report: &StatusReport, now: Timestamp) -> Self {
        let (at, mut seen) = self.publication(now);
        for id in &report.video_ids {
            if !seen.video_ids.contains(id) && !seen.is_withdrawn(id) {
                seen.video_ids.push(id.clone());
            }
        }
        let withdrawn =
            seen.visibility.iter().any(|known| seen.is_withdrawn(&known.video) && report.links.belong_to(&known.video));
        if !withdrawn {
            seen.links = report.links.clone().or(seen.links);
        }
        self.publish(publish_id, at, seen, now)
    }

    /// When Dropcast learned that the post is published, or `now`; and the public part of the post.
    pub(super) fn publication(&self, now: Timestamp) -> (Timestamp, Publication) {
        match &self.state {
            PostState::Published { publish_id: _, at, video_ids, links, visibility } => {
                let (video_ids, links, visibility) = (video_ids.clone(), links.clone(), visibility.clone());
                (*at, Publication { video_ids, links, visibility })
            }
            _ => (now, Publication::default()),
        }
    }

    pub(super) fn publish(mut self, publish_id: PublishId, at: Timestamp, seen: Publication, now: Timestamp) -> Self {
        let Publication { video_ids, links, visibility } = seen;
        let is_private = |s: &Settings| s.mode == Mode::Direct && s.privacy_level == PrivacyLevel::SelfOnly;
        let private = self.settings.as_ref().is_some_and(is_private);
        let complete = links.share_url.is_some() && links.cover_url.is_some();
        let withdrawn = video_ids.is_empty() && !visibility.is_empty();
        let due_at = if complete || private || withdrawn { None } else { next_link_poll(at, now) };
        let note = match &links.share_url {
            Some(url) => format!("published: {url}"),
            None if withdrawn => "published, and no longer public".to_owned(),
            None if private => "published, visible to its creator only: there is no public link".to_owned(),
            None => "published; its link is not known yet".to_owned(),
        };
        let state = PostState::Published { publish_id, at, video_ids, links, visibility };
        if self.state == state {
            self.0.due_at = due_at;
            return self;
        }
        self.enter(state, due_at, now, &note)
    }

    fn delivered(mut self, publish_id: PublishId, now: Timestamp) -> Self {
        match self.state {
            PostState::Published { .. } => self,
            PostState::Delivered { at, .. } => {
                self.0.due_at = next_link_poll(at, now);
                self
            }
            _ => {
                let state = PostState::Delivered { publish_id, at: now };
                self.enter(
                    state,
                    next_link_poll(now, now),
                    now,
                    "in the creator's TikTok inbox: the creator posts it in the app",
                )
            }
        }
    }

    fn publish_failed(self, code: &str, report: &StatusReport, now: Timestamp) -> Self {
        match self.state {
            PostState::Published { .. }
            | PostState::Delivered { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => self.clear_due(),
            PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Queued { .. }
            | PostState::Uploading { .. }
            | PostState::Processing { .. } => self.react(code, report, now),
        }
    }

    /// Reacts to TikTok's report that the publish failed. A new upload is safe here only because TikTok itself reported
    /// that this publish posts nothing.
    fn react(self, code: &str, report: &StatusReport, now: Timestamp) -> Self {
        let known = FailReason::find(code);
        let (meaning, advice) = known.map_or(
            ("TikTok failed the post", "Find the code in TikTok's documentation, then drop the video again."),
            |reason| (reason.meaning, reason.advice),
        );
        let mut failure = Failure::new(Reason::parse(code), meaning, advice);
        failure.log_id.clone_from(&report.log_id);
        let retry = |mut post: Self, wait: Duration| {
            post.0.publish_failures = post.publish_failures.saturating_add(1);
            let deferral = Deferral {
                reason: failure.reason.clone(),
                message: failure.message.clone(),
                count: post.publish_failures,
            };
            let note = format!("{} ({code}): a new upload follows", failure.message);
            post.queue(now + wait, Some(deferral), None, now, &note)
        };
        match known.map_or(FailReaction::Fail, |reason| reason.reaction) {
            FailReaction::Retry if self.publish_failures < MAX_PUBLISH_RETRIES => {
                let wait = backoff(self.publish_failures + 4);
                retry(self, wait)
            }
            // The daily limit is not the post's fault, so it counts neither as a retry nor as an upload.
            FailReaction::RetryNextDay => {
                let mut post = retry(self, DAY);
                (post.0.publish_failures, post.0.inits) = (0, 0);
                post
            }
            FailReaction::Cancel => {
                let publish_id = self.publish_id().cloned();
                self.enter(PostState::Cancelled { publish_id, at: now }, None, now, "cancelled")
            }
            FailReaction::Retry | FailReaction::AuthorizationLost | FailReaction::Fail => {
                self.end_in_failure(failure, Outcome::NotPosted, now)
            }
        }
    }

    fn still_processing(mut self, report: &StatusReport, now: Timestamp) -> Self {
        match self.state.clone() {
            PostState::Processing { publish_id, receipt, since } => {
                self.0.due_at = Some(next_poll(since, now));
                match receipt {
                    Receipt::Unconfirmed(upload) => self.still_unconfirmed(publish_id, upload, since, report, now),
                    Receipt::Confirmed => self,
                }
            }
            PostState::Published { at, .. } | PostState::Delivered { at, .. } => {
                self.0.due_at = next_link_poll(at, now);
                self
            }
            PostState::Queued { .. } | PostState::Uploading { .. } => self,
            PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => self.clear_due(),
        }
    }

    /// Applies a report without a result to a post of which TikTok may or may not have the last chunk.
    ///
    /// If bytes are missing and the URL is valid, the upload continues; the pause before it grows, because the position
    /// can lag behind. A short position never leads to a new upload: it can lag or stop changing, and then both videos
    /// would be posted. If bytes are missing when the upload is dead, or there is no usable position for a day, the post
    /// fails with [`Outcome::Unknown`].
    fn still_unconfirmed(
        self,
        publish_id: PublishId,
        upload: Upload,
        since: Timestamp,
        report: &StatusReport,
        now: Timestamp,
    ) -> Self {
        let is_uploading = report.status == PublishStatus::Uploading;
        let reported = if is_uploading { reported_offset(&upload, report) } else { None };
        match reported {
            Some(at) if at == upload.plan.size().bytes() => {
                let due = self.due_at;
                let state = PostState::Processing { publish_id, receipt: Receipt::Confirmed, since };
                self.enter(state, due, now, "TikTok has every byte and processes the video")
            }
            Some(at) if upload.can_send(now, Duration::ZERO) && elapsed(since, now) >= backoff(self.attempt + 2) => {
                let upload = Upload { offset: at, ..upload };
                self.queue(now, None, Some(upload), now, "bytes are missing: the upload continues")
            }
            _ if is_uploading && misses_bytes(&upload, report) && upload.is_dead(since, now) => {
                let (has, total) = (report.uploaded.unwrap_or_default(), upload.plan.size().bytes());
                let message = format!("TikTok reports {has} of {total} bytes, although all of them may have been sent");
                self.end_in_failure(Failure::of(Reason::UploadUnconfirmed, message), Outcome::Unknown, now)
            }
            _ if now > since + DAY => {
                let message = "TikTok never said whether it has the whole video";
                self.end_in_failure(Failure::of(Reason::UploadUnconfirmed, message), Outcome::Unknown, now)
            }
            _ => self,
        }
    }

    pub(super) fn clear_due(mut self) -> Self {
        self.0.due_at = None;
        self
    }
}
