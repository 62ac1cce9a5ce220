//! Limits: how much of TikTok's limits is left, and who goes next.
//!
//! TikTok counts calls in sliding minutes, posts in rolling days and drafts in
//! inboxes, and answers whoever does too much with refusals. So the same is
//! counted here first, and shared by all workers. There are three books:
//!
//! | book | of | says |
//! |---|---|---|
//! | [`SlidingWindow`] | an account and a kind of call | when calls were made within the last minute |
//! | [`UploadQuota`] | an account and a mode | when uploads were begun, and for which posts |
//! | [`PostingUsers`] | the app | which accounts have posted within a day, where there is a cap on them |
//!
//! **Never over.** A call is written down before it is made, and only where the
//! last so many leave room: the sliding window itself is kept, not an
//! approximation of it. What is written down and then not made is a place lost
//! for a window's length, never one too many.
//!
//! **In the order dropped.** An account's posts that could be begun stand in a
//! line ([`Post::is_in_account_queue`](crate::post::Post::is_in_account_queue)), ordered by
//! when they were dropped. Only its head may take a turn. The line is no list
//! that somebody keeps: it is what the posts' own states say, so a post that
//! failed, is held, is scheduled or backs off on its own account is not in it,
//! and blocks nobody.
//!
//! **No herd.** A post that must wait is told when its turn will come, as the
//! books and those before it say ([`UploadQuota::place`]), and sleeps until then; it
//! does not knock every minute. Those times are estimates, and rights to nothing. Where
//! one turns out too late, because a turn was given back or a post stepped out of
//! the line, the head is called up; whoever takes a turn, or leaves the line, does that.
//!
//! **TikTok has the last word.** Other programs post for the same creators.
//! Where TikTok refuses in spite of the books, they are closed until TikTok may think
//! otherwise, for all workers.

mod sliding_window;
mod upload_quota;
mod users;

use jiff::Timestamp;

pub use sliding_window::{CallKind, SlidingWindow};
pub use upload_quota::{Cooldown, QueuePosition, QuotaLimits, Reservation, UploadQuota};
pub use users::{Admitted, Posted, PostingUsers};

/// The code of a wait for other posts of the account.
pub const TURN: &str = "queued_behind";
/// The code of a wait for the account's uploads a minute.
pub const UPLOADS: &str = "uploads_per_minute";
/// The code of a wait for the account's posts a day.
pub const POSTS: &str = "posts_per_day";
/// The code of a wait for room in the creator's inbox.
pub const INBOX: &str = "drafts_pending";
/// The code of a wait for the app's posting users a day.
pub const USERS: &str = "posting_users_per_day";
/// The code of a wait for other calls a minute.
pub const CALLS: &str = "calls_per_minute";
/// The code of a wait for other workers that write the same book.
pub const BUSY: &str = "rate_limit_contended";
/// TikTok's own codes for limits that an account's posts wait for together.
pub const REFUSALS: [&str; 4] =
    ["rate_limit_exceeded", "spam_risk_too_many_posts", "spam_risk_too_many_pending_share", "reached_active_user_cap"];

/// Something that must wait, what for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// A stable word for programs.
    pub code: String,
    /// What it waits for, for people.
    pub message: String,
    /// When to try again.
    pub until: Timestamp,
}

/// Tells whether a wait is for a limit of the account's, in the line. Its time is
/// an estimate, and the books say at any time whether it still holds.
#[must_use]
pub fn is_limit(code: &str) -> bool {
    [TURN, UPLOADS, POSTS, INBOX, USERS, CALLS, BUSY].contains(&code) || REFUSALS.contains(&code)
}

#[cfg(test)]
mod tests;
