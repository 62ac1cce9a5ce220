//! Tokens: they expire on the way, and sometimes for good.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::{Account, Connection, RefreshLock, TokenPair, TokenUse};
use domain::post::{Post, StateName};
use posting::Unrefreshed;
use reqwest::Method;
use simulator::{Effect, Endpoint, Fault, FaultKind, Moment, TokenKind};
use storage::{EncryptionContext, Purpose};
use tests::{Cloud, Creator, Footage, PATIENCE, apart, worker};
use tiktok::{AppCredentials, RefreshToken};
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::stories;
use crate::refusals::{deferral_of, refusal};
use crate::web::signed;

stories![among:
    a_token_that_expires_at_the_init_is_refreshed_once_and_the_post_published_once,
    a_token_that_expires_while_tiktok_works_is_refreshed_and_the_same_publish_asked_about,
    many_posts_at_once_share_one_refresh,
    posts_that_one_run_asks_about_share_one_refresh,
    a_consent_that_is_gone_parts_the_account_and_its_posts_wait_for_it,
    a_hundred_workers_with_an_expiring_token_make_one_refresh,
    a_token_refused_at_any_call_is_refreshed_once_and_that_call_repeated,
    each_refresh_is_made_with_the_token_of_the_one_before,
    trouble_at_the_refresh_changes_nothing_and_the_post_is_published_later,
    a_worker_that_dies_between_the_refresh_and_the_store_costs_a_consent_where_the_old_token_is_dead,
    posts_that_waited_for_a_consent_go_on_by_themselves_after_it,
    a_refresher_that_lost_its_lock_reads_what_the_other_one_stored,
    a_grant_that_comes_after_the_lock_was_lost_is_stored_all_the_same,
    a_refresh_that_a_disconnecting_overtook_ends_as_the_consent_did,
];

/// The time that a worker of a story has.
pub(crate) const TIME: Duration = Duration::from_mins(5);
/// A creator's tokens are granted for two hours; now they have ten minutes left.
pub(crate) const EXPIRING: Duration = Duration::from_mins(110);

fn expires_at(endpoint: Endpoint) -> Fault {
    Fault::new(endpoint, FaultKind::ExpireAccessToken)
}

async fn a_token_that_expires_at_the_init_is_refreshed_once_and_the_post_published_once(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let before = maker.account().await?.tokens;
    maker.inject(expires_at(Endpoint::DirectInit)).await?;
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
pub(crate) async fn refreshes(cloud: &Cloud, maker: &Creator) -> Result<usize> {
    let calls = cloud.tiktok.calls(0).await?;
    let of_maker = |call: &&simulator::CallRecord| {
        call.endpoint == Endpoint::Token && call.user.as_ref() == Some(&maker.user.open_id)
    };
    Ok(calls.iter().filter(of_maker).count())
}

async fn a_token_that_expires_while_tiktok_works_is_refreshed_and_the_same_publish_asked_about(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(expires_at(Endpoint::StatusFetch)).await?;
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
    let trouble = FaultKind::Status {
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

async fn a_hundred_workers_with_an_expiring_token_make_one_refresh(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let before = maker.account().await?.tokens;
    let mut workers = JoinSet::new();
    for _ in 0..100 {
        let (posting, alias) = (cloud.staff(EXPIRING)?, maker.alias.clone());
        workers.spawn(async move { posting.keep_alive(&alias, TokenUse::Call, &worker(&posting, TIME)).await });
    }
    while let Some(kept) = workers.join_next().await {
        kept??;
    }
    assert_eq!(refreshes(&cloud, &maker).await?, 1, "whoever comes second reads what the first stored");
    let after = maker.account().await?;
    assert_ne!((&after.tokens.access, &after.tokens.refresh), (&before.access, &before.refresh));
    assert_eq!((after.connection, after.refreshing), (Connection::Connected, None));
    Ok(())
}

async fn a_token_refused_at_any_call_is_refreshed_once_and_that_call_repeated(cloud: Arc<Cloud>) -> Result<()> {
    let endpoints = [Endpoint::CreatorInfo, Endpoint::DirectInit, Endpoint::StatusFetch, Endpoint::VideoQuery];
    let mut drops = Vec::new();
    for endpoint in endpoints {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(expires_at(endpoint)).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, endpoint));
    }
    for (dropped, maker, endpoint) in drops {
        let linked = |post: &Post| post.state_name() == StateName::Published && post.due_at.is_none();
        cloud.await_post(&dropped.post, "published, with its link", PATIENCE, linked).await?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(refreshes(&cloud, &maker).await?, 1, "{endpoint:?}");
        let refused =
            book.calls.iter().position(|call| call.http_status == Some(401)).context("one call was refused")?;
        assert_eq!(book.calls[refused].endpoint, endpoint);
        let rest = &book.calls[refused + 1..];
        let token = rest.iter().position(|call| call.endpoint == Endpoint::Token).context("the token was refreshed")?;
        let again = rest[token..].iter().filter(|call| call.endpoint == endpoint).map(|call| call.http_status);
        assert_eq!(again.collect::<Vec<_>>().first(), Some(&Some(200)), "{endpoint:?}");
        assert_eq!(book.publishes.len(), 1, "{endpoint:?}: a dead token is no reason for another init");
    }
    Ok(())
}

async fn each_refresh_is_made_with_the_token_of_the_one_before(cloud: Arc<Cloud>) -> Result<()> {
    // The simulator's own rule: the token that was used is dead at once.
    let maker = Creator::connect(&cloud).await?;
    for number in 1..=3 {
        cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
        let dropped = maker.drops(&format!("{number}.mp4"), &Footage::fresh()?).await?;
        cloud.await_state(&dropped.post, StateName::Published).await?;
        assert_eq!(refreshes(&cloud, &maker).await?, number);
    }
    assert_eq!(maker.account().await?.connection, Connection::Connected);
    maker.book().await?.ensure_no_rule_broken()
}

async fn trouble_at_the_refresh_changes_nothing_and_the_post_is_published_later(cloud: Arc<Cloud>) -> Result<()> {
    let token = Endpoint::Token;
    let troubles = [
        (refusal(token, 500, "server_error"), 2),
        (refusal(token, 503, "temporarily_unavailable"), 2),
        (refusal(token, 429, "rate_limit_exceeded"), 2),
        (Fault::new(token, FaultKind::ResetBeforeBody), 2),
        (Fault::new(token, FaultKind::ResetAfterBody), 2),
        (refusal(token, 500, "a_word_that_nobody_has_seen").times(2), 3),
    ];
    let mut drops = Vec::new();
    for (trouble, calls) in troubles {
        let maker = Creator::connect(&cloud).await?;
        let before = maker.account().await?.tokens;
        maker.inject(trouble.clone()).await?;
        cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, before, trouble, calls));
    }
    for (dropped, maker, before, trouble, calls) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await.with_context(|| format!("{trouble:?}"))?;
        maker.book().await?.ensure_published_once(&dropped)?;
        assert_eq!(refreshes(&cloud, &maker).await?, calls, "{trouble:?}");
        let after = maker.account().await?;
        assert_eq!((&after.connection, &after.refreshing), (&Connection::Connected, &None), "{trouble:?}");
        assert_ne!(after.tokens.refresh, before.refresh);
    }
    Ok(())
}

/// Plays a worker that takes the lock, has TikTok rotate the pair, and is never
/// heard of again. Its lock has run out.
pub(crate) async fn die_behind_a_refresh(maker: &Creator) -> Result<TokenPair> {
    let posting = maker.cloud.staff(Duration::ZERO)?;
    let kept = posting.accounts.get(&maker.alias).await?.context("the creator's account is gone")?;
    let context = EncryptionContext::new(Purpose::RefreshToken, &maker.alias);
    let refresh = RefreshToken::new(posting.cipher.open(&context, &kept.tokens.refresh).await?);
    let now = runtime::clock::now();
    let lock = RefreshLock { owner: "publish/dead".to_owned(), expires_at: now };
    let locked = Account { refreshing: Some(lock), ..kept.value.clone() };
    let tokens = posting.accounts.save(kept, locked, now).await?.value.tokens;
    let app = posting.app.get(now).await?;
    let app = AppCredentials::new(app.client_key, app.client_secret);
    posting.tiktok.refresh(&app, &refresh).await?;
    Ok(tokens)
}

async fn a_worker_that_dies_between_the_refresh_and_the_store_costs_a_consent_where_the_old_token_is_dead(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    let old = die_behind_a_refresh(&maker).await?;
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let (code, _) = deferral_of(&cloud, &dropped).await?;
    assert_eq!(code, "needs_reconnect", "nobody has the new pair, and TikTok takes the old one no more");
    let account = maker.account().await?;
    assert!(matches!(account.connection, Connection::NeedsReconnect { .. }), "{:?}", account.connection);
    assert_eq!((account.tokens, account.refreshing), (old, None));
    assert_eq!(
        refreshes(&cloud, &maker).await?,
        2,
        "the old token was tried before anybody was asked to connect again"
    );
    maker.book().await?.ensure_never_begun()
}

async fn posts_that_waited_for_a_consent_go_on_by_themselves_after_it(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    cloud.tiktok.disconnect(&maker.user.open_id, 1).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let (code, wait) = deferral_of(&cloud, &dropped).await?;
    assert_eq!(code, "needs_reconnect");
    maker.reconnect().await?;
    // Whoever looks when the wait is over, and nobody has told it of the consent.
    let (posting, id) = (cloud.staff(wait)?, dropped.post.clone());
    apart(move || async move { posting.upload(&id, &worker(&posting, TIME)).await }).await??;
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Processing);
    while maker.book().await?.publications.is_empty() {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

/// A worker whose clock is so far ahead and whose refresh takes four seconds, of
/// which TikTok has heard.
async fn slow_refresher(
    maker: &Creator,
    moment: Moment,
    ahead: Duration,
) -> Result<JoinHandle<Result<(), Unrefreshed>>> {
    let cloud = &maker.cloud;
    let stall = FaultKind::Stall { ms: Some(4000), moment };
    let fault = Fault::new(Endpoint::Token, stall).for_user(maker.user.open_id.clone());
    let fault = cloud.tiktok.inject(&fault).await?;
    let (slow, alias) = (cloud.staff(ahead)?, maker.alias.clone());
    let slow = tokio::spawn(async move { slow.keep_alive(&alias, TokenUse::Call, &worker(&slow, TIME)).await });
    while !cloud.tiktok.faults().await?.iter().any(|it| it.id == fault && it.fired == 1) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(slow)
}

/// Two workers that refresh at once: the first is held up by the trouble until
/// its lock has run out, by the clock of the second. Returns what became of both.
async fn two_refreshers(maker: &Creator, moment: Moment) -> Result<[Result<(), Unrefreshed>; 2]> {
    let cloud = &maker.cloud;
    let slow = slow_refresher(maker, moment, EXPIRING).await?;
    let quick = cloud.staff(EXPIRING + Duration::from_mins(2))?;
    let second = quick.keep_alive(&maker.alias, TokenUse::Call, &worker(&quick, TIME)).await;
    Ok([slow.await?, second])
}

async fn a_refresher_that_lost_its_lock_reads_what_the_other_one_stored(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    assert_eq!(two_refreshers(&maker, Moment::Before).await?, [Ok(()), Ok(())]);
    assert_eq!(refreshes(&cloud, &maker).await?, 2, "the first one came second, and was refused");
    let account = maker.account().await?;
    assert_eq!(account.connection, Connection::Connected, "a refusal of the old pair is none of the new one");
    ensure_alive(&maker).await
}

async fn a_grant_that_comes_after_the_lock_was_lost_is_stored_all_the_same(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let [first, second] = two_refreshers(&maker, Moment::After).await?;
    assert_eq!(second.err().context("the second was refused")?.reason.code(), "needs_reconnect");
    assert_eq!(first, Ok(()));
    let account = maker.account().await?;
    assert_eq!(
        (account.connection, account.refreshing),
        (Connection::Connected, None),
        "a grant is newer than a refusal"
    );
    ensure_alive(&maker).await
}

async fn a_refresh_that_a_disconnecting_overtook_ends_as_the_consent_did(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let slow = slow_refresher(&maker, Moment::After, Duration::from_hours(3)).await?;
    let path = format!("/accounts/{}", maker.alias);
    assert_eq!(signed(&cloud, Method::DELETE, &path, "*/*").await?.status(), 200);
    let why = slow.await?.err().context("there is no consent to refresh any more")?;
    assert_eq!(why.reason.code(), "needs_reconnect", "{why}");
    assert!(maker.account().await?.tokens.is_forgotten(), "what came late was stored");
    Ok(())
}

/// Makes sure that what is stored is what TikTok takes: the access token now, and
/// the refresh token after it.
async fn ensure_alive(maker: &Creator) -> Result<()> {
    for number in 1..=2 {
        let dropped = maker.drops(&format!("{number}.mp4"), &Footage::fresh()?).await?;
        maker.cloud.await_state(&dropped.post, StateName::Published).await?;
        maker.cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    }
    Ok(())
}
