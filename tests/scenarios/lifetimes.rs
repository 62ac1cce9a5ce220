//! How long tokens have yet to live: too short for what is to be done, nearly over
//! though nobody posts, or long enough for now.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::{Account, Connection, TokenPair, TokenUse};
use domain::post::StateName;
use simulator::Endpoint;
use tests::{Cloud, Creator, Footage, worker};

use crate::harness::stories;
use crate::refusals::refusal;
use crate::tokens::{EXPIRING, TIME, refreshes};

stories![among:
    a_token_with_less_than_an_upload_to_live_is_refreshed_before_the_init,
    an_idle_account_is_refreshed_before_its_refresh_token_ends,
    an_idle_account_that_cannot_be_refreshed_is_tried_again_later_and_not_every_minute,
    nobody_begins_a_refresh_that_the_invocation_cannot_end,
];

const DAY: Duration = Duration::from_hours(24);

async fn a_token_with_less_than_an_upload_to_live_is_refreshed_before_the_init(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.age(Duration::from_mins(70)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(refreshes(&cloud, &maker).await?, 1, "fifty minutes are enough for a call, and not for an upload");
    let at = |endpoint| book.calls.iter().position(|call| call.endpoint == endpoint);
    assert!(at(Endpoint::Token) < at(Endpoint::DirectInit), "{:#?}", book.calls);
    assert!(at(Endpoint::CreatorInfo) < at(Endpoint::Token), "the creator was asked with the old one");
    Ok(())
}

async fn an_idle_account_is_refreshed_before_its_refresh_token_ends(cloud: Arc<Cloud>) -> Result<()> {
    let (busy, idle) = (Creator::connect(&cloud).await?, Creator::connect(&cloud).await?);
    busy.age(DAY * 160).await?;
    idle.age(DAY * 170).await?;
    let before = idle.account().await?.tokens;
    let renewed = |account: &Account| account.tokens != before && account.refreshing.is_none();
    let after = cloud.await_account(&idle, "renewed", renewed).await?;
    assert_ne!((&after.tokens.access, &after.tokens.refresh), (&before.access, &before.refresh));
    assert!(after.tokens.renew_at > before.renew_at + DAY * 150, "{:?}", after.tokens);
    for _ in 0..3 {
        cloud.beat().await?;
        tokio::time::sleep(Duration::from_millis(1600)).await;
    }
    assert_eq!(refreshes(&cloud, &idle).await?, 1, "once is enough for the next half year");
    assert_eq!(refreshes(&cloud, &busy).await?, 0, "three weeks are left: nothing is to be done yet");
    Ok(())
}

async fn an_idle_account_that_cannot_be_refreshed_is_tried_again_later_and_not_every_minute(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(refusal(Endpoint::Token, 500, "server_error").until_cleared()).await?;
    maker.age(DAY * 170).await?;
    let before = maker.account().await?.tokens;
    let postpone = |account: &Account| account.tokens.renew_at > before.renew_at && account.refreshing.is_none();
    let after = cloud.await_account(&maker, "put off", postpone).await?;
    assert_eq!(after.connection, Connection::Connected);
    assert_eq!(TokenPair { renew_at: before.renew_at, ..after.tokens }, before, "the pair is as it was");
    for _ in 0..3 {
        cloud.beat().await?;
        tokio::time::sleep(Duration::from_millis(1600)).await;
    }
    assert_eq!(refreshes(&cloud, &maker).await?, 1);
    Ok(())
}

async fn nobody_begins_a_refresh_that_the_invocation_cannot_end(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let before = maker.account().await?;
    let expired = cloud.staff(Duration::from_hours(3))?;
    let mut late = worker(&expired, TIME);
    late.deadline -= TIME + Duration::from_secs(1);
    let why = expired.keep_alive(&maker.alias, TokenUse::Call, &late).await.err().context("there is no time")?;
    assert_eq!(why.reason.code(), "no_time_to_refresh");
    // A token that lives ten minutes more does for the call that is to be made.
    let expiring = cloud.staff(EXPIRING)?;
    let mut late = worker(&expiring, TIME);
    late.deadline -= TIME + Duration::from_secs(1);
    expiring.keep_alive(&maker.alias, TokenUse::Call, &late).await?;
    assert_eq!(refreshes(&cloud, &maker).await?, 0);
    assert_eq!(maker.account().await?, before, "not even the lock was taken");
    Ok(())
}
