//! What a history permits: a small model of a post, as somebody sees it who knows
//! what was done and answered, and what TikTok has, and nothing of how it works.
//!
//! The system is free in when it does something, and in how often it tries. It is
//! not free in these:
//!
//! - what was cancelled, and answered so, is never posted; it is refused only where
//!   TikTok may have every byte, or the post is at an end;
//! - what TikTok refused fails, and so does what has no object any more; it is tried again
//!   when somebody wishes it, and not before;
//! - what waits for a review is not posted before somebody approves;
//! - what was given another title, and answered so, is posted under that one; it is
//!   not refused while it waits for its time;
//! - what nobody stops, and nothing makes impossible, is posted.
//!
//! [`knows_a_lie`] shows that it can say no.

mod lies;

use std::fmt;

use simulator::{Ledger, LedgerEntry};

use crate::stage::{ENDS, REWORDED, Said, Wish};

pub(crate) use lies::knows_a_lie;

/// Where a post waits for an approval.
const IN_REVIEW: &str = "held for review";

/// Where it waits for its time.
const SCHEDULED: &str = "scheduled";

/// An end of a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// TikTok published it, or has it in an inbox.
    Posted,
    Cancelled,
    Failed,
    /// There is no post of it.
    Absent,
}

/// How sure it is that something holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Sure {
    #[default]
    No,
    /// Somebody wished it, and got no answer.
    Perhaps,
    Yes,
}

/// What is known of a drop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    cancelled: Sure,
    /// TikTok refused it, and nobody has had it tried again since.
    refused: bool,
    /// Somebody wished to have it tried again, and got no answer.
    perhaps_retried: bool,
    /// Its object was deleted for good.
    gone: bool,
    /// Whether somebody approved, where that is wanted.
    approved: Option<Sure>,
    /// Whether it has the other title.
    reworded: Sure,
}

impl Model {
    /// Wants an approval before anything is posted.
    pub(crate) fn under_review(&mut self) {
        self.approved = Some(Sure::No);
    }

    /// Learns that TikTok refused to publish it.
    pub(crate) fn refused(&mut self) {
        self.refused = true;
    }

    /// Learns that the object is gone for good.
    pub(crate) fn gone(&mut self) {
        self.gone = true;
    }

    /// Whether the object is gone for good.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether it may come to this end.
    pub(crate) fn permits(&self, end: End) -> bool {
        match end {
            End::Posted => {
                let ended = self.refused && !self.perhaps_retried;
                self.cancelled < Sure::Yes && self.approved != Some(Sure::No) && !ended
            }
            End::Cancelled => self.cancelled > Sure::No,
            End::Failed => self.cancelled < Sure::Yes && (self.refused || self.gone),
            End::Absent => self.gone,
        }
    }

    /// Whether it may be posted under this title.
    pub(crate) fn permits_title(&self, title: &str) -> bool {
        match self.reworded {
            Sure::No => title != REWORDED,
            Sure::Perhaps => true,
            Sure::Yes => title == REWORDED,
        }
    }

    /// Learns what was answered to a wish about a film of this length and digest.
    ///
    /// # Errors
    /// Says why it is no answer to give.
    pub(crate) fn hear(&mut self, said: &Said, film: Film<'_>) -> Result<(), Untrue> {
        let before = said.before.as_deref();
        // Others may have changed it before the wish was heard.
        let was_all_along = |state| before == Some(state) && said.after.as_deref() == Some(state);
        let untrue = |why| Err(Untrue { wish: said.wish, status: said.status, before: said.before.clone(), why });
        let Some(status) = said.status.filter(|status| *status < 500) else {
            // It may have been granted all the same.
            match said.wish {
                Wish::Cancel => self.cancelled = self.cancelled.max(Sure::Perhaps),
                Wish::Approve => self.approved = self.approved.max(self.approved.map(|_| Sure::Perhaps)),
                Wish::Retry => self.perhaps_retried = true,
                Wish::Reword => self.reworded = self.reworded.max(Sure::Perhaps),
            }
            return Ok(());
        };
        match (said.wish, status) {
            (_, 404) if before.is_none() => Ok(()),
            (_, 404) => untrue("the post is there"),
            _ if before.is_none() => untrue("there is no post"),
            (Wish::Cancel | Wish::Retry, 200) if film.is_whole(&said.ledger) => untrue("TikTok has every byte"),
            (Wish::Cancel, 200) => {
                self.cancelled = Sure::Yes;
                Ok(())
            }
            (Wish::Cancel, 409) if was_all_along("cancelled") => untrue("it is cancelled, as was wished"),
            (Wish::Cancel, 409)
                if is_end(before) || is_end(said.after.as_deref()) || film.may_be_whole(&said.ledger) =>
            {
                Ok(())
            }
            (Wish::Cancel, 409) => untrue("TikTok cannot have every byte"),
            (Wish::Retry, 200) if before == Some("failed") => {
                (self.refused, self.perhaps_retried) = (false, false);
                Ok(())
            }
            (Wish::Retry, 200) => untrue("it has not failed"),
            (Wish::Retry, 409) if was_all_along("failed") && self.refused => untrue("TikTok has refused it"),
            (Wish::Approve, _) if self.approved == Some(Sure::No) && film.is_published(&said.ledger) => {
                untrue("it was posted before anybody approved")
            }
            (Wish::Approve, 200) if self.approved == Some(Sure::No) && before != Some(IN_REVIEW) => {
                untrue("it does not wait for a review")
            }
            (Wish::Approve, 200) => {
                self.approved = self.approved.map(|_| Sure::Yes);
                Ok(())
            }
            (Wish::Approve, 409) if was_all_along(IN_REVIEW) && self.approved.is_some() => {
                untrue("it waits for a review")
            }
            (Wish::Retry, 409) => {
                // It has failed no more: somebody was heard who got no answer.
                let was_heard = self.perhaps_retried && before != Some("failed");
                (self.refused, self.perhaps_retried) = (self.refused && !was_heard, self.perhaps_retried && !was_heard);
                Ok(())
            }
            (Wish::Reword, 200) if film.is_published(&said.ledger) => untrue("it is posted already"),
            (Wish::Reword, 200) => {
                self.reworded = Sure::Yes;
                Ok(())
            }
            (Wish::Reword, 409) if was_all_along(SCHEDULED) => untrue("it waits for its time"),
            (Wish::Approve | Wish::Reword, 409) => Ok(()),
            _ => untrue("nobody answers so"),
        }
    }
}

/// A film, by what TikTok's ledger knows it by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Film<'a> {
    pub(crate) bytes: u64,
    pub(crate) sha256: &'a str,
}

impl Film<'_> {
    fn uploads<'l>(&self, ledger: &'l Ledger) -> impl Iterator<Item = &'l LedgerEntry> {
        let bytes = self.bytes;
        ledger.publishes.iter().filter(move |it| it.source_info.video_size == bytes)
    }

    fn is_published(&self, ledger: &Ledger) -> bool {
        ledger.times_published(self.sha256) > 0
    }

    fn is_whole(&self, ledger: &Ledger) -> bool {
        self.uploads(ledger).any(|upload| upload.bytes_received == self.bytes && upload.fail_reason.is_none())
    }

    /// Whether all but the last chunk is there, or was before TikTok failed it, so
    /// that the last may have been on its way.
    fn may_be_whole(&self, ledger: &Ledger) -> bool {
        let all_but_last = |it: &LedgerEntry| (it.source_info.total_chunk_count - 1) * it.source_info.chunk_size;
        self.uploads(ledger).any(|upload| upload.bytes_received >= all_but_last(upload))
    }
}

fn is_end(state: Option<&str>) -> bool {
    state.is_some_and(|state| ENDS.contains(&state))
}

/// An answer that was none to give.
#[derive(Debug)]
pub(crate) struct Untrue {
    wish: Wish,
    status: Option<u16>,
    before: Option<String>,
    why: &'static str,
}

impl fmt::Display for Untrue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, status) = (self.before.as_deref().unwrap_or("unknown"), self.status.unwrap_or_default());
        write!(f, "{:?} was answered with {status} where the post was {before}: {}", self.wish, self.why)
    }
}
