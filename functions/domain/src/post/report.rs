//! What TikTok's word does to a post.
//!
//! The poller and the webhook feed the same [`Post::apply_report`]; a report may come
//! twice, late, or in any order, and the post ends in the same place.

use std::time::Duration;

use jiff::Timestamp;

use super::{InvalidTransition, Outcome, Post, PostState, Receipt};
use crate::failure::{Deferral, Failure, backoff};
use crate::identity::{PublishId, VideoId};
use crate::options::{Mode, PrivacyLevel};
use crate::polling::{next_look, next_poll};
use crate::report::{FailReaction, FailReason, Links, PublishStatus, StatusReport, Visibility, VisibilityChange};
use crate::settings::Settings;
use crate::upload::Upload;

/// How often a publish that TikTok failed by its own fault is begun anew, before
/// a person must look.
const MOST_REFUSALS: u32 = 3;
/// The wait after the creator's daily number of posts is used up.
const A_DAY: Duration = Duration::from_hours(24);

/// What a worker does with an upload under way, after asking TikTok.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reconciled {
    /// It goes on at this offset, a boundary of the plan.
    SendFrom(u64),
    /// TikTok has every byte.
    AllThere,
    /// TikTok has come to an end: settle the report.
    Ended,
    /// It cannot end well any more, and cannot have ended: begin anew.
    Abandon,
    /// It can be sent no more, and may have ended: wait for TikTok's word,
    /// which [`Post::apply_report`] then applies.
    Wait,
}

/// Which position is believed where TikTok's report and the post differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustOffset {
    /// The further one: a report may lag behind what TikTok acknowledged.
    Further,
    /// The report's: the upload URL itself said that the post's is wrong.
    StatusReport,
}

/// Decides how an upload goes on. `needed` is the least time that the URL must
/// live for it to be worth sending more.
#[must_use]
pub fn reconcile(
    upload: &Upload,
    report: &StatusReport,
    believe: TrustOffset,
    now: Timestamp,
    needed: Duration,
) -> Reconciled {
    let told = match report.standing {
        PublishStatus::InInbox | PublishStatus::Published | PublishStatus::Failed { .. } => return Reconciled::Ended,
        PublishStatus::Uploading => told(upload, report),
        PublishStatus::Processing | PublishStatus::Unknown { .. } => None,
    };
    let further = told.unwrap_or(0).max(upload.offset);
    match (told, believe) {
        (Some(at), _) if at == upload.plan.size().bytes() => Reconciled::AllThere,
        (Some(at), TrustOffset::StatusReport) if upload.can_send(now, needed) => Reconciled::SendFrom(at),
        _ if upload.can_send(now, needed) => Reconciled::SendFrom(further),
        _ if !upload.may_be_complete() => Reconciled::Abandon,
        _ => Reconciled::Wait,
    }
}

/// The position that a report names, if it is one of the plan's.
fn told(upload: &Upload, report: &StatusReport) -> Option<u64> {
    report.uploaded.and_then(|uploaded| upload.plan.boundary_of(uploaded))
}

/// Tells whether a report says that bytes are missing, however it counts.
fn is_short(upload: &Upload, report: &StatusReport) -> bool {
    report.uploaded.is_some_and(|uploaded| uploaded.saturating_add(1) < upload.plan.size().bytes())
}

/// What people can see of a published post.
#[derive(Debug, Default)]
pub(super) struct SeenVideos {
    pub(super) video_ids: Vec<VideoId>,
    pub(super) links: Links,
    pub(super) visibility: Vec<VisibilityChange>,
}

impl SeenVideos {
    fn is_withdrawn(&self, id: &VideoId) -> bool {
        self.visibility.iter().any(|known| known.video == *id && known.visibility == Visibility::Withdrawn)
    }
}

impl Post {
    /// Applies TikTok's report of the post's publish.
    ///
    /// # Errors
    /// Refuses where no publish was ever begun: the report is another post's.
    pub fn apply_report(self, report: &StatusReport, now: Timestamp) -> Result<Self, InvalidTransition> {
        let Some(publish_id) = self.publish_id().cloned() else {
            return Err(self.not("settled"));
        };
        Ok(match &report.standing {
            PublishStatus::Published => self.published(publish_id, report, now),
            PublishStatus::InInbox => self.delivered(publish_id, now),
            PublishStatus::Failed { reason } => self.refused(reason, report, now),
            PublishStatus::Uploading | PublishStatus::Processing | PublishStatus::Unknown { .. } => {
                self.still_processing(report, now)
            }
        })
    }

    /// Adds links that were found elsewhere to a published post.
    pub fn linked(self, links: Links, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state.clone() {
            PostState::Published { publish_id, at, video_ids, links: known, visibility } => {
                let seen = SeenVideos { video_ids, links: known.or(links), visibility };
                Ok(self.publish(publish_id, at, seen, now))
            }
            _ => Err(self.not("linked")),
        }
    }

    /// Notes that TikTok could not be asked now: not before this wait again.
    /// Where only a link is missing, that is not looked for for ever.
    #[must_use]
    pub fn ask_later(self, wait: Duration, now: Timestamp) -> Self {
        let until = match &self.state {
            PostState::Published { at, .. } | PostState::Delivered { at, .. } => {
                next_look(*at, now).map(|look| look.max(now + wait))
            }
            _ => Some(now + wait),
        };
        match until {
            Some(until) => self.woken(until),
            None => self.clear_due(),
        }
    }

    /// Notes that TikTok will not speak of the publish any more. What is known
    /// stays; what was open ends as a failure that a person must look into,
    /// since nothing may be begun anew on a guess.
    #[must_use]
    pub fn forgotten(self, failure: Failure, now: Timestamp) -> Self {
        match self.state {
            PostState::Processing { .. } => self.end_in_failure(failure, Outcome::Unknown, now),
            _ => self.clear_due(),
        }
    }

    fn published(self, publish_id: PublishId, report: &StatusReport, now: Timestamp) -> Self {
        let (at, mut seen) = self.seen(now);
        for id in &report.video_ids {
            if !seen.video_ids.contains(id) && !seen.is_withdrawn(id) {
                seen.video_ids.push(id.clone());
            }
        }
        let gone =
            seen.visibility.iter().any(|known| seen.is_withdrawn(&known.video) && report.links.lead_to(&known.video));
        if !gone {
            seen.links = report.links.clone().or(seen.links);
        }
        self.publish(publish_id, at, seen, now)
    }

    /// Since when the post is known to be published, and what is seen of it.
    pub(super) fn seen(&self, now: Timestamp) -> (Timestamp, SeenVideos) {
        match &self.state {
            PostState::Published { publish_id: _, at, video_ids, links, visibility } => {
                let (video_ids, links, visibility) = (video_ids.clone(), links.clone(), visibility.clone());
                (*at, SeenVideos { video_ids, links, visibility })
            }
            _ => (now, SeenVideos::default()),
        }
    }

    pub(super) fn publish(mut self, publish_id: PublishId, at: Timestamp, seen: SeenVideos, now: Timestamp) -> Self {
        let SeenVideos { video_ids, links, visibility } = seen;
        let own = |s: &Settings| s.mode == Mode::Direct && s.privacy_level == PrivacyLevel::SelfOnly;
        let private = self.settings.as_ref().is_some_and(own);
        let complete = links.share_url.is_some() && links.cover_url.is_some();
        let gone = video_ids.is_empty() && !visibility.is_empty();
        let due_at = if complete || private || gone { None } else { next_look(at, now) };
        let note = match &links.share_url {
            Some(url) => format!("published: {url}"),
            None if gone => "published, and not public any more".to_owned(),
            None if private => "published, for its creator alone: there is no public link".to_owned(),
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
                self.0.due_at = next_look(at, now);
                self
            }
            _ => {
                let state = PostState::Delivered { publish_id, at: now };
                self.enter(state, next_look(now, now), now, "in the creator's inbox: open the notice in the TikTok app")
            }
        }
    }

    fn refused(self, code: &str, report: &StatusReport, now: Timestamp) -> Self {
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

    fn react(self, code: &str, report: &StatusReport, now: Timestamp) -> Self {
        let known = FailReason::find(code);
        let mut failure = known.map_or_else(
            || {
                Failure::new(
                    code,
                    "TikTok failed the post",
                    "Look the reason up in TikTok's pages, then drop the video again.",
                )
            },
            |reason| Failure::new(code, reason.meaning, reason.advice),
        );
        failure.log_id.clone_from(&report.log_id);
        let again = |mut post: Self, wait: Duration| {
            post.0.publish_failures = post.publish_failures.saturating_add(1);
            let deferral =
                Deferral { code: code.to_owned(), message: failure.message.clone(), count: post.publish_failures };
            let note = format!("{} ({code}): a new upload follows", failure.message);
            post.queue(now + wait, Some(deferral), None, now, &note)
        };
        match known.map_or(FailReaction::Never, |reason| reason.reaction) {
            FailReaction::Again if self.publish_failures < MOST_REFUSALS => {
                let wait = backoff(self.publish_failures + 4);
                again(self, wait)
            }
            // A cap is no fault of the post's: it does not count.
            FailReaction::Tomorrow => {
                let mut post = again(self, A_DAY);
                (post.0.publish_failures, post.0.inits) = (0, 0);
                post
            }
            FailReaction::Cancelled => {
                let publish_id = self.publish_id().cloned();
                self.enter(PostState::Cancelled { publish_id, at: now }, None, now, "cancelled")
            }
            FailReaction::Again | FailReaction::ConsentGone | FailReaction::Never => {
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
                self.0.due_at = next_look(at, now);
                self
            }
            PostState::Queued { .. } | PostState::Uploading { .. } => self,
            PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Failed { .. }
            | PostState::Cancelled { .. } => self.clear_due(),
        }
    }

    /// The last chunk may or may not have come through, and TikTok has not
    /// come to an end: what its report says decides, and where it says nothing
    /// for a day, a person must look.
    fn still_unconfirmed(
        self,
        publish_id: PublishId,
        upload: Upload,
        since: Timestamp,
        report: &StatusReport,
        now: Timestamp,
    ) -> Self {
        let named = if report.standing == PublishStatus::Uploading { told(&upload, report) } else { None };
        let short = report.standing == PublishStatus::Uploading && is_short(&upload, report);
        match named {
            Some(at) if at == upload.plan.size().bytes() => {
                let due = self.due_at;
                let state = PostState::Processing { publish_id, receipt: Receipt::Confirmed, since };
                self.enter(state, due, now, "TikTok has every byte and works on it")
            }
            Some(at) if upload.can_send(now, Duration::ZERO) => {
                let upload = Upload { offset: at, ..upload };
                self.queue(now, None, Some(upload), now, "bytes are missing: sending goes on")
            }
            _ if short && upload.is_dead(now) => {
                self.queue(now, None, None, now, "the upload was lost on its way: a new one follows")
            }
            _ if now > since + A_DAY => {
                let message = "TikTok never said whether it has got the whole video";
                let advice = "It may have been posted: look at the account's profile before you drop the video again.";
                self.end_in_failure(Failure::new("upload_unconfirmed", message, advice), Outcome::Unknown, now)
            }
            _ => self,
        }
    }

    pub(super) fn clear_due(mut self) -> Self {
        self.0.due_at = None;
        self
    }
}
