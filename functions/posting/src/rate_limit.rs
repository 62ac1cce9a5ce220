//! Counts calls and uploads against TikTok's limits, each before it is made. `domain::rate_limit` has the rules.
//!
//! All workers share the counters through the limits table. If TikTok rejects a call although our counter had room, the
//! counter is blocked for all workers.
//!
//! A call costs one write. A counter that was just read need not be read again, since the write is conditional.

use std::sync::Arc;
use std::time::Duration;

use domain::failure::error_chain;
use domain::identity::{Alias, PostId};
use domain::options::Mode;
use domain::post::Post;
use domain::rate_limit::{
    Admitted, CallKind, Cooldown, Posted, PostingUsers, QueuePosition, QuotaLimits, SlidingWindow, UploadQuota, Wait,
};
use domain::reason::{ACTIVE_USER_CAP, Reason};
use futures::try_join;
use jiff::Timestamp;
use storage::{Counter, LimitKey, Limits, StoreError, StoredCounter};

use crate::compare_and_swap::{Change, update};
use crate::config::Config;
use crate::exit::Exit;
use crate::invocation::Instruments;

/// The minimum time that an account's uploads are blocked after TikTok's rate limit: TikTok's minute, plus 5 seconds.
const MIN_BLOCK: Duration = Duration::from_secs(65);
/// The wait after a counter could not be written because other workers changed it at each attempt.
const CONTENDED_WAIT: Duration = Duration::from_secs(5);

/// The counters that decide whether an upload may begin.
pub(crate) struct AccountLimits {
    pub(crate) mode: Mode,
    /// The account's uploads in this mode.
    pub(crate) quota: StoredCounter<UploadQuota>,
    /// The app's posting users; only for direct posts.
    users: Option<StoredCounter<PostingUsers>>,
}

from_dependencies! {
    pub(crate) struct RateLimiter { limits: Limits, config: Arc<Config>, instruments: Instruments, }
}

impl RateLimiter {
    /// Reads the counters that decide whether an account may begin an upload in this mode.
    pub(crate) async fn account_limits(&self, alias: &Alias, mode: Mode) -> Result<AccountLimits, StoreError> {
        let users = async {
            match mode {
                Mode::Direct => self.limits.get(LimitKey::posting_users()).await.map(Some),
                Mode::Draft => Ok(None),
            }
        };
        let (quota, users) = try_join!(self.limits.get(LimitKey::upload_quota(alias, mode)), users)?;
        Ok(AccountLimits { mode, quota, users })
    }

    /// Checks that a post of the account may begin its upload now, given the posts ahead of it in its queue. The post's own
    /// reservation, from an init without an answer, does not count.
    ///
    /// # Errors
    /// The account's own limits or the app's have no room; the wait says which, and until when.
    pub(crate) fn check_room(
        &self,
        (alias, post): (&Alias, &PostId),
        limits: &AccountLimits,
        ahead: QueuePosition,
    ) -> Result<(), Wait> {
        let (now, quota) = (self.instruments.now(), &limits.quota.value);
        quota.clone().without(post).check(self.quota_limits(limits.mode), ahead, now)?;
        let admit = |users: &StoredCounter<PostingUsers>| {
            users.value.admit(alias, has_posted(quota, now), self.config.posting_users, now).map(|_| ())
        };
        limits.users.as_ref().map_or(Ok(()), admit)
    }

    /// Counts a call before it is made.
    ///
    /// # Errors
    /// The account's calls of this minute are used up, or the counter could not be written.
    pub(crate) async fn count_call(&self, kind: CallKind, alias: &Alias) -> Result<(), Exit> {
        let mut retry_at = None;
        let count = |window: &SlidingWindow| {
            let recorded = window.clone().try_record(kind.per_minute(), self.instruments.now());
            retry_at = recorded.as_ref().err().map(|(_, until)| *until);
            Ok(Some(recorded.unwrap_or_else(|(reserved, _)| reserved)))
        };
        self.change(None, LimitKey::calls(alias, kind), count).await?;
        let Some(until) = retry_at else { return Ok(()) };
        let message = format!("the account's {} {} calls a minute are used up", kind.per_minute(), kind.as_str());
        Err(Exit::rate_limited(Wait { reason: Reason::CallsPerMinute, message, until }))
    }

    /// Reserves the upload of a post before TikTok is asked for it: in the account's quota and, for a direct post,
    /// among the app's posting users. If `limits` were just read, they are not read again before the first write.
    pub(crate) async fn reserve(&self, post: &Post, mode: Mode, limits: Option<AccountLimits>) -> Result<(), Exit> {
        let alias = &post.account;
        let (quota, users) = limits.map_or((None, None), |limits| (Some(limits.quota), limits.users));
        let mut posted = Posted::NotToday;
        let reserve = |quota: &UploadQuota| {
            let now = self.instruments.now();
            let others = quota.clone().without(&post.id);
            others.check(self.quota_limits(mode), QueuePosition::default(), now).map_err(Exit::rate_limited)?;
            posted = has_posted(quota, now);
            Ok(Some(quota.clone().reserve(post.id.clone(), now)))
        };
        self.change(quota, LimitKey::upload_quota(alias, mode), reserve).await?;
        if mode == Mode::Draft {
            return Ok(());
        }
        let admitted = self.change(users, LimitKey::posting_users(), |users: &PostingUsers| {
            let now = self.instruments.now();
            match users.admit(alias, posted, self.config.posting_users, now).map_err(Exit::rate_limited)? {
                Admitted::Unchanged => Ok(None),
                Admitted::Changed(written) => Ok(Some(written)),
            }
        });
        if let Err(exit) = admitted.await {
            self.release(alias, mode, &post.id).await;
            return Err(exit);
        }
        Ok(())
    }

    /// Releases a post's reservation, so that another post can use it. If that fails, the reservation counts for a day.
    pub(crate) async fn release(&self, alias: &Alias, mode: Mode, post: &PostId) {
        self.release_quota(alias, mode, post).await;
    }

    /// Releases what was reserved for an init that created nothing: the post's reservation, and the account's place among
    /// the app's posting users, unless another post of the account has used it.
    pub(crate) async fn release_unused(&self, alias: &Alias, mode: Mode, post: &PostId) {
        let posted = self.release_quota(alias, mode, post).await;
        if mode == Mode::Draft || posted == Posted::Today || self.config.posting_users.is_none() {
            return;
        }
        let remove = |users: &PostingUsers| Ok(users.clone().remove(alias));
        if let Err(exit) = self.change(None, LimitKey::posting_users(), remove).await {
            tracing::warn!(account = %alias, why = ?exit, "unused place among the posting users not released: it is lost for a day");
        }
    }

    /// Releases a post's reservation; returns whether the account has posted within a day, as far as its other
    /// reservations show.
    async fn release_quota(&self, alias: &Alias, mode: Mode, post: &PostId) -> Posted {
        let mut posted = Posted::Today;
        let release = |quota: &UploadQuota| {
            posted = has_posted(&quota.clone().without(post), self.instruments.now());
            Ok(quota.clone().release(post))
        };
        if let Err(exit) = self.change(None, LimitKey::upload_quota(alias, mode), release).await {
            tracing::warn!(post.id = %post, why = ?exit, "unused upload reservation not released: it is lost for a day");
        }
        posted
    }

    /// Blocks the account's uploads if an upload could not begin: TikTok rejected it for a limit, or a call that it
    /// needs has no room this minute. The post keeps its place in the queue, and no post behind it is woken meanwhile.
    /// Returns the exit for the post.
    pub(crate) async fn apply_limit(&self, alias: &Alias, mode: Mode, exit: Exit) -> Exit {
        match exit {
            Exit::Defer { reason, message, after } if reason.is_platform_limit() => {
                let until = self.instruments.now() + after.max(MIN_BLOCK);
                let cooldown = Cooldown { until, reason: reason.clone(), message: message.clone() };
                self.block_uploads(alias, mode, cooldown).await;
                Exit::rate_limited(Wait { reason, message, until })
            }
            Exit::RateLimited(limited) if limited.wait.reason == Reason::CallsPerMinute => {
                let Wait { reason, message, until } = limited.wait.clone();
                self.block_uploads(alias, mode, Cooldown { until, reason, message }).await;
                Exit::RateLimited(limited)
            }
            other => other,
        }
    }

    /// Blocks an account's uploads. If TikTok reported the app's cap of posting users, blocks new posting users too.
    pub(crate) async fn block_uploads(&self, alias: &Alias, mode: Mode, cooldown: Cooldown) {
        let (reason, until) = (&cooldown.reason, cooldown.until);
        if reason.code() == ACTIVE_USER_CAP {
            tracing::error!(
                account = %alias, until = %until,
                "the app's daily number of posting users is used up: ask TikTok for a higher quota"
            );
            let block = |users: &PostingUsers| Ok(Some(users.clone().block_until(until)));
            log_unblocked(alias, self.change(None, LimitKey::posting_users(), block).await);
        } else {
            tracing::warn!(account = %alias, code = %reason, until = %until, "TikTok's limit reached: uploads blocked");
        }
        let block = |quota: &UploadQuota| Ok(Some(quota.clone().pause(cooldown.clone())));
        log_unblocked(alias, self.change(None, LimitKey::upload_quota(alias, mode), block).await);
    }

    /// Blocks an account's calls of a kind, because TikTok rejected one for its rate limit: for a minute, or for `wait`
    /// if TikTok asks for more.
    pub(crate) async fn block_calls(&self, kind: CallKind, alias: &Alias, wait: Duration) {
        tracing::warn!(account = %alias, call = kind.as_str(), wait_s = wait.as_secs(), "TikTok's rate limit reached: calls blocked");
        let block = |window: &SlidingWindow| Ok(Some(window.clone().block(self.instruments.now(), wait)));
        log_unblocked(alias, self.change(None, LimitKey::calls(alias, kind), block).await);
    }

    fn quota_limits(&self, mode: Mode) -> QuotaLimits {
        QuotaLimits::of(mode, self.config.posts_per_day)
    }

    /// Changes a counter. If it was just read, it is not read again before the first write. `change` returns `None` if
    /// nothing needs to be written.
    async fn change<C: Counter>(
        &self,
        read: Option<StoredCounter<C>>,
        key: LimitKey,
        mut change: impl FnMut(&C) -> Result<Option<C>, Exit>,
    ) -> Result<(), Exit> {
        let changed = update(
            read,
            || async { Ok(self.limits.get(key.clone()).await?) },
            |counter: StoredCounter<C>| {
                let next = change(&counter.value)?;
                Ok::<_, Exit>(next.map_or(Change::Stop(()), |next| Change::Save((counter, next))))
            },
            |(counter, next): (StoredCounter<C>, C)| async move {
                self.limits.save(counter, &next, self.instruments.now()).await
            },
        );
        changed.await?.ok_or_else(|| {
            let message = "many workers change the account's limits at the same time".to_owned();
            let until = self.instruments.now() + CONTENDED_WAIT;
            Exit::rate_limited(Wait { reason: Reason::RateLimitContended, message, until })
        })
    }
}

/// Whether an account has posted directly within a day.
fn has_posted(quota: &UploadQuota, now: Timestamp) -> Posted {
    if quota.has_posted(now) { Posted::Today } else { Posted::NotToday }
}

/// Logs a block that could not be stored. Other workers then learn of the limit when TikTok rejects their calls.
fn log_unblocked(alias: &Alias, blocked: Result<(), Exit>) {
    let Err(exit) = blocked else { return };
    let why = match &exit {
        Exit::Store(error) => error_chain(error),
        other => format!("{other:?}"),
    };
    tracing::warn!(account = %alias, why, "could not store the rate limit");
}
