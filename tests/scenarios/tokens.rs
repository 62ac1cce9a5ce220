//! Tokens: they expire on the way, and sometimes for good.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::account::Connection;
use domain::post::{Post, StateName};
use simulator::{Effect, Endpoint, Fault, TokenKind, Trouble};
use tests::{Cloud, Creator, Footage, PATIENCE};

use crate::harness::stories;
use crate::refusals::deferral_of;

stories![among:
    a_token_that_expires_at_the_init_is_refreshed_once_and_the_post_published_once,
    a_token_that_expires_while_tiktok_works_is_refreshed_and_the_same_publish_asked_about,
    many_posts_at_once_share_one_refresh,
    posts_that_one_run_asks_about_share_one_refresh,
    a_consent_that_is_gone_parts_the_account_and_its_posts_wait_for_it,
];

fn expires_at(endpoint: Endpoint) -> Fault {
    Fault::new(endpoint, Trouble::ExpireAccessToken)
}

async fn a_token_that_expires_at_the_init_is_refreshed_once_and_the_post_published_once(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let before = maker.account().await?.tokens;
    maker.suffers(expires_at(Endpoint::DirectInit)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "the refused init made nothing, and was repeated once");
    assert_eq!(refreshes(&cloud, &maker).await?, 1);
    let after = maker.account().await?;
    assert_ne!((&after.tokens.access, &after.tokens.refresh), (&before.access, &before.refresh), "both were rotated");
    assert_eq!((after.connection, after.refreshing), (Connection::Connected, None));
    Ok(())
}

/// Counts the refreshes that were made for a creator.
async fn refreshes(cloud: &Cloud, maker: &Creator) -> Result<usize> {
    let calls = cloud.tiktok.events(0).await?;
    let of_maker =
        |call: &&simulator::Event| call.endpoint == Endpoint::Token && call.user.as_ref() == Some(&maker.user.open_id);
    Ok(calls.iter().filter(of_maker).count())
}

async fn a_token_that_expires_while_tiktok_works_is_refreshed_and_the_same_publish_asked_about(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.suffers(expires_at(Endpoint::StatusFetch)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "a lost token is no reason for another init");
    Ok(())
}

async fn many_posts_at_once_share_one_refresh(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    let mut drops = Vec::new();
    for number in 0..4 {
        drops.push(maker.drops(&format!("{number}.mp4"), &Footage::fresh()?).await?);
    }
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    maker.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())?;
    assert_eq!(refreshes(&cloud, &maker).await?, 1, "two refreshes at once can lose an account");
    Ok(())
}

async fn posts_that_one_run_asks_about_share_one_refresh(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let trouble = Trouble::Status {
        http_status: 500,
        code: "internal_error".into(),
        message: String::new(),
        effect: Effect::Skipped,
    };
    let outage = Fault::new(Endpoint::StatusFetch, trouble).until_cleared().for_user(maker.user.open_id.clone());
    let outage = cloud.tiktok.inject(&outage).await?;
    let mut drops = Vec::new();
    for number in 0..4 {
        drops.push(maker.drops(&format!("{number}.mp4"), &Footage::fresh()?).await?);
    }
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Processing).await?;
    }
    // From now on all four are due together, and meet the dead token in the same run of `status`.
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    cloud.tiktok.clear_fault(outage).await?;
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    assert_eq!(refreshes(&cloud, &maker).await?, 1);
    assert_eq!(maker.account().await?.connection, Connection::Connected);
    maker.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())
}

async fn a_consent_that_is_gone_parts_the_account_and_its_posts_wait_for_it(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    cloud.tiktok.disconnect(&maker.user.open_id, 1).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let (code, _) = deferral_of(&cloud, &dropped).await?;
    assert_eq!(code, "needs_reconnect", "the post waits, and has not failed");
    let account = maker.account().await?;
    assert!(matches!(account.connection, Connection::NeedsReconnect { .. }), "{:?}", account.connection);
    // The next drop does not even ask TikTok.
    let calls = maker.book().await?.calls.len();
    let next = maker.drops("next.mp4", &Footage::fresh()?).await?;
    let waits = |post: &Post| post.state_name() == StateName::Queued && post.attempt == 1;
    cloud.await_post(&next.post, "waiting too", PATIENCE, waits).await?;
    cloud.stays(&next.post, StateName::Queued, Duration::from_secs(3)).await?;
    let book = maker.book().await?;
    assert_eq!((book.calls.len(), book.publishes.len()), (calls, 0));
    Ok(())
}
