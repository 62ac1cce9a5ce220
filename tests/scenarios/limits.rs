//! TikTok's limits: nobody meets one that could have been known, nobody is held
//! up by another account's, and everything goes in the end, in the order dropped.
//!
//! Where days pass, the story has a stage of its own ([`Apart`]) with a clock of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::options::{Mode, PrivacyLevel};
use domain::post::{Post, PostState, StateName};
use domain::reason::Reason;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use simulator::{DraftPost, Endpoint, PublishId, Settings};
use tests::{Apart, App, Casting, Cloud, Counter, Creator, Dropped, Footage, Patience};

use crate::aftermath::aws;
use crate::harness::stories;

stories![among:
    seven_drops_at_once_are_all_published_without_a_refusal,
    an_account_at_its_limit_delays_no_other,
    two_hundred_drops_are_published_over_days_in_the_order_dropped,
    five_drafts_fill_an_inbox_and_the_next_goes_when_one_is_posted,
    the_sixth_account_of_an_app_for_five_waits_for_its_day,
    a_cap_on_users_that_only_tiktok_knows_stops_those_who_have_not_posted,
    a_cap_that_only_tiktok_knows_is_asked_about_by_one_post_at_a_time,
    a_crowd_that_tiktok_works_on_is_asked_about_within_the_limit,
    drops_that_fail_one_after_the_other_keep_the_limit_on_asking,
];

/// How many videos are on their way into the bucket at once.
const AT_ONCE: usize = 10;
/// The codes of refusals that a budget is there to avoid.
const AVOIDABLE: [&str; 4] =
    ["rate_limit_exceeded", "spam_risk_too_many_posts", "spam_risk_too_many_pending_share", "reached_active_user_cap"];

async fn seven_drops_at_once_are_all_published_without_a_refusal(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let drops = drop_all(&maker, 8).await?;
    let mut waited = 0;
    for dropped in &drops {
        let post = cloud.await_post(&dropped.post, "published", Patience::seconds(240), is_published).await?;
        waited += usize::from(post.history.iter().any(|line| line.note.contains("uploads within a minute")));
    }
    assert!(waited >= 2, "those over the minute's six say what they waited for");
    let book = maker.book().await?;
    book.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())?;
    assert_eq!(refusals(&maker).await?, 0);
    Ok(())
}

async fn an_account_at_its_limit_delays_no_other(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |_| {}, &[]).await?;
    let (busy, idle) = (private(&stage, Mode::Direct).await?, private(&stage, Mode::Direct).await?);
    let drops = drop_all(&busy, 9).await?;
    hear_and_work(&stage, &drops)?;
    let waiting = stage.cloud.post(&drops[8].post).await?;
    assert_eq!(deferral_of(&waiting), Some(Reason::UploadsPerMinute.code()), "{:?}", waiting.state);
    let dropped = idle.drops("clip.mp4", &Footage::fresh()?).await?;
    hear_and_work(&stage, std::slice::from_ref(&dropped))?;
    let post = stage.cloud.post(&dropped.post).await?;
    assert_eq!(post.state_name(), StateName::Processing, "it goes while the other waits");
    assert!(post.history.iter().all(|line| !line.note.contains("waits until")), "{:?}", post.history);
    let still = stage.cloud.post(&drops[8].post).await?;
    assert_eq!((still.attempt, still.due_at), (waiting.attempt, waiting.due_at), "the busy account still waits");
    while stage.tiktok.ledger().publications.len() < drops.len() + 1 {
        stage.pass().await?;
    }
    busy.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())?;
    idle.book().await?.ensure_published_once(&dropped)?;
    assert_eq!((refusals(&busy).await?, refusals(&idle).await?), (0, 0));
    Ok(())
}

async fn two_hundred_drops_are_published_over_days_in_the_order_dropped(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |_| {}, &[]).await?;
    let maker = private(&stage, Mode::Direct).await?;
    let begun = stage.now();
    let drops = drop_all(&maker, 200).await?;
    hear_shuffled(&stage, &drops)?;
    for dropped in shuffled(&drops) {
        stage.work(&dropped.post)?;
    }
    let waiting = stage.cloud.post(&drops[199].post).await?;
    assert_eq!(deferral_of(&waiting), Some(Reason::PostsPerDay.code()), "{:?}", waiting.state);
    let told = waiting.due_at.context("it says when")?.duration_since(begun).as_hours();
    assert!((12 * 24..15 * 24).contains(&told), "fifteen a day: it is told to come in {told} hours");
    let book = publish_all(&stage, &maker, &drops).await?;
    ensure_in_order(&book, &drops)?;
    assert_eq!(refusals(&maker).await?, 0);
    let days = stage.now().duration_since(begun).as_hours() / 24;
    assert!((12..=14).contains(&days), "thirteen times fifteen and five, and it took {days} days");
    let looks = stage.looks();
    assert!(looks < 400, "nobody knocks every minute: {looks} looks in {days} days");
    Ok(())
}

async fn five_drafts_fill_an_inbox_and_the_next_goes_when_one_is_posted(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |_| {}, &[]).await?;
    let maker = private(&stage, Mode::Draft).await?;
    let drops = drop_all(&maker, 7).await?;
    hear_and_work(&stage, &drops)?;
    while stage.states(&drops[..5]).await? != [StateName::Delivered; 5] {
        stage.pass().await?;
    }
    let waiting = stage.cloud.post(&drops[5].post).await?;
    assert_eq!(deferral_of(&waiting), Some(Reason::DraftsPending.code()), "{:?}", waiting.state);
    let first = stage.cloud.post(&drops[0].post).await?;
    let publish = first.publish_id().context("a draft has a publish id")?;
    let posted = DraftPost { title: "by hand".to_owned(), privacy_level: simulator::PrivacyLevel::SelfOnly };
    stage.tiktok.post_draft(&PublishId::new(publish.as_str()), posted)?;
    while stage.states(&drops[5..6]).await? != [StateName::Delivered] {
        stage.pass().await?;
    }
    assert_eq!(deferral_of(&stage.cloud.post(&drops[6].post).await?), Some(Reason::DraftsPending.code()));
    assert_eq!(refusals(&maker).await?, 0);
    maker.book().await?.ensure_no_rule_broken()
}

async fn the_sixth_account_of_an_app_for_five_waits_for_its_day(cloud: Arc<Cloud>) -> Result<()> {
    let five = |settings: &mut Settings| settings.active_user_cap = Some(5);
    let stage = stage(&cloud, five, &[("POSTING_USERS_PER_DAY", "5")]).await?;
    let (mut makers, mut drops) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let maker = private(&stage, Mode::Direct).await?;
        let dropped = drop_all(&maker, 1).await?;
        hear_and_work(&stage, &dropped)?;
        drops.extend(dropped);
        makers.push(maker);
    }
    let last = stage.cloud.post(&drops[5].post).await?;
    assert_eq!(deferral_of(&last), Some(Reason::PostingUsersPerDay.code()), "{:?}", last.state);
    // One of the five goes on meanwhile.
    let more = makers[0].drops("more.mp4", &Footage::fresh()?).await?;
    hear_and_work(&stage, std::slice::from_ref(&more))?;
    assert_eq!(stage.cloud.post(&more.post).await?.state_name(), StateName::Processing);
    while stage.states(&drops[5..]).await? != [StateName::Published] {
        stage.pass().await?;
    }
    for maker in &makers {
        assert_eq!(refusals(maker).await?, 0);
        maker.book().await?.ensure_no_rule_broken()?;
    }
    Ok(())
}

async fn a_cap_on_users_that_only_tiktok_knows_stops_those_who_have_not_posted(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |settings| settings.active_user_cap = Some(1), &[]).await?;
    let (active, refused, late) = (
        private(&stage, Mode::Direct).await?,
        private(&stage, Mode::Direct).await?,
        private(&stage, Mode::Direct).await?,
    );
    let first = active.drops("clip.mp4", &Footage::fresh()?).await?;
    let (second, third) =
        (refused.drops("clip.mp4", &Footage::fresh()?).await?, late.drops("clip.mp4", &Footage::fresh()?).await?);
    let more = active.drops("more.mp4", &Footage::fresh()?).await?;
    hear_and_work(&stage, &[first.clone(), second.clone(), third.clone(), more.clone()])?;
    let waits = async |dropped: &Dropped| {
        let post = stage.cloud.post(&dropped.post).await?;
        let hours = post.due_at.context("it says when")?.duration_since(stage.now()).as_hours();
        anyhow::Ok((deferral_of(&post).map(str::to_owned), hours))
    };
    assert_eq!(waits(&second).await?, (Some("reached_active_user_cap".to_owned()), 5), "six hours, less a moment");
    assert_eq!(waits(&third).await?, (Some(Reason::PostingUsersPerDay.code().to_owned()), 5));
    assert_eq!((refusals(&refused).await?, refusals(&late).await?), (1, 0), "it is TikTok's word for all");
    assert_eq!(stage.states(&[more]).await?, [StateName::Processing], "who has posted goes on");
    while stage.tiktok.ledger().publications.len() < 3 {
        stage.pass().await?;
    }
    active.book().await?.ensure_no_rule_broken()
}

async fn a_cap_that_only_tiktok_knows_is_asked_about_by_one_post_at_a_time(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |settings| settings.daily_post_cap = 3, &[]).await?;
    let maker = private(&stage, Mode::Direct).await?;
    let drops = drop_all(&maker, 8).await?;
    hear_and_work(&stage, &drops)?;
    let waiting = stage.cloud.post(&drops[7].post).await?;
    assert_eq!(deferral_of(&waiting), Some("spam_risk_too_many_posts"), "{:?}", waiting.state);
    assert_eq!(refusals(&maker).await?, 1, "the others heard of it here");
    let book = publish_all(&stage, &maker, &drops).await?;
    ensure_in_order(&book, &drops)?;
    let refused = refusals(&maker).await?;
    assert!(refused <= 12, "one question every six hours: {refused} refusals");
    Ok(())
}

async fn a_crowd_that_tiktok_works_on_is_asked_about_within_the_limit(cloud: Arc<Cloud>) -> Result<()> {
    let slow = |settings: &mut Settings| {
        settings.daily_post_cap = 100;
        settings.processing_ms = 3 * 3_600_000;
    };
    let stage = stage(&cloud, slow, &[("POSTS_PER_DAY", "100")]).await?;
    let maker = private(&stage, Mode::Direct).await?;
    let drops = drop_all(&maker, 45).await?;
    hear_and_work(&stage, &drops)?;
    let book = publish_all(&stage, &maker, &drops).await?;
    assert_eq!(refusals(&maker).await?, 0);
    assert!(book.calls_of(Endpoint::StatusFetch) > drops.len());
    Ok(())
}

async fn drops_that_fail_one_after_the_other_keep_the_limit_on_asking(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |_| {}, &[]).await?;
    let followers = |casting: &mut Casting| casting.defaults.privacy_level = Some(PrivacyLevel::FollowerOfCreator);
    let maker = Creator::cast(&stage.cloud, followers).await?;
    let drops = drop_all(&maker, 30).await?;
    hear_and_work(&stage, &drops)?;
    assert_eq!(maker.book().await?.calls_of(Endpoint::CreatorInfo), 20, "the others wait");
    let waiting = stage.cloud.post(&drops[25].post).await?;
    assert_eq!(deferral_of(&waiting), Some(Reason::CallsPerMinute.code()), "{:?}", waiting.state);
    while stage.states(&drops).await? != [StateName::Failed; 30] {
        stage.pass().await?;
    }
    assert_eq!(refusals(&maker).await?, 0);
    maker.book().await?.ensure_never_begun()
}

/// A stage whose TikTok knows the app by the stack's own credentials.
pub(crate) async fn stage(
    cloud: &Cloud,
    settings: impl FnOnce(&mut Settings),
    variables: &[(&str, &str)],
) -> Result<Apart> {
    let secret = &cloud.outputs().app_secret_arn;
    let secret = aws(cloud, &["secretsmanager", "get-secret-value", "--secret-id", secret]).await?;
    let secret: Value = serde_json::from_str(secret["SecretString"].as_str().context("the app's secret is text")?)?;
    let named = |name: &str| secret[name].as_str().map(str::to_owned).context("the app's secret is whole");
    let app = App { client_key: named("client_key")?, client_secret: named("client_secret")? };
    Apart::set_up(cloud, app, settings, variables).await
}

/// A creator whose posts have no public link to wait for.
pub(crate) async fn private(stage: &Apart, mode: Mode) -> Result<Creator> {
    let casting = |casting: &mut Casting| {
        casting.defaults.mode = Some(mode);
        casting.defaults.privacy_level = Some(PrivacyLevel::SelfOnly);
    };
    Creator::cast(&stage.cloud, casting).await
}

async fn drop_all(maker: &Creator, count: usize) -> Result<Vec<Dropped>> {
    let drop = async |n| maker.drops(&format!("clip-{n:03}.mp4"), &Footage::fresh()?).await;
    stream::iter(0..count).map(drop).buffered(AT_ONCE).try_collect().await
}

/// The same in an order in which queues might deliver their events.
fn shuffled(drops: &[Dropped]) -> Vec<&Dropped> {
    let count = drops.len();
    (0..count).map(|n| &drops[(n * 73 + 11) % count]).collect()
}

fn hear_shuffled(stage: &Apart, drops: &[Dropped]) -> Result<()> {
    let begun = stage.now() - Duration::from_secs(drops.len() as u64);
    let place = |dropped: &Dropped| drops.iter().position(|other| other.post == dropped.post).unwrap_or_default();
    let heard = shuffled(drops);
    let heard: Vec<_> = heard.into_iter().map(|it| (it, begun + Duration::from_secs(place(it) as u64))).collect();
    stage.hear(&heard)
}

fn hear_and_work(stage: &Apart, drops: &[Dropped]) -> Result<()> {
    let begun = stage.now() - Duration::from_millis(drops.len() as u64);
    for (n, dropped) in (0..).zip(drops) {
        stage.hear(&[(dropped, begun + Duration::from_millis(n))])?;
        stage.work(&dropped.post)?;
    }
    Ok(())
}

/// Lets time pass until all is published, and makes sure that each is once.
pub(crate) async fn publish_all(stage: &Apart, maker: &Creator, drops: &[Dropped]) -> Result<Counter> {
    stage.answer_bells().await?;
    while stage.tiktok.ledger().publications.len() < drops.len() {
        stage.pass().await?;
    }
    let book = maker.book().await?;
    book.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())?;
    Ok(book)
}

fn is_published(post: &Post) -> bool {
    post.state_name() == StateName::Published
}

fn deferral_of(post: &Post) -> Option<&str> {
    match &post.state {
        PostState::Queued { deferral: Some(deferral), .. } => Some(deferral.reason.code()),
        _ => None,
    }
}

/// How often TikTok refused a creator for a limit.
async fn refusals(maker: &Creator) -> Result<usize> {
    let calls = maker.book().await?.calls;
    Ok(calls.iter().filter(|call| AVOIDABLE.contains(&call.code.as_str())).count())
}

fn ensure_in_order(book: &Counter, drops: &[Dropped]) -> Result<()> {
    for (n, (published, dropped)) in book.publications.iter().zip(drops).enumerate() {
        ensure!(
            published.sha256 == dropped.footage.sha256,
            "number {n} to be published is another than number {n} dropped"
        );
    }
    Ok(())
}
