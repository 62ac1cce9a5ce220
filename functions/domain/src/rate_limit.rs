//! Our own counters of TikTok's limits, and the order in which an account's posts use them.
//!
//! TikTok limits calls per minute, posts per day, drafts in a creator's inbox, and posting users per app and day. It
//! refuses calls above a limit. So Dropcast counts the same calls before it makes them. All workers share the
//! counters, which `storage` keeps in the limits table:
//!
//! | counter | one for each | contains |
//! |---|---|---|
//! | [`SlidingWindow`] | account and kind of call | the times of the calls within the last minute |
//! | [`UploadQuota`] | account and mode | the uploads begun within a day, and their posts |
//! | [`PostingUsers`] | app | the accounts that posted within a day, if the stack sets a maximum |
//!
//! **Never above a limit.** A worker stores a call in the counter before it makes the call. The counter keeps the
//! exact sliding window, not an approximation. If the call is then not made, its place is unused until the window has
//! passed.
//!
//! **In the order of the drops.** An account's posts that could begin an upload form the account queue
//! ([`Post::is_in_account_queue`](crate::post::Post::is_in_account_queue)), ordered by drop time. Only the first post
//! of the queue may begin its upload. The queue is not stored as a list: it follows from the posts' states. A post
//! that failed, is held, is scheduled, or is deferred for a reason other than a limit is not in the queue and delays
//! no other.
//!
//! **No thundering herd.** A post that must wait is deferred until the counters and the posts before it let it begin
//! ([`UploadQuota::check`]). It does not retry every minute. These times are estimates, not reservations. An estimate
//! can be too late, because a reservation was released or a post left the queue. The worker that caused this wakes
//! the first post of the queue.
//!
//! **TikTok decides.** Other programs post for the same creators. If TikTok refuses a call although a counter has
//! room, the counter stops all workers for a [`Cooldown`].

mod sliding_window;
mod upload_quota;
mod users;

use jiff::Timestamp;

pub use sliding_window::{CallKind, SlidingWindow};
pub use upload_quota::{Cooldown, QueuePosition, QuotaLimits, Reservation, UploadQuota};
pub use users::{Admitted, Posted, PostingUsers};

use crate::reason::Reason;

/// Why a post or call must wait for a limit, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The limit.
    pub reason: Reason,
    /// What the post or call waits for, for people.
    pub message: String,
    /// When to try again.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests;
