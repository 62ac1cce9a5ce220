//! UploadQuota: the uploads that an account has begun in one mode, and when the next
//! posts of its line can begin theirs.
//!
//! An upload costs one of the minute's calls, and one of the day's posts or one of the inbox's
//! places, whichever the mode has. The call is spent whatever TikTok answers;
//! the post is given back where TikTok says that it came to nothing, or that a
//! draft was posted.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::sliding_window::WINDOW;
use super::{INBOX, POSTS, SlidingWindow, TURN, UPLOADS, Wait};
use crate::identity::PostId;
use crate::options::Mode;
use crate::post::LEASE_TERM;

/// How many uploads TikTok lets an account begin a minute, in each mode.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>
const UPLOADS_A_MINUTE: usize = 6;
/// How many drafts TikTok lets wait in an inbox.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>
const PENDING_DRAFTS: usize = 5;
/// The rolling day, and a minute: TikTok's clock is not ours.
pub(super) const DAY: Duration = Duration::from_mins(24 * 60 + 1);
/// How far apart those who wait for one another are told to come: about as far as
/// TikTok's minute lets them go. Told to come closer together, all would be woken by
/// one look at what is due, and all but the first in vain; whoever goes calls up the
/// next in any case.
const SPACING: Duration = Duration::from_secs(10);

/// An upload that was begun, or was about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// When.
    pub at: Timestamp,
    /// For which post.
    pub post: PostId,
}

/// TikTok's own word that there is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    /// Nothing before this.
    pub until: Timestamp,
    /// TikTok's code.
    pub code: String,
    /// What it means, for people.
    pub message: String,
}

/// What an account may do in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLimits {
    mode: Mode,
    posts: usize,
}

impl QuotaLimits {
    /// The limits of a mode. Of the creator's posts a day, TikTok says "typically
    /// around 15"; of drafts, five.
    #[must_use]
    pub fn of(mode: Mode, posts_per_day: u32) -> Self {
        let posts = match mode {
            Mode::Direct => usize::try_from(posts_per_day).unwrap_or(usize::MAX).max(1),
            Mode::Draft => PENDING_DRAFTS,
        };
        Self { mode, posts }
    }

    fn code(self) -> &'static str {
        match self.mode {
            Mode::Direct => POSTS,
            Mode::Draft => INBOX,
        }
    }

    fn message(self) -> String {
        match self.mode {
            Mode::Direct => format!("the account has posted {} times within 24 hours", self.posts),
            Mode::Draft => {
                format!("{} drafts wait in the creator's inbox: post or discard some in the app", self.posts)
            }
        }
    }
}

/// Who stands before a post in its line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueuePosition {
    /// How many.
    pub posts: usize,
    /// When the first of them will try, where it sleeps until then.
    pub head_sleeps_until: Option<Timestamp>,
}

/// The turns that an account's posts have taken in one mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadQuota {
    /// The calls that begin uploads.
    pub minute: SlidingWindow,
    /// The uploads of the day, or the drafts that may be in the inbox.
    pub grants: Vec<Reservation>,
    /// TikTok's own word against all this.
    pub closed: Option<Cooldown>,
}

impl UploadQuota {
    /// Tells whether a post may begin its upload now.
    ///
    /// # Errors
    /// It may not, or others go first; the wait says what for, and until when
    /// by what is known now.
    pub fn place(&self, limits: QuotaLimits, ahead: QueuePosition, now: Timestamp) -> Result<(), Wait> {
        let closed = self.closed.as_ref().map_or(now, |closed| closed.until.max(now));
        let open = closed.max(self.minute.free_at(usize::MAX, now));
        let (soonest, full) = self.nth_from(open, limits, ahead.posts);
        if soonest <= now && ahead.posts == 0 {
            return Ok(());
        }
        let until = match ahead.head_sleeps_until {
            Some(sleeps) if sleeps > open => self.nth_from(sleeps, limits, ahead.posts).0,
            _ => soonest,
        };
        Err(self.wait(limits, ahead, full, until, now))
    }

    /// When the post behind so many others can begin, where the first of them may
    /// from `start` on, and the longest of the limits that they meet on the way.
    fn nth_from(&self, start: Timestamp, limits: QuotaLimits, others: usize) -> (Timestamp, Option<Limit>) {
        let mut calls: VecDeque<_> = self.minute.calls.iter().copied().collect();
        let mut posts: VecDeque<_> = self.grants.iter().map(|grant| grant.at).collect();
        let (mut at, mut full) = (start, None);
        for before in 0..=others {
            if before > 0 {
                at += SPACING;
            }
            for (past, most, window, limit) in
                [(&calls, UPLOADS_A_MINUTE, WINDOW, Limit::SlidingWindow), (&posts, limits.posts, DAY, Limit::Posts)]
            {
                let oldest = past.len().checked_sub(most).and_then(|oldest| past.get(oldest));
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
        ahead: QueuePosition,
        full: Option<Limit>,
        until: Timestamp,
        now: Timestamp,
    ) -> Wait {
        let closed = self.closed.as_ref().filter(|closed| closed.until > now);
        let (code, message) = match (full, closed) {
            (Some(Limit::Posts), _) => (limits.code(), limits.message()),
            (_, Some(closed)) => (closed.code.as_str(), closed.message.clone()),
            (Some(Limit::SlidingWindow), None) => {
                (UPLOADS, format!("the account has begun {UPLOADS_A_MINUTE} uploads within a minute"))
            }
            (None, None) if ahead.posts > 0 => (TURN, "others of the account's go first".to_owned()),
            (None, None) => (UPLOADS, "TikTok's rate limit was met".to_owned()),
        };
        let message = match ahead.posts {
            0 => message,
            1 => format!("{message}; 1 video that was dropped before goes first"),
            more => format!("{message}; {more} videos that were dropped before go first"),
        };
        Wait { code: code.to_owned(), message, until }
    }

    /// Writes a turn down, before it is used.
    #[must_use]
    pub fn take(mut self, post: PostId, now: Timestamp) -> Self {
        self.minute.write_down(UPLOADS_A_MINUTE, now);
        self.grants.retain(|grant| grant.at + DAY > now);
        let at = self.grants.last().map_or(now, |last| last.at.max(now));
        self.grants.push(Reservation { at, post });
        self
    }

    /// Gives a post's newest turn back: it came to nothing, or the draft is no
    /// longer in the inbox. The call stays spent. None, where there is none.
    #[must_use]
    pub fn release(mut self, post: &PostId) -> Option<Self> {
        let newest = self.grants.iter().rposition(|grant| grant.post == *post)?;
        self.grants.remove(newest);
        Some(self)
    }

    /// Notes TikTok's own word that there is no room, where it is the longer one.
    #[must_use]
    pub fn close(mut self, closed: Cooldown) -> Self {
        if self.closed.as_ref().is_none_or(|known| known.until < closed.until) {
            self.closed = Some(closed);
        }
        self
    }

    /// Tells whether a post has just taken a turn, so that it may still seem to
    /// stand in the line.
    #[must_use]
    pub fn has_taken(&self, post: &PostId, now: Timestamp) -> bool {
        self.grants.iter().any(|grant| grant.post == *post && grant.at + LEASE_TERM > now)
    }

    /// Tells whether the account has posted within a day.
    #[must_use]
    pub fn has_posted(&self, now: Timestamp) -> bool {
        // A day of TikTok's, rather less than more: the account counts for it surely.
        self.grants.iter().any(|grant| grant.at + Duration::from_hours(23) > now)
    }
}

/// Which of an account's own limits a turn waits for, the longer one last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    SlidingWindow,
    Posts,
}
