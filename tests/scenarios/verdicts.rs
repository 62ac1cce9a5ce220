//! TikTok has every byte, and says what becomes of them.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::post::StateName;
use simulator::{Endpoint, FailReason, Fault, FaultKind, WrongShape};
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;
use crate::options::failure_of;
use crate::refusals::{deferral_of, refusal};

stories![among:
    an_error_of_tiktoks_own_is_tried_again_and_published_once,
    the_daily_cap_defers_the_post_by_a_day,
    a_reason_that_lies_in_the_video_or_the_creator_fails_the_post,
    a_publish_that_was_cancelled_is_cancelled,
    a_status_that_cannot_be_had_is_asked_for_again,
];

fn doom(reason: FailReason) -> Fault {
    Fault::new(Endpoint::Upload, FaultKind::FailPost { reason })
}

async fn an_error_of_tiktoks_own_is_tried_again_and_published_once(cloud: Arc<Cloud>) -> Result<()> {
    let mut drops = Vec::new();
    for reason in [FailReason::Internal, FailReason::VideoPullFailed] {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(doom(reason)).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker));
    }
    for (dropped, maker) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes.len(), 2, "the one that failed, and one more");
    }
    Ok(())
}

async fn the_daily_cap_defers_the_post_by_a_day(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(doom(FailReason::SpamRiskTooManyPosts)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let (code, wait) = deferral_of(&cloud, &dropped).await?;
    assert_eq!(code, "spam_risk_too_many_posts");
    assert_eq!(wait.as_secs().div_ceil(3600), 24, "{wait:?}");
    assert_eq!(maker.book().await?.publications, []);
    Ok(())
}

async fn a_reason_that_lies_in_the_video_or_the_creator_fails_the_post(cloud: Arc<Cloud>) -> Result<()> {
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
    let mut drops = Vec::new();
    for (reason, code) in table {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(doom(reason)).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, code));
    }
    for (dropped, maker, code) in drops {
        let failure = failure_of(&cloud, &dropped).await?;
        assert_eq!(failure.reason.code(), code, "{failure}");
        assert!(!failure.message.is_empty() && !failure.advice.is_empty(), "{failure:?}");
        assert!(failure.log_id.is_some(), "{failure:?}");
        let book = maker.book().await?;
        assert_eq!((book.publications.len(), book.publishes.len()), (0, 1), "{code}: it is not tried again");
        book.ensure_no_rule_broken()?;
    }
    Ok(())
}

async fn a_publish_that_was_cancelled_is_cancelled(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(doom(FailReason::PublishCancelled)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = cloud.await_state(&dropped.post, StateName::Cancelled).await?;
    assert_eq!(post.due_at, None);
    assert_eq!(maker.book().await?.publishes.len(), 1);
    Ok(())
}

async fn a_status_that_cannot_be_had_is_asked_for_again(cloud: Arc<Cloud>) -> Result<()> {
    let troubles = [
        refusal(Endpoint::StatusFetch, 500, "internal_error"),
        refusal(Endpoint::StatusFetch, 429, "rate_limit_exceeded"),
        Fault::new(Endpoint::StatusFetch, FaultKind::ResetBeforeBody),
        Fault::new(Endpoint::StatusFetch, FaultKind::WrongEnvelope { shape: WrongShape::Html }),
        Fault::new(Endpoint::StatusFetch, FaultKind::WrongEnvelope { shape: WrongShape::NoData }),
    ];
    let mut drops = Vec::new();
    for trouble in troubles {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(trouble.clone()).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, trouble));
    }
    for (dropped, maker, trouble) in drops {
        let published = |post: &domain::post::Post| post.state_name() == StateName::Published;
        let patience = tests::Patience::seconds(150);
        let waited = cloud.await_post(&dropped.post, "published", patience, published).await;
        waited.with_context(|| format!("{:?}", trouble.kind))?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes.len(), 1, "asking again is no new init");
    }
    Ok(())
}
