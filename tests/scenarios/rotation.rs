//! What a refresh does to the refresh token, told either way; and a table that
//! fails just when a new pair is to be stored.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::{Account, Connection, TokenUse};
use domain::post::{Post, PostState, StateName};
use simulator::{Ending, Endpoint, Fault, FaultKind, RefreshRotation, TokenKind, WrongShape};
use storage::Accounts;
use tests::{Cloud, Creator, Dropped, Footage, Hiccup, PATIENCE, worker};

use crate::harness::stories;
use crate::tokens::{die_behind_a_refresh, refreshes};

stories![alone:
    a_lost_answer_to_a_refresh_is_tried_once_more_with_the_old_token,
    a_worker_that_dies_between_the_refresh_and_the_store_costs_nothing_where_the_old_token_lives,
    a_new_pair_is_stored_however_often_the_table_fails,
];

/// Answers that are lost after TikTok has rotated the pair.
fn lost() -> [FaultKind; 4] {
    [
        FaultKind::LoseAnswer { ending: Ending::Close },
        FaultKind::LoseAnswer { ending: Ending::Reset },
        FaultKind::ShortBody,
        FaultKind::WrongEnvelope { shape: WrongShape::Html },
    ]
}

async fn rotate(cloud: &Cloud, rotation: RefreshRotation) -> Result<()> {
    cloud.tiktok.change_settings(|settings| settings.refresh_rotation.set(rotation)).await.context("the settings")
}

async fn a_lost_answer_to_a_refresh_is_tried_once_more_with_the_old_token(cloud: Arc<Cloud>) -> Result<()> {
    rotate(&cloud, RefreshRotation::OldTokenValid).await?;
    for (maker, dropped, trouble) in drop_into_each(&cloud, lost()).await? {
        cloud.await_state(&dropped.post, StateName::Published).await.with_context(|| format!("{trouble:?}"))?;
        maker.book().await?.ensure_published_once(&dropped)?;
        assert_eq!(refreshes(&cloud, &maker).await?, 2, "{trouble:?}");
        assert_eq!(maker.account().await?.connection, Connection::Connected, "{trouble:?}");
    }
    rotate(&cloud, RefreshRotation::OldTokenInvalid).await?;
    for (maker, dropped, trouble) in drop_into_each(&cloud, lost()).await? {
        let authorization_lost = |account: &Account| matches!(account.connection, Connection::NeedsReconnect { .. });
        cloud
            .await_account(&maker, "authorization_lost", authorization_lost)
            .await
            .with_context(|| format!("{trouble:?}"))?;
        let waits = |post: &Post| matches!(&post.state, PostState::Queued { deferral: Some(why), .. } if why.reason.code() == "needs_reconnect");
        cloud.await_post(&dropped.post, "waiting for its consent", PATIENCE, waits).await?;
        assert_eq!(refreshes(&cloud, &maker).await?, 2, "{trouble:?}: the second try tells");
    }
    Ok(())
}

/// Drops a film for each of some creators whose token has run out, and whose
/// refresh has trouble.
async fn drop_into_each(
    cloud: &Arc<Cloud>,
    troubles: impl IntoIterator<Item = FaultKind>,
) -> Result<Vec<(Creator, Dropped, FaultKind)>> {
    let mut drops = Vec::new();
    for trouble in troubles {
        let maker = Creator::connect(cloud).await?;
        maker.inject(Fault::new(Endpoint::Token, trouble.clone())).await?;
        cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
        let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
        drops.push((maker, dropped, trouble));
    }
    Ok(drops)
}

async fn a_worker_that_dies_between_the_refresh_and_the_store_costs_nothing_where_the_old_token_lives(
    cloud: Arc<Cloud>,
) -> Result<()> {
    rotate(&cloud, RefreshRotation::OldTokenValid).await?;
    let maker = Creator::connect(&cloud).await?;
    let old = die_behind_a_refresh(&maker).await?;
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    assert_eq!(refreshes(&cloud, &maker).await?, 2, "the one of the dead worker, and its repetition");
    let account = maker.account().await?;
    assert_eq!((&account.connection, &account.refreshing), (&Connection::Connected, &None));
    assert_ne!(account.tokens.refresh, old.refresh);
    Ok(())
}

async fn a_new_pair_is_stored_however_often_the_table_fails(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let before = maker.account().await?.tokens;
    let mut posting = cloud.staff(Duration::from_mins(110))?;
    // The first write takes the lock. Each save is several tries, the SDK's own among them.
    let hiccup = Hiccup::refusing(2..=14);
    let writes = hiccup.writes();
    let dynamodb = cloud.other_dynamodb(|config| config.interceptor(hiccup));
    posting.accounts = Accounts::new(dynamodb, &cloud.outputs().accounts_table);
    posting.keep_alive(&maker.alias, TokenUse::Call, &worker(&posting, Duration::from_mins(5))).await?;
    assert!(writes.so_far() > 14, "the table did fail");
    assert_eq!(refreshes(&cloud, &maker).await?, 1, "TikTok is not asked again for what is in hand");
    let after = maker.account().await?;
    assert_eq!((&after.connection, &after.refreshing), (&Connection::Connected, &None));
    assert_ne!((&after.tokens.access, &after.tokens.refresh), (&before.access, &before.refresh));
    // And it is the pair that TikTok takes.
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    Ok(())
}
