//! TikTok's rate limits, quotas and caps. No post exceeds a limit that Dropcast can know, no account delays another,
//! and every post is published in the end, in the order dropped.
//!
//! For each account, TikTok allows six uploads and 20 `creator_info` calls per minute, and five pending drafts. By
//! default, the simulator and the stack allow 15 posts per day.
//!
//! Scenarios that take days use an [`IsolatedEnv`], which has a clock of its own.

mod creators;
mod unaudited;

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::options::{Mode, PrivacyLevel};
use domain::post::StateName;
use domain::reason::Reason;
use futures::{StreamExt, TryStreamExt, stream};
use harness::{App, Cloud, Creator, Dropped, IsolatedEnv, LedgerView, TestVideo, deferral_code, is_published};
use simulator::{DraftPost, Endpoint, PublishId, Settings};

use crate::aws_cli::{app_secret, text};
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    eight_concurrent_drops_are_published_without_refusal,
    account_at_its_limit_delays_no_other,
    two_hundred_drops_are_published_in_order_over_days,
    full_inbox_delays_drafts_until_one_is_posted,
    sixth_account_waits_when_app_allows_five_users,
    reported_user_cap_stops_accounts_that_have_not_posted,
    unknown_daily_cap_is_probed_by_one_post,
    many_processing_posts_are_polled_within_rate_limit,
    failing_drops_stay_within_creator_info_limit;
    creators, unaudited
];

/// The number of concurrent uploads to the bucket in [`drop_all`].
const CONCURRENT_DROPS: usize = 10;
/// The codes of refusals that Dropcast's own limits avoid.
const AVOIDABLE: [&str; 4] =
    ["rate_limit_exceeded", "spam_risk_too_many_posts", "spam_risk_too_many_pending_share", "reached_active_user_cap"];

async fn eight_concurrent_drops_are_published_without_refusal((cloud, creator): WithCreator) -> Result<()> {
    let drops = drop_all(&creator, 8).await?;
    let mut waited = 0;
    for dropped in &drops {
        let post = cloud.await_post(&dropped.post, "published", is_published).await?;
        waited += usize::from(post.history.iter().any(|line| line.note.contains("uploads within a minute")));
    }
    assert!(waited >= 2, "six of eight uploads are allowed per minute, and the history of the others says so");
    creator.ledger().await?.ensure_published_each_once(&drops)?;
    ensure_no_refusal(&creator).await
}

async fn account_at_its_limit_delays_no_other(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let (busy, idle) = (create_private(&env, Mode::Direct).await?, create_private(&env, Mode::Direct).await?);
    let drops = drop_all(&busy, 9).await?;
    submit_and_work(&env, &drops).await?;
    ensure_deferred(&env, &drops[8], &Reason::UploadsPerMinute).await?;
    let waiting = env.post(&drops[8]).await?;
    let dropped = idle.drop_small("clip.mp4").await?;
    submit_and_work(&env, from_ref(&dropped)).await?;
    let post = env.post(&dropped).await?;
    assert_eq!(post.state_name(), StateName::Processing, "the other account does not wait");
    assert!(post.history.iter().all(|line| !line.note.contains("waits until")), "{:?}", post.history);
    let still = env.post(&drops[8]).await?;
    assert_eq!((still.attempt, still.due_at), (waiting.attempt, waiting.due_at), "the busy account still waits");
    env.advance_until_published(drops.len() + 1).await?;
    busy.ledger().await?.ensure_published_each_once(&drops)?;
    idle.ledger().await?.ensure_published_once(&dropped)?;
    ensure_no_refusal(&busy).await?;
    ensure_no_refusal(&idle).await
}

async fn two_hundred_drops_are_published_in_order_over_days(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Direct).await?;
    let begun = env.now();
    let drops = drop_all(&creator, 200).await?;
    // The events come in another order, as a queue may deliver them, a second apart by their own times. This is a
    // permutation, because 73 and 200 have no common divisor.
    let shuffled: Vec<_> = (0..200).map(|n| (n * 73 + 11) % 200).collect();
    let first_at = env.now() - Duration::from_secs(200);
    for &n in &shuffled {
        env.submit(&drops[n], first_at + Duration::from_secs(n as u64)).await?;
    }
    for &n in &shuffled {
        env.work(&drops[n].post).await?;
    }
    ensure_deferred(&env, &drops[199], &Reason::PostsPerDay).await?;
    let due_at = env.post(&drops[199]).await?.due_at.context("a deferred post is due")?;
    let hours = due_at.duration_since(begun).as_hours();
    assert!((12 * 24..15 * 24).contains(&hours), "the last post is due in {hours} hours, with fifteen posts per day");
    let ledger = publish_all(&env, &creator, &drops).await?;
    ensure_in_order(&ledger, &drops)?;
    ensure_no_refusal(&creator).await?;
    let days = env.now().duration_since(begun).as_hours() / 24;
    assert!((12..=14).contains(&days), "200 posts at 15 per day took {days} days");
    let polls = env.polls();
    // A poll each minute would be about 20,000.
    assert!(polls < 400, "posts that wait for days are not polled every minute: {polls} polls in {days} days");
    Ok(())
}

async fn full_inbox_delays_drafts_until_one_is_posted(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    let drops = drop_all(&creator, 7).await?;
    submit_and_work(&env, &drops).await?;
    env.advance_until(&drops[..5], &[StateName::Delivered; 5]).await?;
    ensure_deferred(&env, &drops[5], &Reason::DraftsPending).await?;
    let first = env.post(&drops[0]).await?;
    let publish = first.publish_id().context("a draft has a publish id")?;
    let posted = DraftPost { title: "by hand".to_owned(), privacy_level: simulator::PrivacyLevel::SelfOnly };
    env.tiktok.post_draft(&PublishId::new(publish.as_str()), posted)?;
    env.advance_until(&drops[5..6], &[StateName::Delivered]).await?;
    ensure_deferred(&env, &drops[6], &Reason::DraftsPending).await?;
    ensure_no_refusal(&creator).await?;
    creator.ledger().await?.ensure_no_violation()
}

async fn sixth_account_waits_when_app_allows_five_users(cloud: Arc<Cloud>) -> Result<()> {
    let five = |settings: &mut Settings| settings.active_user_cap = Some(5);
    let env = isolated_env(&cloud, five, &[("POSTING_USERS_PER_DAY", "5")]).await?;
    let (mut creators, mut drops) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let creator = create_private(&env, Mode::Direct).await?;
        let dropped = drop_all(&creator, 1).await?;
        submit_and_work(&env, &dropped).await?;
        drops.extend(dropped);
        creators.push(creator);
    }
    ensure_deferred(&env, &drops[5], &Reason::PostingUsersPerDay).await?;
    // Meanwhile one of the five can post again.
    let more = creators[0].drop_small("more.mp4").await?;
    submit_and_work(&env, from_ref(&more)).await?;
    assert_eq!(env.post(&more).await?.state_name(), StateName::Processing);
    env.advance_until(&drops[5..], &[StateName::Published]).await?;
    for creator in &creators {
        ensure_no_refusal(creator).await?;
        creator.ledger().await?.ensure_no_violation()?;
    }
    Ok(())
}

async fn reported_user_cap_stops_accounts_that_have_not_posted(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |settings| settings.active_user_cap = Some(1), &[]).await?;
    let [active, refused, late] = [
        create_private(&env, Mode::Direct).await?,
        create_private(&env, Mode::Direct).await?,
        create_private(&env, Mode::Direct).await?,
    ];
    let drops = [
        active.drop_small("clip.mp4").await?,
        refused.drop_small("clip.mp4").await?,
        late.drop_small("clip.mp4").await?,
        active.drop_small("more.mp4").await?,
    ];
    submit_and_work(&env, &drops).await?;
    for (dropped, code) in [(&drops[1], "reached_active_user_cap"), (&drops[2], Reason::PostingUsersPerDay.code())] {
        let post = env.post(dropped).await?;
        let hours = post.due_at.context("a deferred post is due")?.duration_since(env.now()).as_hours();
        assert_eq!((deferral_code(&post), hours), (Some(code), 5), "almost six hours");
    }
    assert_eq!((refusals(&refused).await?, refusals(&late).await?), (1, 0), "one refusal stops all accounts");
    assert_eq!(env.states(&drops[3..]).await?, [StateName::Processing], "an account that has posted continues");
    // Both posts of `active`, and one of another account after 24 hours, when it is the only posting user.
    env.advance_until_published(3).await?;
    active.ledger().await?.ensure_no_violation()
}

async fn unknown_daily_cap_is_probed_by_one_post(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |settings| settings.daily_post_cap = 3, &[]).await?;
    let creator = create_private(&env, Mode::Direct).await?;
    let drops = drop_all(&creator, 8).await?;
    submit_and_work(&env, &drops).await?;
    let waiting = env.post(&drops[7]).await?;
    assert_eq!(deferral_code(&waiting), Some("spam_risk_too_many_posts"), "{:?}", waiting.state);
    assert_eq!(refusals(&creator).await?, 1, "the other posts wait without a call");
    let ledger = publish_all(&env, &creator, &drops).await?;
    ensure_in_order(&ledger, &drops)?;
    let refused = refusals(&creator).await?;
    // Eight posts at three per day take less than three days.
    assert!(refused <= 12, "one call every six hours: {refused} refusals");
    Ok(())
}

async fn many_processing_posts_are_polled_within_rate_limit(cloud: Arc<Cloud>) -> Result<()> {
    // All 45 posts are processed at the same time, for three hours.
    let slow = |settings: &mut Settings| {
        settings.daily_post_cap = 100;
        settings.processing_ms = 3 * 3_600_000;
    };
    let env = isolated_env(&cloud, slow, &[("POSTS_PER_DAY", "100")]).await?;
    let creator = create_private(&env, Mode::Direct).await?;
    let drops = drop_all(&creator, 45).await?;
    submit_and_work(&env, &drops).await?;
    let ledger = publish_all(&env, &creator, &drops).await?;
    ensure_no_refusal(&creator).await?;
    assert!(ledger.calls_of(Endpoint::StatusFetch) > drops.len(), "the polls were repeated");
    Ok(())
}

async fn failing_drops_stay_within_creator_info_limit(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    // A public user does not offer this level, so each post fails after its call for the creator's info.
    let creator = Creator::create_with(&env.cloud, |setup| {
        setup.defaults.privacy_level = Some(PrivacyLevel::FollowerOfCreator);
    })
    .await?;
    let drops = drop_all(&creator, 30).await?;
    submit_and_work(&env, &drops).await?;
    assert_eq!(creator.ledger().await?.calls_of(Endpoint::CreatorInfo), 20, "the other posts wait");
    ensure_deferred(&env, &drops[25], &Reason::CallsPerMinute).await?;
    env.advance_until(&drops, &[StateName::Failed; 30]).await?;
    ensure_no_refusal(&creator).await?;
    creator.ledger().await?.ensure_no_init()
}

/// Starts an isolated environment with the stack's own TikTok app.
pub(crate) async fn isolated_env(
    cloud: &Cloud,
    settings: impl FnOnce(&mut Settings),
    variables: &[(&str, &str)],
) -> Result<IsolatedEnv> {
    let secret = app_secret(cloud).await?;
    let (client_key, client_secret) =
        (text(&secret, "client_key")?.to_owned(), text(&secret, "client_secret")?.to_owned());
    IsolatedEnv::start(cloud, App { client_key, client_secret }, settings, variables).await
}

/// Creates a creator whose posts are private, so that there is no public link to wait for.
pub(crate) async fn create_private(env: &IsolatedEnv, mode: Mode) -> Result<Creator> {
    Creator::create_with(&env.cloud, |setup| {
        setup.defaults.mode = Some(mode);
        setup.defaults.privacy_level = Some(PrivacyLevel::SelfOnly);
    })
    .await
}

async fn drop_all(creator: &Creator, count: usize) -> Result<Vec<Dropped>> {
    let drop = async |n| creator.drop_video(&format!("clip-{n:03}.mp4"), &TestVideo::small()).await;
    stream::iter(0..count).map(drop).buffered(CONCURRENT_DROPS).try_collect().await
}

/// Handles the event of each drop, then runs a worker on its post. The events' times are a millisecond apart.
async fn submit_and_work(env: &IsolatedEnv, drops: &[Dropped]) -> Result<()> {
    let begun = env.now() - Duration::from_millis(drops.len() as u64);
    for (n, dropped) in (0..).zip(drops) {
        env.submit(dropped, begun + Duration::from_millis(n)).await?;
        env.work(&dropped.post).await?;
    }
    Ok(())
}

/// Advances until all drops are published, and checks that each is published once.
pub(crate) async fn publish_all(env: &IsolatedEnv, creator: &Creator, drops: &[Dropped]) -> Result<LedgerView> {
    env.run_woken().await?;
    env.advance_until_published(drops.len()).await?;
    let ledger = creator.ledger().await?;
    ledger.ensure_published_each_once(drops)?;
    Ok(ledger)
}

async fn ensure_deferred(env: &IsolatedEnv, dropped: &Dropped, reason: &Reason) -> Result<()> {
    let post = env.post(dropped).await?;
    assert_eq!(deferral_code(&post), Some(reason.code()), "{:?}", post.state);
    Ok(())
}

/// The number of TikTok's avoidable refusals of a creator's calls.
async fn refusals(creator: &Creator) -> Result<usize> {
    let calls = creator.ledger().await?.calls;
    Ok(calls.iter().filter(|call| AVOIDABLE.contains(&call.code.as_str())).count())
}

async fn ensure_no_refusal(creator: &Creator) -> Result<()> {
    assert_eq!(refusals(creator).await?, 0);
    Ok(())
}

fn ensure_in_order(ledger: &LedgerView, drops: &[Dropped]) -> Result<()> {
    for (n, (published, dropped)) in ledger.publications.iter().zip(drops).enumerate() {
        ensure!(published.sha256 == dropped.video.sha256, "publication {n} is not drop {n}");
    }
    Ok(())
}
