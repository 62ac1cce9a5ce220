//! Calls that TikTok refuses before an upload begins. A limit defers the post and never fails it. A refusal that a
//! person must resolve fails the post.

use std::sync::Arc;

use anyhow::Result;
use domain::options::Mode;
use harness::{Cloud, Creator, Dropped};
use simulator::{AccountStanding, Ending, Endpoint, Fault, FaultKind, WrongShape};

use super::{drop_with, refusal};
use crate::runner::{for_each, scenarios};

scenarios![concurrent:
    rate_limit_at_init_defers_post_by_a_minute,
    init_without_readable_response_is_repeated_and_published_once,
    cap_defers_post_by_hours_and_never_fails_it,
    refusal_that_needs_a_person_fails_the_post,
    server_error_before_init_is_retried,
];

async fn rate_limit_at_init_defers_post_by_a_minute(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped) = drop_with(&cloud, refusal(Endpoint::DirectInit, 429, "rate_limit_exceeded")).await?;
    let (code, wait) = cloud.await_deferral(&dropped).await?;
    assert_eq!(code, "rate_limit_exceeded");
    assert!((60..75).contains(&wait.as_secs()), "the window is a minute, but the post waits {wait:?}");
    creator.await_published_once(&dropped).await.map(drop)
}

async fn init_without_readable_response_is_repeated_and_published_once(cloud: Arc<Cloud>) -> Result<()> {
    // In each case TikTok handles the init, but Dropcast does not learn the publish id. A second init is safe: the
    // unknown publish gets no bytes, so TikTok never publishes it.
    let kinds = [
        FaultKind::LoseAnswer { ending: Ending::Reset },
        FaultKind::LoseAnswer { ending: Ending::Close },
        FaultKind::TruncatedJson,
        FaultKind::ShortBody,
        FaultKind::WrongEnvelope { shape: WrongShape::Html },
        FaultKind::WrongEnvelope { shape: WrongShape::NoData },
    ];
    for_each(kinds, async |kind| {
        let (creator, dropped) = drop_with(&cloud, Fault::new(Endpoint::DirectInit, kind.clone())).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publishes.len(), 2, "{kind:?}: the unknown publish and a new one");
        Ok(())
    })
    .await
}

/// Checks that a drop is deferred with this code for this many hours, without an upload.
async fn ensure_deferred(creator: &Creator, dropped: &Dropped, code: &str, hours: u64) -> Result<()> {
    let (deferred, wait) = creator.cloud.await_deferral(dropped).await?;
    assert_eq!(deferred, code);
    // The wait counts from TikTok's response, shortly before the deferral is stored.
    let seconds = hours * 3600;
    assert!((seconds - 5..seconds + 60).contains(&wait.as_secs()), "{code}: the post waits {wait:?}");
    let ledger = creator.ledger().await?;
    assert_eq!(ledger.publishes, [], "{code}");
    ledger.ensure_no_violation()
}

async fn cap_defers_post_by_hours_and_never_fails_it(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        // The hours are `DAILY_QUOTA_WAIT` and `INBOX_WAIT` in tiktok/src/error_codes.rs.
        (Endpoint::DirectInit, 403, "spam_risk_too_many_posts", 6),
        (Endpoint::CreatorInfo, 200, "spam_risk_too_many_posts", 6),
        (Endpoint::InboxInit, 403, "spam_risk_too_many_pending_share", 1),
    ];
    for_each(table, async |(endpoint, http, code, hours)| {
        let mode = if endpoint == Endpoint::InboxInit { Mode::Draft } else { Mode::Direct };
        let creator = Creator::create_with(&cloud, |setup| setup.defaults.mode = Some(mode)).await?;
        creator.inject(refusal(endpoint, http, code)).await?;
        let dropped = creator.drop_small("clip.mp4").await?;
        ensure_deferred(&creator, &dropped, code, hours).await
    })
    .await?;
    // Without a fault: a creator who has reached the daily cap, which TikTok reports under HTTP 200.
    let capped = Creator::create_with(&cloud, |setup| setup.user.standing = AccountStanding::TooManyPosts).await?;
    let dropped = capped.drop_small("clip.mp4").await?;
    ensure_deferred(&capped, &dropped, "spam_risk_too_many_posts", 6).await
}

async fn refusal_that_needs_a_person_fails_the_post(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        (400, "invalid_params"),
        (401, "scope_not_authorized"),
        (403, "spam_risk_user_banned_from_posting"),
        (403, "unaudited_client_can_only_post_to_private_accounts"),
        (403, "privacy_level_option_mismatch"),
        (403, "an_undocumented_code"),
    ];
    for_each(table, async |(http, code)| {
        let (creator, dropped) = drop_with(&cloud, refusal(Endpoint::DirectInit, http, code)).await?;
        let failure = cloud.await_failure(&dropped).await?;
        assert_eq!(failure.reason.code(), code, "{failure}");
        assert!(failure.message.contains("refused on purpose"), "TikTok's message is kept: {failure}");
        assert!(failure.log_id.is_some(), "TikTok's support needs the log id: {failure:?}");
        assert!(!failure.advice.is_empty(), "{failure:?}");
        let ledger = creator.ledger().await?;
        assert_eq!(ledger.publishes, [], "{code}");
        assert_eq!(ledger.calls_of(Endpoint::DirectInit), 1, "{code}: there is no retry");
        Ok(())
    })
    .await
}

async fn server_error_before_init_is_retried(creator: Creator) -> Result<()> {
    creator.inject(refusal(Endpoint::CreatorInfo, 500, "internal_error")).await?;
    creator.inject(refusal(Endpoint::DirectInit, 503, "")).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1);
    Ok(())
}
