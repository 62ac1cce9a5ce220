//! Outcomes that TikTok reports after it has received every byte: failures and cancellations. Also polls that fail.

mod refusals;

use std::sync::Arc;

use anyhow::Result;
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped};
use simulator::{Effect, Endpoint, FailReason, Fault, FaultKind, WrongShape};

use crate::runner::{for_each, scenarios};

scenarios![concurrent:
    internal_error_of_tiktok_is_retried_and_published_once,
    daily_cap_defers_post_by_a_day,
    failed_publish_fails_the_post_with_its_reason,
    cancelled_publish_cancels_the_post,
    failed_poll_is_repeated;
    refusals
];

/// A fault: TikTok refuses a call, and the call has no effect.
pub(crate) fn refusal(endpoint: Endpoint, http_status: u16, code: &str) -> Fault {
    let (code, message) = (code.to_owned(), "refused on purpose".to_owned());
    Fault::new(endpoint, FaultKind::Status { http_status, code, message, effect: Effect::Skipped })
}

/// Drops a video of a new creator, with this fault.
async fn drop_with(cloud: &Arc<Cloud>, fault: Fault) -> Result<(Creator, Dropped)> {
    let creator = Creator::create(cloud).await?;
    creator.inject(fault).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    Ok((creator, dropped))
}

/// Drops a video whose publish TikTok fails for this reason.
async fn drop_failing(cloud: &Arc<Cloud>, reason: FailReason) -> Result<(Creator, Dropped)> {
    drop_with(cloud, Fault::new(Endpoint::Upload, FaultKind::FailPost { reason })).await
}

async fn internal_error_of_tiktok_is_retried_and_published_once(cloud: Arc<Cloud>) -> Result<()> {
    for_each([FailReason::Internal, FailReason::VideoPullFailed], async |reason| {
        let (creator, dropped) = drop_failing(&cloud, reason).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publishes.len(), 2, "the failed publish and a new one");
        Ok(())
    })
    .await
}

async fn daily_cap_defers_post_by_a_day(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped) = drop_failing(&cloud, FailReason::SpamRiskTooManyPosts).await?;
    let (code, wait) = cloud.await_deferral(&dropped).await?;
    assert_eq!(code, "spam_risk_too_many_posts");
    // The refusal of an init under the same code defers by six hours only: see `refusals`.
    assert_eq!(wait.as_secs().div_ceil(3600), 24, "{wait:?}");
    assert_eq!(creator.ledger().await?.publications, []);
    Ok(())
}

async fn failed_publish_fails_the_post_with_its_reason(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        (FailReason::FileFormatCheckFailed, "file_format_check_failed"),
        (FailReason::DurationCheckFailed, "duration_check_failed"),
        (FailReason::FrameRateCheckFailed, "frame_rate_check_failed"),
        (FailReason::PictureSizeCheckFailed, "picture_size_check_failed"),
        (FailReason::SpamRiskUserBannedFromPosting, "spam_risk_user_banned_from_posting"),
        (FailReason::SpamRiskText, "spam_risk_text"),
        (FailReason::SpamRisk, "spam_risk"),
        (FailReason::AuthRemoved, "auth_removed"),
    ];
    for_each(table, async |(reason, code)| {
        let (creator, dropped) = drop_failing(&cloud, reason).await?;
        let failure = cloud.await_failure(&dropped).await?;
        assert_eq!(failure.reason.code(), code, "{failure}");
        assert!(!failure.message.is_empty() && !failure.advice.is_empty(), "{failure:?}");
        assert!(failure.log_id.is_some(), "{failure:?}");
        let ledger = creator.ledger().await?;
        assert_eq!((ledger.publications.len(), ledger.publishes.len()), (0, 1), "{code}: there is no retry");
        ledger.ensure_no_violation()
    })
    .await
}

async fn cancelled_publish_cancels_the_post(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped) = drop_failing(&cloud, FailReason::PublishCancelled).await?;
    let post = cloud.await_state(&dropped.post, StateName::Cancelled).await?;
    assert_eq!(post.due_at, None);
    assert_eq!(creator.ledger().await?.publishes.len(), 1);
    Ok(())
}

async fn failed_poll_is_repeated(cloud: Arc<Cloud>) -> Result<()> {
    let faults = [
        refusal(Endpoint::StatusFetch, 500, "internal_error"),
        refusal(Endpoint::StatusFetch, 429, "rate_limit_exceeded"),
        Fault::new(Endpoint::StatusFetch, FaultKind::ResetBeforeBody),
        Fault::new(Endpoint::StatusFetch, FaultKind::WrongEnvelope { shape: WrongShape::Html }),
        Fault::new(Endpoint::StatusFetch, FaultKind::WrongEnvelope { shape: WrongShape::NoData }),
    ];
    for_each(faults, async |fault| {
        let (creator, dropped) = drop_with(&cloud, fault).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publishes.len(), 1, "a repeated poll is no new init");
        Ok(())
    })
    .await
}
