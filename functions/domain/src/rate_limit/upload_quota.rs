//! The counter of the uploads that an account has begun in one mode.
//!
//! An upload uses one of TikTok's calls per minute. A direct post also uses one of the account's posts per day, and a
//! draft one of the places in the creator's inbox. The call is used whatever TikTok answers. The post or place is
//! released if TikTok says that the upload created nothing, or that the creator posted the draft.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::sliding_window::WINDOW;
use super::{SlidingWindow, Wait};
use crate::identity::PostId;
use crate::options::Mode;
use crate::post::LEASE_TERM;
use crate::reason::Reason;

/// How many uploads TikTok lets an account begin per minute, in each mode.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>
const UPLOADS_PER_MINUTE: usize = 6;
/// How many pending drafts TikTok allows in a creator's inbox.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>
const PENDING_DRAFTS: usize = 5;
/// TikTok's rolling day, plus a minute because TikTok's clock differs from ours.
pub(super) const DAY: Duration = Duration::from_mins(24 * 60 + 1);
/// The distance between the estimated times of successive posts in an account queue.
///
/// It is about the pace that TikTok's limit per minute allows. With a shorter distance, one run of the poller would
/// wake many posts, and all but the first would wait again. Each post that begins wakes the next one in any case.
const SPACING: Duration = Duration::from_secs(10);

/// An upload that a post has begun, or is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// When it was reserved.
    pub at: Timestamp,
    /// The post.
    pub post: PostId,
}

/// A pause after TikTok reported a limit although our counter had room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    /// The end of the pause.
    pub until: Timestamp,
    /// The limit that TikTok reported.
    pub reason: Reason,
    /// What the limit means, for people.
    pub message: String,
}

/// How many uploads an account may begin in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLimits {
    mode: Mode,
    /// The most direct posts within a day, or the most drafts in the inbox.
    posts: usize,
}

impl QuotaLimits {
    /// The limits of a mode. `posts_per_day` applies to direct posts, for which TikTok states "typically around 15".
    pub fn of(mode: Mode, posts_per_day: u32) -> Self {
        let posts = match mode {
            Mode::Direct => usize::try_from(posts_per_day).unwrap_or(usize::MAX).max(1),
            Mode::Draft => PENDING_DRAFTS,
        };
        Self { mode, posts }
    }

    fn reason(self) -> Reason {
        match self.mode {
            Mode::Direct => Reason::PostsPerDay,
            Mode::Draft => Reason::DraftsPending,
        }
    }

    fn message(self) -> String {
        match self.mode {
            Mode::Direct => format!("the account has posted {} times within 24 hours", self.posts),
            Mode::Draft => {
                format!("{} drafts are, or may be, in the creator's inbox: post or discard some in the app", self.posts)
            }
        }
    }
}

/// A post's place in its account queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueuePosition {
    /// How many posts are before it.
    pub posts: usize,
    /// Until when the first post of the queue is deferred, if it is.
    pub head_not_before: Option<Timestamp>,
}

/// The uploads that an account has begun in one mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadQuota {
    /// The calls to begin an upload within the last minute.
    pub minute: SlidingWindow,
    /// The direct posts within a day, or the drafts that may be in the inbox; oldest first.
    pub reservations: Vec<Reservation>,
    /// The pause that TikTok caused.
    pub cooldown: Option<Cooldown>,
}

impl UploadQuota {
    /// Checks whether the post at this place in the queue may begin its upload now.
    ///
    /// # Errors
    /// A limit is reached, or other posts go first. The error's time is an estimate from what is known now.
    pub fn check(&self, limits: QuotaLimits, position: QueuePosition, now: Timestamp) -> Result<(), Wait> {
        let cooldown_end = self.cooldown.as_ref().map_or(now, |cooldown| cooldown.until.max(now));
        let (earliest, full) = self.estimate(cooldown_end, limits, position.posts);
        if earliest <= now && position.posts == 0 {
            return Ok(());
        }
        let until = match position.head_not_before {
            Some(not_before) if not_before > cooldown_end => self.estimate(not_before, limits, position.posts).0,
            _ => earliest,
        };
        Err(self.wait(limits, position, full, until, now))
    }

    /// Estimates when a post with `others` posts before it can begin, if the first of these may begin at `start`.
    ///
    /// Also returns the longest limit that delays the post or one before it.
    fn estimate(&self, start: Timestamp, limits: QuotaLimits, others: usize) -> (Timestamp, Option<Limit>) {
        let mut calls: VecDeque<_> = self.minute.calls.iter().copied().collect();
        let mut posts: VecDeque<_> = self.reservations.iter().map(|reservation| reservation.at).collect();
        let (mut at, mut full) = (start, None);
        for before in 0..=others {
            if before > 0 {
                at += SPACING;
            }
            for (past, most, window, limit) in
                [(&calls, UPLOADS_PER_MINUTE, WINDOW, Limit::Calls), (&posts, limits.posts, DAY, Limit::Posts)]
            {
                let oldest = past.len().checked_sub(most).and_then(|index| past.get(index));
                if let Some(free) = oldest.map(|&oldest| oldest + window).filter(|&free| free > at) {
                    at = free;
                    full = full.max(Some(limit));
                }
            }
            calls.push_back(at);
            posts.push_back(at);
        }
        (at, full)
    }

    fn wait(
        &self,
        limits: QuotaLimits,
        position: QueuePosition,
        full: Option<Limit>,
        until: Timestamp,
        now: Timestamp,
    ) -> Wait {
        let cooldown = self.cooldown.as_ref().filter(|cooldown| cooldown.until > now);
        let (reason, message) = match (full, cooldown) {
            (Some(Limit::Posts), _) => (limits.reason(), limits.message()),
            (_, Some(cooldown)) => (cooldown.reason.clone(), cooldown.message.clone()),
            (Some(Limit::Calls), None) => {
                let message = format!("the account has begun {UPLOADS_PER_MINUTE} uploads within a minute");
                (Reason::UploadsPerMinute, message)
            }
            (None, None) => (Reason::QueuedBehind, "other videos of the account go first".to_owned()),
        };
        let message = match position.posts {
            0 => message,
            1 => format!("{message}; 1 video that was dropped before goes first"),
            more => format!("{message}; {more} videos that were dropped before go first"),
        };
        Wait { reason, message, until }
    }

    /// Returns the quota without a post's own reservation, to check whether the post may begin.
    ///
    /// A post that begins again replaces its reservation ([`UploadQuota::reserve`]). If it waited for it, the posts whose
    /// inits had no answer would block each other for a day.
    #[must_use]
    pub fn without(mut self, post: &PostId) -> Self {
        self.reservations.retain(|reservation| reservation.post != *post);
        self
    }

    /// Reserves an upload for a post. To be stored before TikTok is called: two workers could exceed a limit.
    ///
    /// An earlier reservation of the post is replaced: of its uploads, at most the newest one can post the video. So a
    /// post has one reservation at most, however often its inits had no answer.
    #[must_use]
    pub fn reserve(mut self, post: PostId, now: Timestamp) -> Self {
        self.minute.record(UPLOADS_PER_MINUTE, now);
        self.reservations.retain(|reservation| reservation.at + DAY > now && reservation.post != post);
        let at = self.reservations.last().map_or(now, |last| last.at.max(now));
        self.reservations.push(Reservation { at, post });
        self
    }

    /// Releases a post's reservation: its upload created nothing, or its draft left the inbox.
    ///
    /// The call stays counted. Returns `None` if the post has no reservation.
    #[must_use]
    pub fn release(self, post: &PostId) -> Option<Self> {
        let has_reservation = self.reservations.iter().any(|reservation| reservation.post == *post);
        has_reservation.then(|| self.without(post))
    }

    /// Pauses uploads because TikTok reported a limit. The longer of two pauses applies.
    #[must_use]
    pub fn pause(mut self, cooldown: Cooldown) -> Self {
        if self.cooldown.as_ref().is_none_or(|known| known.until < cooldown.until) {
            self.cooldown = Some(cooldown);
        }
        self
    }

    /// Tells whether a post made a reservation within the last [`LEASE_TERM`]. The account queue may still list it
    /// then.
    pub fn has_reserved(&self, post: &PostId, now: Timestamp) -> bool {
        self.reservations.iter().any(|reservation| reservation.post == *post && reservation.at + LEASE_TERM > now)
    }

    /// Tells whether the account posted within a day, so that TikTok counts it as a posting user.
    ///
    /// The day is 23 hours here: when the answer is yes, TikTok certainly counts the account.
    pub fn has_posted(&self, now: Timestamp) -> bool {
        self.reservations.iter().any(|reservation| reservation.at + Duration::from_hours(23) > now)
    }
}

/// One of the account's own limits; the longer one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Calls,
    Posts,
}
