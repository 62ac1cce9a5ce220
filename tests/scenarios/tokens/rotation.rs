//! Rotation of the refresh token: TikTok's documents do not say whether a refresh invalidates the old one, so both
//! readings are tested. Also a table that fails when new tokens are stored.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::account::{Account, Connection};
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped, WriteFault};
use simulator::{Ending, Endpoint, Fault, FaultKind, RefreshRotation, WrongShape};
use storage::Accounts;

use super::{EXPIRING, ensure_refreshed, ensure_refreshes, expire_access_token, keep_alive, kill_after_refresh};
use crate::runner::{WithCreator, for_each, scenarios};

scenarios![exclusive:
    lost_refresh_response_is_retried_with_old_token,
    worker_killed_after_refresh_recovers_if_old_token_valid,
    new_tokens_are_stored_despite_table_failures,
];

/// Responses that are lost or unusable although TikTok has refreshed the tokens.
const LOST: [FaultKind; 4] = [
    FaultKind::LoseAnswer { ending: Ending::Close },
    FaultKind::LoseAnswer { ending: Ending::Reset },
    FaultKind::ShortBody,
    FaultKind::WrongEnvelope { shape: WrongShape::Html },
];

async fn set_rotation(cloud: &Cloud, rotation: RefreshRotation) -> Result<()> {
    cloud.tiktok.change_settings(|settings| settings.refresh_rotation.set(rotation)).await.context("the settings")
}

/// Drops a video for a creator whose access token has expired and whose first refresh has this fault.
async fn drop_with_fault(cloud: &Arc<Cloud>, kind: FaultKind) -> Result<(Creator, Dropped)> {
    let creator = Creator::create(cloud).await?;
    creator.inject(Fault::new(Endpoint::Token, kind)).await?;
    expire_access_token(&creator).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    Ok((creator, dropped))
}

async fn lost_refresh_response_is_retried_with_old_token(cloud: Arc<Cloud>) -> Result<()> {
    set_rotation(&cloud, RefreshRotation::OldTokenValid).await?;
    for_each(LOST, async |kind| {
        let (creator, dropped) = drop_with_fault(&cloud, kind).await?;
        creator.await_published_once(&dropped).await?;
        ensure_refreshes(&creator, 2).await?;
        assert_eq!(creator.account().await?.connection, Connection::Connected);
        Ok(())
    })
    .await?;
    set_rotation(&cloud, RefreshRotation::OldTokenInvalid).await?;
    for_each(LOST, async |kind| {
        let (creator, dropped) = drop_with_fault(&cloud, kind).await?;
        let is_lost = |account: &Account| matches!(account.connection, Connection::NeedsReconnect { .. });
        cloud.await_account(&creator, "without an authorization", is_lost).await?;
        cloud.await_lost_authorization(&dropped).await?;
        // The second refresh shows that the authorization is lost.
        ensure_refreshes(&creator, 2).await
    })
    .await
}

async fn worker_killed_after_refresh_recovers_if_old_token_valid(cloud: Arc<Cloud>) -> Result<()> {
    set_rotation(&cloud, RefreshRotation::OldTokenValid).await?;
    let creator = Creator::create(&cloud).await?;
    let old = kill_after_refresh(&creator).await?;
    expire_access_token(&creator).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    creator.await_published_once(&dropped).await?;
    // The refresh of the killed worker, and its repetition.
    ensure_refreshes(&creator, 2).await?;
    ensure_refreshed(&creator, &old).await
}

async fn new_tokens_are_stored_despite_table_failures((cloud, creator): WithCreator) -> Result<()> {
    let before = creator.account().await?.tokens;
    let mut dependencies = cloud.in_process(EXPIRING)?;
    // The first write takes the refresh lock. A save sends nine writes at most: `storage` tries three times, and the
    // SDK three times each. So the save of the new tokens fails once entirely, and then after four more writes
    // succeeds.
    let fault = WriteFault::refusing(2..=14);
    let writes = fault.writes();
    let dynamodb = cloud.dynamodb_with(|config| config.interceptor(fault));
    dependencies.accounts = Accounts::new(dynamodb, &cloud.outputs().accounts_table);
    keep_alive(&dependencies, &creator.alias).await?;
    assert!(writes.so_far() > 14, "the writes failed");
    // Dropcast keeps the new tokens and does not refresh again.
    ensure_refreshes(&creator, 1).await?;
    ensure_refreshed(&creator, &before).await?;
    // TikTok accepts the stored refresh token.
    expire_access_token(&creator).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Published).await.map(drop)
}
