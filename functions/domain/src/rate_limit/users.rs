//! The app's posting users: TikTok counts, for each app, the creators that post
//! through it within a day. <https://developers.tiktok.com/doc/content-sharing-guidelines>
//!
//! Every upload reads this one book and hardly any writes it: an account is
//! written down when it comes in, and again once an hour at most while it goes on.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use super::upload_quota::DAY;
use super::{USERS, Wait};
use crate::identity::Alias;

/// How much longer than its day an account is written down, so that it need not
/// be written down again by each of its posts.
const AHEAD: Duration = Duration::from_hours(1);

/// The accounts that count as posting users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostingUsers {
    /// The accounts, and until when each counts.
    pub until: BTreeMap<Alias, Timestamp>,
    /// TikTok takes no further user before this.
    pub blocked_until: Option<Timestamp>,
}

/// How an account was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// Nothing has to be written down.
    AsKnown,
    /// This has to be written down first.
    Written(PostingUsers),
}

impl PostingUsers {
    /// Lets an account post, if there is room. One that has posted within a day
    /// (`has_posted`) costs TikTok's cap nothing.
    ///
    /// # Errors
    /// The day's users are others; the wait says until when.
    pub fn admit(
        &self,
        account: &Alias,
        has_posted: Posted,
        most: Option<NonZeroU32>,
        now: Timestamp,
    ) -> Result<Admitted, Wait> {
        if has_posted == Posted::NotToday
            && let Some(until) = self.blocked_until.filter(|&until| until > now)
        {
            let message = "TikTok lets no more users post through this app today";
            return Err(Wait { code: USERS.to_owned(), message: message.to_owned(), until });
        }
        let Some(most) = most else { return Ok(Admitted::AsKnown) };
        let known = self.until.get(account).copied().filter(|&until| until > now);
        if known.is_some_and(|until| until >= now + DAY) {
            return Ok(Admitted::AsKnown);
        }
        let mut users = self.clone();
        users.until.retain(|_, until| *until > now);
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        if known.is_none() && users.until.len() >= most {
            let until = users.until.values().min().copied().unwrap_or(now);
            let message = format!("{most} accounts have posted through this app within 24 hours");
            return Err(Wait { code: USERS.to_owned(), message, until });
        }
        users.until.insert(account.clone(), now + DAY + AHEAD);
        Ok(Admitted::Written(users))
    }

    /// Notes that TikTok takes no further user for now.
    #[must_use]
    pub fn close(mut self, until: Timestamp) -> Self {
        self.blocked_until = self.blocked_until.max(Some(until));
        self
    }
}

/// Whether an account has posted within a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It has.
    Today,
    /// It has not, as far as is known.
    NotToday,
}
