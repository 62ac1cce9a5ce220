//! Remaining lifetimes of tokens: too short for an upload, almost over on an idle account, or long enough.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::{Account, Connection, TokenPair, TokenUse};
use harness::{Cloud, Creator, WORK_TIME, worker};
use posting::Tokens;
use simulator::Endpoint;

use super::{EXPIRING, ensure_refreshes};
use crate::outcomes::refusal;
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    token_too_short_for_upload_is_refreshed_before_init,
    idle_account_is_refreshed_before_refresh_token_expires,
    failed_idle_refresh_is_postponed,
    no_refresh_begins_too_close_to_deadline,
];

const DAY: Duration = Duration::from_hours(24);

async fn token_too_short_for_upload_is_refreshed_before_init(creator: Creator) -> Result<()> {
    creator.age_tokens(Duration::from_mins(70)).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    // The remaining fifty minutes are enough for a call (15 minutes), but not for an upload (an hour).
    ensure_refreshes(&creator, 1).await?;
    let at = |endpoint| ledger.calls.iter().position(|call| call.endpoint == endpoint);
    assert!(at(Endpoint::Token) < at(Endpoint::DirectInit), "{:#?}", ledger.calls);
    assert!(at(Endpoint::CreatorInfo) < at(Endpoint::Token), "creator info was read with the old token");
    Ok(())
}

/// Polls three times, at intervals that are just longer than the harness's minimum of 1.5 seconds.
async fn poll_again(cloud: &Cloud) -> Result<()> {
    for _ in 0..3 {
        cloud.poll().await?;
        tokio::time::sleep(Duration::from_millis(1600)).await;
    }
    Ok(())
}

async fn idle_account_is_refreshed_before_refresh_token_expires(cloud: Arc<Cloud>) -> Result<()> {
    let (recent, idle) = (Creator::create(&cloud).await?, Creator::create(&cloud).await?);
    recent.age_tokens(DAY * 160).await?;
    idle.age_tokens(DAY * 170).await?;
    let before = idle.account().await?.tokens;
    let is_renewed = |account: &Account| account.tokens != before && account.refreshing.is_none();
    let after = cloud.await_account(&idle, "renewed", is_renewed).await?;
    assert_ne!((&after.tokens.access, &after.tokens.refresh), (&before.access, &before.refresh));
    assert!(after.tokens.renew_at > before.renew_at + DAY * 150, "{:?}", after.tokens);
    poll_again(&cloud).await?;
    // A new refresh token is valid for 180 days. The other account's has 20 days left, and Dropcast refreshes it 14
    // days before its end (`IDLE_MARGIN` in domain/src/account/tokens.rs).
    ensure_refreshes(&idle, 1).await?;
    ensure_refreshes(&recent, 0).await
}

async fn failed_idle_refresh_is_postponed((cloud, creator): WithCreator) -> Result<()> {
    creator.inject(refusal(Endpoint::Token, 500, "server_error").until_cleared()).await?;
    creator.age_tokens(DAY * 170).await?;
    let before = creator.account().await?.tokens;
    let is_postponed = |account: &Account| account.tokens.renew_at > before.renew_at && account.refreshing.is_none();
    let after = cloud.await_account(&creator, "postponed", is_postponed).await?;
    assert_eq!(after.connection, Connection::Connected);
    assert_eq!(TokenPair { renew_at: before.renew_at, ..after.tokens }, before, "the tokens are unchanged");
    poll_again(&cloud).await?;
    ensure_refreshes(&creator, 1).await
}

async fn no_refresh_begins_too_close_to_deadline((cloud, creator): WithCreator) -> Result<()> {
    let before = creator.account().await?;
    let keep_alive = async |ahead| {
        let dependencies = cloud.in_process(ahead)?;
        let mut late = worker(&dependencies, WORK_TIME);
        late.deadline -= WORK_TIME + Duration::from_secs(1);
        anyhow::Ok(Tokens::from(&dependencies).keep_alive(&creator.alias, TokenUse::Call, &late).await)
    };
    let error = keep_alive(Duration::from_hours(3)).await?.err().context("the token has expired")?;
    assert_eq!(error.reason.code(), "no_time_to_refresh");
    // A token that is valid for ten more minutes should be refreshed, but is still usable.
    keep_alive(EXPIRING).await??;
    ensure_refreshes(&creator, 0).await?;
    assert_eq!(creator.account().await?, before, "no worker took the refresh lock");
    Ok(())
}
