//! The counter of an app's posting users: the creators that post through it within a day.
//! <https://developers.tiktok.com/doc/content-sharing-guidelines>
//!
//! Every upload reads this one counter, so it is written rarely: once when an account begins to count, and then at
//! most once per hour.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use super::Wait;
use super::upload_quota::DAY;
use crate::identity::Alias;
use crate::reason::Reason;

/// How much longer than a day an account is counted, so that not each of its posts must renew the entry.
const RENEWAL_INTERVAL: Duration = Duration::from_hours(1);

/// The accounts that count as posting users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostingUsers {
    /// The accounts, and until when each counts.
    pub until: BTreeMap<Alias, Timestamp>,
    /// The end of the block for new users, after TikTok refused one.
    pub blocked_until: Option<Timestamp>,
}

/// How an account was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// The counter stays as it is.
    Unchanged,
    /// This counter must be stored before the account posts.
    Changed(PostingUsers),
}

impl PostingUsers {
    /// Admits an account that is about to post.
    ///
    /// `limit` is the stack's maximum of users per day; `None` counts nothing. An account that posted within a day
    /// (`has_posted`) is counted by TikTok already, so TikTok's block does not stop it.
    ///
    /// # Errors
    /// The limit is reached by other accounts, or TikTok's block applies.
    pub fn admit(
        &self,
        account: &Alias,
        has_posted: Posted,
        limit: Option<NonZeroU32>,
        now: Timestamp,
    ) -> Result<Admitted, Wait> {
        if has_posted == Posted::NotToday
            && let Some(until) = self.blocked_until.filter(|&until| until > now)
        {
            let message = "TikTok lets no more users post through this app today".to_owned();
            return Err(Wait { reason: Reason::PostingUsersPerDay, message, until });
        }
        let Some(limit) = limit else { return Ok(Admitted::Unchanged) };
        let known = self.until.get(account).copied().filter(|&until| until > now);
        if known.is_some_and(|until| until >= now + DAY) {
            return Ok(Admitted::Unchanged);
        }
        let mut users = self.clone();
        users.until.retain(|_, until| *until > now);
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        if known.is_none() && users.until.len() >= limit {
            let until = users.until.values().min().copied().unwrap_or(now);
            let message = format!("{limit} accounts have posted through this app within 24 hours");
            return Err(Wait { reason: Reason::PostingUsersPerDay, message, until });
        }
        users.until.insert(account.clone(), now + DAY + RENEWAL_INTERVAL);
        Ok(Admitted::Changed(users))
    }

    /// Removes an account, because its upload created nothing. Returns `None` if the account is not counted.
    #[must_use]
    pub fn remove(mut self, account: &Alias) -> Option<Self> {
        self.until.remove(account)?;
        Some(self)
    }

    /// Blocks new users until a time, because TikTok refused one.
    #[must_use]
    pub fn block_until(mut self, until: Timestamp) -> Self {
        self.blocked_until = self.blocked_until.max(Some(until));
        self
    }
}

/// Whether an account posted within a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It posted within a day.
    Today,
    /// It did not post, as far as its upload quota shows.
    NotToday,
}
