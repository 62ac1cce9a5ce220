//! TikTok refuses to begin: limits defer a post and never fail it; what a person
//! must mend fails it, and says so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::options::Mode;
use domain::post::{Post, PostState, StateName};
use simulator::{AccountStanding, Effect, Ending, Endpoint, Fault, FaultKind, WrongShape};
use tests::{Cloud, Creator, Dropped, Footage, PATIENCE, Patience};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    a_rate_limit_at_the_init_defers_the_post_by_a_minute_and_it_is_published_then,
    an_init_without_a_readable_answer_is_begun_again_and_published_once,
    a_cap_defers_the_post_by_hours_and_never_fails_it,
    what_a_person_must_mend_fails_the_post_with_tiktoks_own_code,
    a_server_error_before_the_init_is_tried_again,
];

/// TikTok refuses a call and does nothing.
pub(crate) fn refusal(endpoint: Endpoint, http_status: u16, code: &str) -> Fault {
    let (code, message) = (code.to_owned(), "refused on purpose".to_owned());
    Fault::new(endpoint, FaultKind::Status { http_status, code, message, effect: Effect::Skipped })
}

/// Waits until the post is put back to wait, and says for what and how long.
pub(crate) async fn deferral_of(cloud: &Cloud, dropped: &Dropped) -> Result<(String, Duration)> {
    let waits = |post: &Post| matches!(&post.state, PostState::Queued { deferral: Some(_), .. });
    let post = cloud.await_post(&dropped.post, "deferred", PATIENCE, waits).await?;
    match &post.state {
        PostState::Queued { not_before, deferral: Some(deferral), .. } => {
            let since = post.history.last().context("a post has a history")?.at;
            Ok((deferral.reason.code().to_owned(), Duration::try_from(not_before.duration_since(since))?))
        }
        other => anyhow::bail!("it was deferred, and is {other:?}"),
    }
}

async fn a_rate_limit_at_the_init_defers_the_post_by_a_minute_and_it_is_published_then(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(refusal(Endpoint::DirectInit, 429, "rate_limit_exceeded")).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let (code, wait) = deferral_of(&cloud, &dropped).await?;
    assert_eq!(code, "rate_limit_exceeded");
    assert!((60..75).contains(&wait.as_secs()), "the window is a minute, and it waits {wait:?}");
    let published = |post: &Post| post.state_name() == StateName::Published;
    cloud.await_post(&dropped.post, "published", Patience::seconds(150), published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn an_init_without_a_readable_answer_is_begun_again_and_published_once(cloud: Arc<Cloud>) -> Result<()> {
    // In each of these TikTok has taken the init, and nobody learns its publish id.
    let troubles = [
        FaultKind::LoseAnswer { ending: Ending::Reset },
        FaultKind::LoseAnswer { ending: Ending::Close },
        FaultKind::TruncatedJson,
        FaultKind::ShortBody,
        FaultKind::WrongEnvelope { shape: WrongShape::Html },
        FaultKind::WrongEnvelope { shape: WrongShape::NoData },
    ];
    let mut drops = Vec::new();
    for trouble in troubles {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(Fault::new(Endpoint::DirectInit, trouble.clone())).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, trouble));
    }
    for (dropped, maker, trouble) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await.with_context(|| format!("{trouble:?}"))?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes.len(), 2, "{trouble:?}: one init that nobody heard of, and one more");
    }
    Ok(())
}

async fn a_cap_defers_the_post_by_hours_and_never_fails_it(cloud: Arc<Cloud>) -> Result<()> {
    let hour = 3600;
    let table = [
        (Endpoint::DirectInit, 403, "spam_risk_too_many_posts", 6 * hour),
        (Endpoint::CreatorInfo, 200, "spam_risk_too_many_posts", 6 * hour),
        (Endpoint::InboxInit, 403, "spam_risk_too_many_pending_share", hour),
    ];
    let mut drops = Vec::new();
    for (endpoint, http, code, least) in table {
        let maker = Creator::cast(&cloud, |casting| {
            let mode = if endpoint == Endpoint::InboxInit { Mode::Draft } else { Mode::Direct };
            casting.defaults.mode = Some(mode);
        })
        .await?;
        maker.inject(refusal(endpoint, http, code)).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, code, least));
    }
    // And without a fault: a creator whose day is used up, who is told so under HTTP 200.
    let maker = Creator::cast(&cloud, |casting| casting.user.standing = AccountStanding::TooManyPosts).await?;
    drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, "spam_risk_too_many_posts", 6 * hour));
    for (dropped, maker, code, least) in drops {
        let (deferred_for, wait) = deferral_of(&cloud, &dropped).await?;
        assert_eq!(deferred_for, code);
        // The wait counts from TikTok's answer, which came a moment before it was stored.
        assert!((least - 5..least + 60).contains(&wait.as_secs()), "{code}: it waits {wait:?}");
        let book = maker.book().await?;
        assert_eq!(book.publishes, [], "{code}");
        book.ensure_no_rule_broken()?;
    }
    Ok(())
}

async fn what_a_person_must_mend_fails_the_post_with_tiktoks_own_code(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        (400, "invalid_params"),
        (401, "scope_not_authorized"),
        (403, "spam_risk_user_banned_from_posting"),
        (403, "unaudited_client_can_only_post_to_private_accounts"),
        (403, "privacy_level_option_mismatch"),
        (403, "a_code_that_nobody_has_seen"),
    ];
    let mut drops = Vec::new();
    for (http, code) in table {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(refusal(Endpoint::DirectInit, http, code)).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, code));
    }
    for (dropped, maker, code) in drops {
        let failure = failure_of(&cloud, &dropped).await?;
        assert_eq!(failure.reason.code(), code, "{failure}");
        assert!(failure.message.contains("refused on purpose"), "TikTok's own words are kept: {failure}");
        assert!(failure.log_id.is_some(), "TikTok's support asks for its log id: {failure:?}");
        assert!(!failure.advice.is_empty(), "{failure:?}");
        let book = maker.book().await?;
        assert_eq!(book.publishes, [], "{code}");
        assert_eq!(book.calls_of(Endpoint::DirectInit), 1, "{code}: it is not tried again");
    }
    Ok(())
}

async fn a_server_error_before_the_init_is_tried_again(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(refusal(Endpoint::CreatorInfo, 500, "internal_error")).await?;
    maker.inject(refusal(Endpoint::DirectInit, 503, "")).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1);
    Ok(())
}
