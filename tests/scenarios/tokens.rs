//! Access and refresh tokens: they can expire at any call, many workers can need them at once, and the authorization
//! can be lost.

mod lifetimes;
mod rotation;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::{Account, Connection, RefreshLock, TokenPair, TokenUse};
use domain::identity::Alias;
use domain::post::{Post, StateName};
use harness::{Cloud, Creator, WORK_TIME, is_linked, worker};
use posting::{Dependencies, RefreshError, Tokens, UploadWorker};
use simulator::{CallRecord, Endpoint, Fault, FaultKind, Moment, TokenKind};
use storage::{EncryptionContext, Purpose};
use tiktok::{AppCredentials, RefreshToken};
use tokio::task::{JoinHandle, JoinSet};

use crate::http::delete;
use crate::outcomes::refusal;
use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    token_expired_at_init_is_refreshed_once,
    token_expired_at_poll_is_refreshed_without_new_init,
    concurrent_posts_share_one_refresh,
    posts_polled_together_share_one_refresh,
    lost_authorization_makes_posts_wait_without_calls,
    hundred_workers_share_one_refresh,
    refused_token_is_refreshed_and_call_repeated,
    each_refresh_uses_the_latest_refresh_token,
    failed_refresh_is_retried_and_post_published,
    refresh_is_not_begun_without_time_to_finish,
    worker_killed_after_refresh_loses_authorization_if_token_rotated,
    waiting_posts_resume_when_authorization_is_back,
    refresher_that_lost_lock_reads_stored_tokens,
    late_grant_is_stored_after_lock_was_lost,
    refresh_during_disconnect_stores_nothing;
    lifetimes, rotation
];

/// TikTok's number for the reason of a lost authorization (the webhook `authorization.removed`): the user removed the
/// app.
pub(crate) const REMOVED_BY_USER: u8 = 1;
/// How far a worker's clock is ahead to make it refresh. Access tokens are valid for two hours, so ten minutes remain:
/// less than the 15 minutes that a call requires (`CALL_MARGIN` in domain/src/account/tokens.rs).
const EXPIRING: Duration = Duration::from_mins(110);

/// Refreshes an access token that is about to expire, as a worker does before a call.
pub(crate) async fn keep_alive(dependencies: &Dependencies, alias: &Alias) -> Result<(), RefreshError> {
    let worker = worker(dependencies, WORK_TIME);
    Tokens::from(dependencies).keep_alive(alias, TokenUse::Call, &worker).await
}

/// Checks that this many refreshes were made for a creator.
async fn ensure_refreshes(creator: &Creator, expected: usize) -> Result<()> {
    let calls = creator.cloud.tiktok.calls(0).await?;
    let is = |call: &&CallRecord| call.endpoint == Endpoint::Token && call.user.as_ref() == Some(&creator.user.open_id);
    assert_eq!(calls.iter().filter(is).count(), expected, "refreshes");
    Ok(())
}

/// Checks that a creator's account is connected, that no worker holds the refresh lock, and that both tokens differ
/// from the former ones.
async fn ensure_refreshed(creator: &Creator, before: &TokenPair) -> Result<()> {
    let after = creator.account().await?;
    assert_eq!((&after.connection, &after.refreshing), (&Connection::Connected, &None));
    assert_ne!(after.tokens.access, before.access);
    assert_ne!(after.tokens.refresh, before.refresh);
    Ok(())
}

async fn ensure_authorization_lost(creator: &Creator) -> Result<Account> {
    let account = creator.account().await?;
    assert!(matches!(account.connection, Connection::NeedsReconnect { .. }), "{:?}", account.connection);
    Ok(account)
}

async fn expire_access_token(creator: &Creator) -> Result<()> {
    Ok(creator.cloud.tiktok.expire_tokens(&creator.user.open_id, TokenKind::Access).await?)
}

async fn token_expired_at_init_is_refreshed_once(creator: Creator) -> Result<()> {
    let before = creator.account().await?.tokens;
    creator.inject(Fault::new(Endpoint::DirectInit, FaultKind::ExpireAccessToken)).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1, "the refused init had no effect and was repeated once");
    ensure_refreshes(&creator, 1).await?;
    ensure_refreshed(&creator, &before).await
}

async fn token_expired_at_poll_is_refreshed_without_new_init(creator: Creator) -> Result<()> {
    creator.inject(Fault::new(Endpoint::StatusFetch, FaultKind::ExpireAccessToken)).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1, "an expired token is no reason for another init");
    Ok(())
}

async fn concurrent_posts_share_one_refresh(creator: Creator) -> Result<()> {
    expire_access_token(&creator).await?;
    let drops = creator.drop_many(4).await?;
    creator.await_each_published_once(&drops).await?;
    // The second of two concurrent refreshes would use an invalid token, which can lose the authorization.
    ensure_refreshes(&creator, 1).await
}

async fn posts_polled_together_share_one_refresh((cloud, creator): WithCreator) -> Result<()> {
    let outage = creator.inject(refusal(Endpoint::StatusFetch, 500, "internal_error").until_cleared()).await?;
    let drops = creator.drop_many(4).await?;
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Processing).await?;
    }
    // From now on all four are due together, and one run of `status` finds the token expired.
    expire_access_token(&creator).await?;
    cloud.tiktok.clear_fault(outage).await?;
    creator.await_each_published_once(&drops).await?;
    ensure_refreshes(&creator, 1).await?;
    assert_eq!(creator.account().await?.connection, Connection::Connected);
    Ok(())
}

async fn lost_authorization_makes_posts_wait_without_calls((cloud, creator): WithCreator) -> Result<()> {
    cloud.tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let (code, _) = cloud.await_deferral(&dropped).await?;
    assert_eq!(code, "needs_reconnect", "the post waits; it has not failed");
    ensure_authorization_lost(&creator).await?;
    // The next post makes no call.
    let calls = creator.ledger().await?.calls.len();
    let next = creator.drop_small("next.mp4").await?;
    let waits = |post: &Post| post.state_name() == StateName::Queued && post.attempt == 1;
    cloud.await_post(&next.post, "queued after one attempt", waits).await?;
    cloud.ensure_state_stays(&next.post, StateName::Queued, Duration::from_secs(3)).await?;
    let ledger = creator.ledger().await?;
    assert_eq!((ledger.calls.len(), ledger.publishes.len()), (calls, 0));
    Ok(())
}

async fn hundred_workers_share_one_refresh((cloud, creator): WithCreator) -> Result<()> {
    let before = creator.account().await?.tokens;
    let mut workers = JoinSet::new();
    for _ in 0..100 {
        let (dependencies, alias) = (cloud.in_process(EXPIRING)?, creator.alias.clone());
        workers.spawn(async move { keep_alive(&dependencies, &alias).await });
    }
    while let Some(refreshed) = workers.join_next().await {
        refreshed??;
    }
    // The other workers read the tokens that the first one stored.
    ensure_refreshes(&creator, 1).await?;
    ensure_refreshed(&creator, &before).await
}

async fn refused_token_is_refreshed_and_call_repeated(cloud: Arc<Cloud>) -> Result<()> {
    let endpoints = [Endpoint::CreatorInfo, Endpoint::DirectInit, Endpoint::StatusFetch, Endpoint::VideoQuery];
    for_each(endpoints, async |endpoint| {
        let creator = Creator::create(&cloud).await?;
        creator.inject(Fault::new(endpoint, FaultKind::ExpireAccessToken)).await?;
        let dropped = creator.drop_small("clip.mp4").await?;
        cloud.await_post(&dropped.post, "published, with its link", is_linked).await?;
        let ledger = creator.ledger().await?;
        ledger.ensure_published_once(&dropped)?;
        ensure_refreshes(&creator, 1).await?;
        let refused = ledger.calls.iter().position(|call| call.http_status == Some(401)).context("no refused call")?;
        assert_eq!(ledger.calls[refused].endpoint, endpoint);
        let rest = &ledger.calls[refused + 1..];
        let refresh = rest.iter().position(|call| call.endpoint == Endpoint::Token).context("no refresh")?;
        let repeated = rest[refresh..].iter().find(|call| call.endpoint == endpoint).map(|call| call.http_status);
        assert_eq!(repeated, Some(Some(200)), "{endpoint:?}");
        assert_eq!(ledger.publishes.len(), 1, "{endpoint:?}: an expired token is no reason for another init");
        Ok(())
    })
    .await
}

async fn each_refresh_uses_the_latest_refresh_token(cloud: Arc<Cloud>) -> Result<()> {
    // In the simulator, a refresh invalidates the refresh token that it used.
    let creator = Creator::create(&cloud).await?;
    for number in 1..=3 {
        expire_access_token(&creator).await?;
        let dropped = creator.drop_small(&format!("{number}.mp4")).await?;
        cloud.await_state(&dropped.post, StateName::Published).await?;
        ensure_refreshes(&creator, number).await?;
    }
    assert_eq!(creator.account().await?.connection, Connection::Connected);
    creator.ledger().await?.ensure_no_violation()
}

async fn failed_refresh_is_retried_and_post_published(cloud: Arc<Cloud>) -> Result<()> {
    let token = Endpoint::Token;
    // Each fault, and the number of refreshes until one succeeds.
    let cases = [
        (refusal(token, 500, "server_error"), 2),
        (refusal(token, 503, "temporarily_unavailable"), 2),
        (refusal(token, 429, "rate_limit_exceeded"), 2),
        (Fault::new(token, FaultKind::ResetBeforeBody), 2),
        (Fault::new(token, FaultKind::ResetAfterBody), 2),
        (refusal(token, 500, "an_undocumented_code").times(2), 3),
    ];
    for_each(cases, async |(fault, calls)| {
        let creator = Creator::create(&cloud).await?;
        let before = creator.account().await?.tokens;
        creator.inject(fault.clone()).await?;
        expire_access_token(&creator).await?;
        let dropped = creator.drop_small("clip.mp4").await?;
        creator.await_published_once(&dropped).await?;
        ensure_refreshes(&creator, calls).await?;
        ensure_refreshed(&creator, &before).await
    })
    .await
}

/// A call to TikTok may take 20 s, and an invocation of `api` at most 26 s. If it ended after TikTok has rotated the pair, the
/// authorization would be lost.
async fn refresh_is_not_begun_without_time_to_finish((cloud, creator): WithCreator) -> Result<()> {
    let dependencies = cloud.in_process(EXPIRING)?;
    let tokens = Tokens::from(&dependencies);
    let late = worker(&dependencies, Duration::from_secs(20));
    tokens.keep_alive(&creator.alias, TokenUse::Call, &late).await.context("the old token still lives")?;
    ensure_refreshes(&creator, 0).await?;
    assert_eq!(creator.account().await?.refreshing, None, "no other worker waits for a lock");
    let dependencies = cloud.in_process(EXPIRING + Duration::from_mins(11))?;
    let late = worker(&dependencies, Duration::from_secs(20));
    let error = Tokens::from(&dependencies).keep_alive(&creator.alias, TokenUse::Call, &late).await.err();
    assert_eq!(error.context("the token has expired")?.reason.code(), "no_time_to_refresh");
    ensure_refreshes(&creator, 0).await
}

/// Plays a worker that takes the refresh lock, refreshes the tokens at TikTok, and is killed before it stores them. Its
/// lock has already expired. Returns the tokens in the table, which are the old ones.
async fn kill_after_refresh(creator: &Creator) -> Result<TokenPair> {
    let dependencies = creator.cloud.in_process(Duration::ZERO)?;
    let stored = dependencies.accounts.get(&creator.alias).await?.context("the account does not exist")?;
    let context = EncryptionContext::new(Purpose::RefreshToken, &creator.alias);
    let refresh = RefreshToken::new(dependencies.cipher.open(&context, &stored.tokens.refresh).await?);
    let now = runtime::clock::now();
    let lock = RefreshLock { owner: "publish/dead".to_owned(), expires_at: now };
    let locked = Account { refreshing: Some(lock), ..stored.value.clone() };
    let tokens = dependencies.accounts.save(stored, locked, now).await?.value.tokens;
    let app = dependencies.app.get(now).await?;
    let app = AppCredentials::new(app.client_key, app.client_secret);
    dependencies.tiktok.refresh(&app, &refresh).await?;
    Ok(tokens)
}

async fn worker_killed_after_refresh_loses_authorization_if_token_rotated((cloud, creator): WithCreator) -> Result<()> {
    expire_access_token(&creator).await?;
    let old = kill_after_refresh(&creator).await?;
    expire_access_token(&creator).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let (code, _) = cloud.await_deferral(&dropped).await?;
    assert_eq!(code, "needs_reconnect", "the new tokens are lost, and TikTok refuses the old refresh token");
    let account = ensure_authorization_lost(&creator).await?;
    let tokens = account.tokens;
    assert_eq!((tokens.access, tokens.refresh, account.refreshing), (old.access, old.refresh, None));
    // Dropcast tries the old token before it asks the user to connect again.
    ensure_refreshes(&creator, 2).await?;
    creator.ledger().await?.ensure_no_init()
}

async fn waiting_posts_resume_when_authorization_is_back((cloud, creator): WithCreator) -> Result<()> {
    cloud.tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let (code, wait) = cloud.await_deferral(&dropped).await?;
    assert_eq!(code, "needs_reconnect");
    creator.reconnect().await?;
    // No command wakes the post; this worker finds it due after the deferral.
    let dependencies = cloud.in_process(wait)?;
    UploadWorker::from(&dependencies).upload(&dropped.post, &worker(&dependencies, WORK_TIME)).await?;
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Processing);
    while creator.ledger().await?.publications.is_empty() {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    creator.ledger().await?.ensure_published_once(&dropped)?;
    Ok(())
}

/// Starts a worker whose clock is this much ahead and whose refresh takes four seconds, and waits until TikTok has
/// received the refresh.
async fn slow_refresher(
    creator: &Creator,
    moment: Moment,
    ahead: Duration,
) -> Result<JoinHandle<Result<(), RefreshError>>> {
    let cloud = &creator.cloud;
    let stall = FaultKind::Stall { ms: Some(4000), moment };
    let fault = creator.inject(Fault::new(Endpoint::Token, stall)).await?;
    let (slow, alias) = (cloud.in_process(ahead)?, creator.alias.clone());
    let slow = tokio::spawn(async move { keep_alive(&slow, &alias).await });
    while !cloud.tiktok.faults().await?.iter().any(|it| it.id == fault && it.fired == 1) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(slow)
}

/// Runs two concurrent refreshers. The second one's clock is eleven minutes ahead of the first one's. So by it the first
/// one's lock has expired (after `LOCK_TERM` in posting/src/tokens.rs: 90 seconds), and the access token too, which a
/// refused refresh would leave in use. Returns both results.
async fn two_refreshers(creator: &Creator, moment: Moment) -> Result<[Result<(), RefreshError>; 2]> {
    let slow = slow_refresher(creator, moment, EXPIRING).await?;
    let quick = creator.cloud.in_process(EXPIRING + Duration::from_mins(11))?;
    let second = keep_alive(&quick, &creator.alias).await;
    Ok([slow.await?, second])
}

async fn refresher_that_lost_lock_reads_stored_tokens(creator: Creator) -> Result<()> {
    assert_eq!(two_refreshers(&creator, Moment::Before).await?, [Ok(()), Ok(())]);
    // TikTok handles the first worker's refresh second, and refuses its token.
    ensure_refreshes(&creator, 2).await?;
    let account = creator.account().await?;
    assert_eq!(account.connection, Connection::Connected, "a refusal of old tokens does not concern new ones");
    ensure_tokens_work(&creator).await
}

async fn late_grant_is_stored_after_lock_was_lost(creator: Creator) -> Result<()> {
    let [first, second] = two_refreshers(&creator, Moment::After).await?;
    assert_eq!(second.err().context("the second was refused")?.reason.code(), "needs_reconnect");
    // TikTok handled the first worker's refresh first, but its response was late.
    assert_eq!(first, Ok(()));
    let account = creator.account().await?;
    let connected = (Connection::Connected, None);
    assert_eq!((account.connection, account.refreshing), connected, "a grant replaces a refusal");
    ensure_tokens_work(&creator).await
}

async fn refresh_during_disconnect_stores_nothing((cloud, creator): WithCreator) -> Result<()> {
    let slow = slow_refresher(&creator, Moment::After, Duration::from_hours(3)).await?;
    delete(&cloud, &format!("/accounts/{}", creator.alias)).await?.with_status(200)?;
    // The refresh succeeded at TikTok, but its tokens must not be stored after the disconnect.
    let error = slow.await?.err().context("the account is disconnected")?;
    assert_eq!(error.reason.code(), "needs_reconnect", "{error}");
    assert!(creator.account().await?.tokens.is_forgotten(), "the late tokens were stored");
    Ok(())
}

/// Checks that TikTok accepts the stored access token, and after it the refresh token.
async fn ensure_tokens_work(creator: &Creator) -> Result<()> {
    for number in 1..=2 {
        let dropped = creator.drop_small(&format!("{number}.mp4")).await?;
        creator.cloud.await_state(&dropped.post, StateName::Published).await?;
        expire_access_token(creator).await?;
    }
    Ok(())
}
