//! Limits, kept: nothing that TikTok limits is called without being written
//! down first, and what TikTok refuses all the same closes the books for all
//! workers. `domain::rate_limit` tells the rules.
//!
//! A call costs one write. Its place is taken after the account's token was had,
//! so that no refresh comes between the two. A book that was read a moment ago need
//! not be read again: the write is conditional on nobody having written since.

mod account_limits;

use std::time::Duration;

use domain::account::TokenUse;
use domain::failure::{Disposition, error_chain};
use domain::identity::{Alias, PostId};
use domain::options::Mode;
use domain::post::Post;
use domain::rate_limit::{
    Admitted, CallKind, Cooldown, Posted, PostingUsers, QueuePosition, QuotaLimits, SlidingWindow, UploadQuota, Wait,
};
use domain::reason::{ACTIVE_USER_CAP, RATE_LIMIT_EXCEEDED, Reason};
use storage::LimitKey;
use tiktok::AccessToken;

pub(crate) use account_limits::AccountLimits;

use crate::exit::Exit;
use crate::posting::{Posting, Worker};
use crate::tokens::Bearer;

/// The least rest of an account after a refusal: TikTok's minute, and some seconds.
const LEAST_REST: Duration = Duration::from_secs(65);

impl Posting {
    /// Makes a call that TikTok limits by the minute, with the account's token.
    pub(crate) async fn rate_limited<T>(
        &self,
        kind: CallKind,
        alias: &Alias,
        worker: &Worker,
        call: impl AsyncFn(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Exit> {
        let mut bearer = self.bearer(alias, TokenUse::Call, worker).await?;
        self.within_minute_of(kind, &mut bearer, call).await
    }

    /// The same with a token that was had.
    pub(crate) async fn within_minute_of<T>(
        &self,
        kind: CallKind,
        bearer: &mut Bearer<'_>,
        call: impl AsyncFn(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Exit> {
        let alias = bearer.alias();
        let budgeted = async |token| {
            if let Err(stop) = self.take_call(kind, alias).await {
                return Ok(Err(stop));
            }
            let answer = call(token).await;
            if let Err(error) = &answer
                && is_rate_limit(error)
            {
                self.close_minute(kind, alias).await;
            }
            answer.map(Ok)
        };
        self.with_bearer(bearer, budgeted).await?
    }

    /// Makes the call that begins a post's upload, where it is its turn.
    pub(crate) async fn in_turn<T>(
        &self,
        post: &Post,
        books: AccountLimits,
        bearer: &mut Bearer<'_>,
        call: impl AsyncFn(AccessToken) -> Result<T, tiktok::Error>,
    ) -> Result<T, Exit> {
        let (mode, mut books) = (books.mode, Some(books));
        let budgeted = async |token| {
            if let Err(stop) = self.write_turn(post, mode, books.take()).await {
                return Ok(Err(stop));
            }
            let answer = call(token).await;
            if let Err(error) = &answer
                && error.refusal().is_some_and(|refusal| refusal.http < 500)
            {
                // An answer that was lost, or none of TikTok's own, may have begun something: it counts.
                self.release_reservation(&post.account, mode, &post.id).await;
            }
            answer.map(Ok)
        };
        self.with_bearer(bearer, budgeted).await?
    }

    /// The limits of an account in a mode.
    pub(crate) fn limits(&self, mode: Mode) -> QuotaLimits {
        QuotaLimits::of(mode, self.posts_per_day)
    }

    async fn take_call(&self, kind: CallKind, alias: &Alias) -> Result<(), Exit> {
        let mut full = None;
        self.change(LimitKey::calls(alias, kind), |minute: &SlidingWindow| {
            Ok(Some(match minute.clone().try_record(kind.per_minute(), self.now()) {
                Ok(taken) => {
                    full = None;
                    taken
                }
                Err((booked, again)) => {
                    full = Some(again);
                    booked
                }
            }))
        })
        .await?;
        let message = || format!("the account's {} {} calls a minute are used up", kind.per_minute(), kind.as_str());
        full.map_or(Ok(()), |until| {
            Err(Exit::rate_limited(Wait { reason: Reason::CallsPerMinute, message: message(), until }))
        })
    }

    async fn write_turn(&self, post: &Post, mode: Mode, books: Option<AccountLimits>) -> Result<(), Exit> {
        let alias = &post.account;
        let (turns, users) = books.map_or((None, None), |books| (Some(books.turns), books.users));
        let mut posted = Posted::NotToday;
        self.change_read(turns, LimitKey::upload_quota(alias, mode), |turns: &UploadQuota| {
            turns.check(self.limits(mode), QueuePosition::default(), self.now()).map_err(Exit::rate_limited)?;
            posted = has_posted(turns, self.now());
            Ok(Some(turns.clone().reserve(post.id.clone(), self.now())))
        })
        .await?;
        if mode == Mode::Draft {
            return Ok(());
        }
        let admitted = self.change_read(users, LimitKey::posting_users(), |users: &PostingUsers| {
            match users.admit(alias, posted, self.posting_users, self.now()).map_err(Exit::rate_limited)? {
                Admitted::Unchanged => Ok(None),
                Admitted::Changed(written) => Ok(Some(written)),
            }
        });
        if let Err(stop) = admitted.await {
            self.release_reservation(alias, mode, &post.id).await;
            return Err(stop);
        }
        Ok(())
    }

    /// Gives a post's turn back, so that another may have it. Where that fails,
    /// the turn is lost for its day, and no more than that.
    pub(crate) async fn release_reservation(&self, alias: &Alias, mode: Mode, post: &PostId) {
        let given =
            self.change(LimitKey::upload_quota(alias, mode), |turns: &UploadQuota| Ok(turns.clone().release(post)));
        if let Err(stop) = given.await {
            tracing::warn!(post.id = %post, why = ?stop, "a turn that was not used could not be given back");
        }
    }

    /// Where work rests because TikTok's word contradicts the books, or because
    /// there is no call left for what a turn needs, closes the account's turns for
    /// as long; the post then waits at its place, and nobody is called up in its stead.
    pub(crate) async fn apply_limit(&self, alias: &Alias, mode: Mode, stop: Exit) -> Exit {
        match stop {
            Exit::Defer { reason, message, after } if reason.is_platform_limit() => {
                let until = self.now() + after.max(LEAST_REST);
                self.close(alias, mode, Cooldown { until, reason: reason.clone(), message: message.clone() }).await;
                Exit::rate_limited(Wait { reason, message, until })
            }
            Exit::RateLimited(limited) if limited.wait.reason == Reason::CallsPerMinute => {
                let Wait { reason, message, until } = limited.wait.clone();
                self.close(alias, mode, Cooldown { until, reason, message }).await;
                Exit::RateLimited(limited)
            }
            other => other,
        }
    }

    /// Closes an account's turns, and the app's users where TikTok has enough of them.
    pub(crate) async fn close(&self, alias: &Alias, mode: Mode, closed: Cooldown) {
        let (code, until) = (closed.reason.code(), closed.until);
        if code == ACTIVE_USER_CAP {
            tracing::error!(
                account = %alias, until = %until,
                "the app's daily number of posting users is used up: ask TikTok for a higher quota"
            );
            let users = self
                .change(LimitKey::posting_users(), |users: &PostingUsers| Ok(Some(users.clone().block_until(until))));
            not_closed(alias, users.await);
        } else {
            tracing::warn!(account = %alias, code, until = %until, "a limit is met: the account's uploads rest");
        }
        let turns = self.change(LimitKey::upload_quota(alias, mode), |turns: &UploadQuota| {
            Ok(Some(turns.clone().pause(closed.clone())))
        });
        not_closed(alias, turns.await);
    }

    async fn close_minute(&self, kind: CallKind, alias: &Alias) {
        tracing::warn!(account = %alias, call = kind.as_str(), "TikTok's rate limit is met: the account's calls rest a minute");
        let key = LimitKey::calls(alias, kind);
        not_closed(alias, self.change(key, |minute: &SlidingWindow| Ok(Some(minute.clone().block(self.now())))).await);
    }
}

fn has_posted(turns: &UploadQuota, now: jiff::Timestamp) -> Posted {
    if turns.has_posted(now) { Posted::Today } else { Posted::NotToday }
}

/// Tells whether TikTok, or a gateway before it, had too many calls: by TikTok's
/// code, or by a status of 429 under any other, or with no answer of TikTok's at all.
pub(crate) fn is_rate_limit(error: &tiktok::Error) -> bool {
    let reason = error.failure().reason;
    let cap = reason.is_platform_limit() && reason.code() != RATE_LIMIT_EXCEEDED;
    matches!(error.disposition(), Disposition::Defer { .. }) && !cap
}

fn not_closed(alias: &Alias, done: Result<(), Exit>) {
    if let Err(stop) = done {
        let why = match &stop {
            Exit::Store(error) => error_chain(error),
            other => format!("{other:?}"),
        };
        tracing::warn!(account = %alias, why, "others will have to hear of TikTok's limit from TikTok");
    }
}
