//! Calls to TikTok with an account's token, counted against TikTok's limits.
//!
//! The token is opened before the call is counted, so that no refresh delays a call that was counted already. If TikTok
//! refuses the token, the call is counted again and repeated once with a refreshed token.

use domain::account::TokenUse;
use domain::chunk::ChunkPlan;
use domain::creator::Creator;
use domain::identity::{Alias, PublishId, VideoId};
use domain::post::Post;
use domain::rate_limit::CallKind;
use domain::report::{Links, StatusReport};
use domain::settings::Settings;
use tiktok::{AccessToken, Ticket, TikTok};

use crate::exit::{Exit, is_rate_limit};
use crate::invocation::Worker;
use crate::rate_limit::{AccountLimits, RateLimiter};
use crate::tokens::{Bearer, Tokens};

from_dependencies! {
    pub(crate) struct LimitedCalls { tiktok: TikTok, tokens: Tokens, limiter: RateLimiter, }
}

impl LimitedCalls {
    /// Asks TikTok for the status of a publish.
    pub(crate) async fn report(&self, id: &PublishId, alias: &Alias, worker: &Worker) -> Result<StatusReport, Exit> {
        let mut bearer = self.tokens.bearer((alias, None), TokenUse::Call, worker).await?;
        let fetch = |token| async move { self.tiktok.fetch_status(&token, id).await };
        self.limited(CallKind::StatusFetch, &mut bearer, fetch).await
    }

    /// Asks TikTok what the account's creator may post now.
    pub(crate) async fn creator(&self, bearer: &mut Bearer<'_>) -> Result<Creator, Exit> {
        let ask = |token| async move { self.tiktok.creator(&token).await };
        self.limited(CallKind::CreatorInfo, bearer, ask).await
    }

    /// Asks for the links of a published video. This call is not counted.
    pub(crate) async fn links(&self, id: &VideoId, alias: &Alias, worker: &Worker) -> Result<Links, Exit> {
        let mut bearer = self.tokens.bearer((alias, None), TokenUse::Call, worker).await?;
        self.tokens.call(&mut bearer, |token| async move { Ok(self.tiktok.links(&token, id).await) }).await
    }

    /// Begins a post's upload, after a reservation in the account's quota. `limits` were just read, so the first
    /// reservation need not read them again.
    pub(crate) async fn begin_upload(
        &self,
        (post, settings, plan): (&Post, &Settings, &ChunkPlan),
        limits: AccountLimits,
        bearer: &mut Bearer<'_>,
    ) -> Result<Ticket, Exit> {
        let (mode, mut limits) = (limits.mode, Some(limits));
        let begin = |token| {
            let limits = limits.take();
            async move {
                self.limiter.reserve(post, mode, limits).await?;
                let answer = self.tiktok.init_publish(&token, settings, plan).await;
                // After a lost answer, TikTok may have begun the upload and counted it, so the reservation stays. The
                // post's next init replaces it (`UploadQuota::reserve`).
                if answer.as_ref().is_err_and(tiktok::Error::created_nothing) {
                    self.limiter.release_unused(&post.account, mode, &post.id).await;
                }
                Ok(answer)
            }
        };
        self.tokens.call(bearer, begin).await
    }

    /// Makes a call that TikTok limits per account and minute.
    async fn limited<T, Answer: Future<Output = Result<T, tiktok::Error>>>(
        &self,
        kind: CallKind,
        bearer: &mut Bearer<'_>,
        call: impl Fn(AccessToken) -> Answer,
    ) -> Result<T, Exit> {
        let (alias, call) = (bearer.alias, &call);
        let limited = |token| async move {
            self.limiter.count_call(kind, alias).await?;
            let answer = call(token).await;
            if let Err(error) = &answer
                && is_rate_limit(error)
            {
                self.limiter.block_calls(kind, alias, error.retry_after.unwrap_or_default()).await;
            }
            Ok(answer)
        };
        self.tokens.call(bearer, limited).await
    }
}
