//! Recovery after outages and wrong answers of TikTok: soon, and without a second post.
//!
//! These scenarios take hours, so each uses an [`IsolatedEnv`], which has a clock of its own.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::account::{Connection, Requirement};
use domain::options::Mode;
use domain::post::{Outcome, Post, PostState, StateName};
use harness::{Cloud, Creator, Dropped, IsolatedEnv, TestVideo, deferral_code};
use jiff::Timestamp;
use posting::Commands;
use simulator::{
    DraftPost, Effect, Ending, Endpoint, Fault, FaultKind, PublishId, RefreshFields, RefreshRotation, Settings,
    UploadedBytes,
};

use crate::limits::{create_private, isolated_env};
use crate::outcomes::refusal;
use crate::runner::{for_each, scenarios};
use crate::tokens::REMOVED_BY_USER;
use crate::transfers::{TWO_CHUNKS, at, status};

scenarios![concurrent:
    outage_of_init_delays_draft_by_two_back_offs_at_most,
    unanswered_inits_of_five_drafts_block_no_draft,
    later_retry_after_is_respected,
    denied_publish_fails_only_after_an_hour,
    frozen_position_never_causes_second_init,
    refresh_without_refresh_token_keeps_account_connected,
    single_refusal_of_fresh_token_keeps_account_connected,
    refused_refresh_keeps_living_access_token_in_use,
    account_of_scheduled_post_is_checked_in_advance,
    stale_queue_entry_stops_no_other_post,
    held_post_is_released_within_a_day
];

/// The longest back-off (`backoff` in domain/src/failure.rs).
const MAX_BACK_OFF: Duration = Duration::from_mins(5);
/// Chunks of TikTok's smallest size, so that a video of [`TWO_CHUNKS`] bytes has two.
const SMALL_CHUNKS: [(&str, &str); 1] = [("CHUNK_BYTES", "5242880")];

fn init_fault(kind: FaultKind) -> Fault {
    Fault::new(Endpoint::InboxInit, kind)
}

fn time_since(env: &IsolatedEnv, since: Timestamp) -> Duration {
    Duration::try_from(env.now().duration_since(since)).unwrap_or_default()
}

/// Handles the event of a drop, and runs a worker on its post.
async fn submit_and_work(env: &IsolatedEnv, dropped: &Dropped) -> Result<()> {
    env.submit(dropped, env.now()).await?;
    env.work(&dropped.post).await.map(drop)
}

/// Advances until an outage is over after this time, clears it, and then until all drafts are delivered. Returns how long
/// the last part took.
async fn delivered_after_outage(env: &IsolatedEnv, drops: &[Dropped], outage: Duration) -> Result<Duration> {
    let begun = env.now();
    while time_since(env, begun) < outage {
        env.advance().await?;
    }
    env.tiktok.clear_faults();
    let recovered = env.now();
    env.advance_until(drops, &vec![StateName::Delivered; drops.len()]).await?;
    Ok(time_since(env, recovered))
}

async fn outage_of_init_delays_draft_by_two_back_offs_at_most(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    creator.inject(init_fault(status(503, Effect::Skipped)).until_cleared()).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    submit_and_work(&env, &dropped).await?;
    let delay = delivered_after_outage(&env, from_ref(&dropped), Duration::from_mins(40)).await?;
    // A poll a minute finds the post, and another one the result.
    assert!(delay <= 2 * MAX_BACK_OFF + Duration::from_mins(2), "delivered {delay:?} after the outage");
    let post = env.post(&dropped).await?;
    assert!(
        post.history.iter().all(|entry| !entry.note.contains("drafts are")),
        "no limit was reached: {:?}",
        post.history
    );
    creator.ledger().await?.ensure_no_violation()
}

async fn unanswered_inits_of_five_drafts_block_no_draft(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    creator.inject(init_fault(FaultKind::ResetAfterBody).until_cleared()).await?;
    let mut drops = Vec::new();
    for n in 0..5 {
        let dropped = creator.drop_small(&format!("clip-{n}.mp4")).await?;
        submit_and_work(&env, &dropped).await?;
        drops.push(dropped);
    }
    let delay = delivered_after_outage(&env, &drops, Duration::from_mins(40)).await?;
    assert!(delay <= 2 * MAX_BACK_OFF + Duration::from_mins(2), "delivered {delay:?} after the outage");
    creator.ledger().await?.ensure_no_violation()
}

async fn later_retry_after_is_respected(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |settings| settings.retry_after_s = Some(3600), &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    creator.inject(init_fault(status(503, Effect::Skipped))).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    submit_and_work(&env, &dropped).await?;
    let due_at = env.post(&dropped).await?.due_at.context("a deferred post is due")?;
    let wait = due_at.duration_since(env.now()).as_secs();
    assert!((3599..=3601).contains(&wait), "TikTok asked for an hour, and the post waits {wait} s");
    env.advance_until(from_ref(&dropped), &[StateName::Delivered]).await
}

async fn denied_publish_fails_only_after_an_hour(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let denial = || refusal(Endpoint::StatusFetch, 400, "invalid_publish_id");
    let briefly = create_private(&env, Mode::Direct).await?;
    briefly.inject(denial().times(2)).await?;
    let dropped = briefly.drop_small("clip.mp4").await?;
    submit_and_work(&env, &dropped).await?;
    env.advance_until(from_ref(&dropped), &[StateName::Published]).await?;
    briefly.ledger().await?.ensure_published_once(&dropped)?;

    let constantly = create_private(&env, Mode::Direct).await?;
    constantly.inject(denial().until_cleared()).await?;
    let dropped = constantly.drop_small("clip.mp4").await?;
    let begun = env.now();
    submit_and_work(&env, &dropped).await?;
    env.advance_until(from_ref(&dropped), &[StateName::Failed]).await?;
    assert!(time_since(&env, begun) >= Duration::from_hours(1), "{:?}", time_since(&env, begun));
    ensure_unknown_outcome(&env.post(&dropped).await?);
    assert_eq!(constantly.ledger().await?.publishes.len(), 1);
    Ok(())
}

/// TikTok has every byte, refuses the last chunk all the same, and reports a position that never includes it.
async fn frozen_position_never_causes_second_init(cloud: Arc<Cloud>) -> Result<()> {
    let frozen = |settings: &mut Settings| settings.uploaded_bytes.set(UploadedBytes::WithoutLastChunk);
    let endless = |settings: &mut Settings| {
        frozen(settings);
        settings.processing_ms = 100 * 3_600_000;
    };
    let refusals = [200, 403].map(|http| status(http, Effect::Happens));
    let lost = FaultKind::LoseAnswer { ending: Ending::Close };
    for_each(refusals.into_iter().chain([lost]), async |fault| {
        let env = isolated_env(&cloud, frozen, &SMALL_CHUNKS).await?;
        let (creator, dropped) = drop_two_chunks(&env, fault.clone()).await?;
        env.advance_until_published(1).await?;
        env.advance_until(from_ref(&dropped), &[StateName::Published]).await?;
        assert_eq!(creator.ledger().await?.publishes.len(), 1, "{fault:?}");

        let env = isolated_env(&cloud, endless, &SMALL_CHUNKS).await?;
        let (creator, dropped) = drop_two_chunks(&env, fault.clone()).await?;
        let begun = env.now();
        env.advance_until(from_ref(&dropped), &[StateName::Failed]).await?;
        ensure_unknown_outcome(&env.post(&dropped).await?);
        assert!(time_since(&env, begun) >= Duration::from_mins(70), "{fault:?}: the URL and its margin");
        let ledger = creator.ledger().await?;
        assert_eq!(ledger.publishes.len(), 1, "{fault:?}");
        let chunks = ledger.calls_of(Endpoint::Upload);
        assert!(chunks <= 40, "{fault:?}: {chunks} chunks were sent in an hour");
        Ok(())
    })
    .await
}

/// Drops a video of two chunks, and works on it with this fault of the last chunk.
async fn drop_two_chunks(env: &IsolatedEnv, fault: FaultKind) -> Result<(Creator, Dropped)> {
    let creator = create_private(env, Mode::Direct).await?;
    creator.inject(at(2, fault)).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    submit_and_work(env, &dropped).await?;
    Ok((creator, dropped))
}

fn ensure_unknown_outcome(post: &Post) {
    assert!(matches!(post.state, PostState::Failed { outcome: Outcome::Unknown, .. }), "{:?}", post.state);
}

async fn refresh_without_refresh_token_keeps_account_connected(cloud: Arc<Cloud>) -> Result<()> {
    let settings = |settings: &mut Settings| {
        settings.refresh_rotation.set(RefreshRotation::Unchanged);
        settings.refresh_fields = RefreshFields::AccessTokenOnly;
    };
    let env = isolated_env(&cloud, settings, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    let before = creator.account().await?;
    // Access tokens are valid for two hours. After each pause, the old one is refreshed.
    for n in 0..2 {
        env.tiktok.advance(3 * 3600);
        let dropped = creator.drop_small(&format!("clip-{n}.mp4")).await?;
        submit_and_work(&env, &dropped).await?;
        env.advance_until(from_ref(&dropped), &[StateName::Delivered]).await?;
    }
    let after = creator.account().await?;
    assert_eq!(
        (&after.connection, &after.open_id, &after.scopes),
        (&Connection::Connected, &before.open_id, &before.scopes)
    );
    let kept = after.tokens.refresh_expires_at.duration_since(before.tokens.refresh_expires_at).as_secs();
    assert!(kept.abs() <= 1, "the refresh token keeps its end");
    Ok(())
}

async fn single_refusal_of_fresh_token_keeps_account_connected(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let refused = |times| refusal(Endpoint::InboxInit, 401, "access_token_invalid").times(times);
    let creator = create_private(&env, Mode::Draft).await?;
    // The old token, and the fresh one.
    creator.inject(refused(2)).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    submit_and_work(&env, &dropped).await?;
    assert_eq!(creator.account().await?.connection, Connection::Connected);
    env.advance_until(from_ref(&dropped), &[StateName::Delivered]).await?;

    // No token of this creator is accepted in between.
    let creator = create_private(&env, Mode::Draft).await?;
    creator.inject(refused(4)).await?;
    let next = creator.drop_small("next.mp4").await?;
    submit_and_work(&env, &next).await?;
    env.advance().await?;
    let connection = creator.account().await?.connection;
    assert!(matches!(connection, Connection::NeedsReconnect { .. }), "a second refusal a minute later: {connection:?}");
    Ok(())
}

async fn refused_refresh_keeps_living_access_token_in_use(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    // Access tokens are valid for two hours, and a call requires 15 minutes.
    env.tiktok.advance(110 * 60);
    creator.inject(refusal(Endpoint::Token, 400, "invalid_grant").until_cleared()).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    submit_and_work(&env, &dropped).await?;
    let connection = creator.account().await?.connection;
    assert!(matches!(connection, Connection::NeedsReconnect { .. }), "it is reported at once: {connection:?}");
    env.advance_until(from_ref(&dropped), &[StateName::Delivered]).await?;
    env.tiktok.advance(11 * 60);
    let late = creator.drop_small("late.mp4").await?;
    submit_and_work(&env, &late).await?;
    assert_eq!(deferral_code(&env.post(&late).await?), Some("needs_reconnect"), "the access token has expired");
    Ok(())
}

async fn account_of_scheduled_post_is_checked_in_advance(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    let publish_at = env.now() + Duration::from_hours(5);
    let metadata = [("dropcast-publish-at", &*publish_at.to_string())];
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &metadata).await?;
    submit_and_work(&env, &dropped).await?;
    env.tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER)?;
    env.advance().await?;
    let lead = publish_at.duration_since(env.now()).as_mins();
    assert!((60..=120).contains(&lead), "checked {lead} minutes ahead");
    let post = env.post(&dropped).await?;
    let note = &post.history.last().context("a post has a history")?.note;
    assert!(note.contains("its account cannot post at present"), "{note}");
    let due_at = post.due_at.context("a scheduled post is due")?;
    assert_eq!((post.state_name(), due_at.as_second()), (StateName::Scheduled, publish_at.as_second()));
    assert!(matches!(creator.account().await?.connection, Connection::NeedsReconnect { .. }), "it is reported");
    creator.reconnect().await?;
    env.advance_until(from_ref(&dropped), &[StateName::Delivered]).await
}

/// An index is updated later than its table: after a post has left the queue, a query can still return it.
async fn stale_queue_entry_stops_no_other_post(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    let mut drops = Vec::new();
    for n in 0..7 {
        let dropped = creator.drop_small(&format!("clip-{n}.mp4")).await?;
        submit_and_work(&env, &dropped).await?;
        drops.push(dropped);
    }
    env.advance_until(&drops[..5], &[StateName::Delivered; 5]).await?;
    let queued = queue_attributes(&env, &drops[5]).await?;
    Commands::from(&env.dependencies).cancel(&drops[5].post).await?;
    put_queue_attributes(&env, &drops[5], queued).await?;
    let publish = env.post(&drops[0]).await?.publish_id().context("a draft has a publish id")?.clone();
    let posted = DraftPost { title: "by hand".to_owned(), privacy_level: simulator::PrivacyLevel::SelfOnly };
    env.tiktok.post_draft(&PublishId::new(publish.as_str()), posted)?;
    env.advance_until(&drops[..1], &[StateName::Published]).await?;
    let room = env.now();
    env.advance_until(&drops[6..], &[StateName::Delivered]).await?;
    let delay = time_since(&env, room);
    assert!(delay < Duration::from_mins(10), "the next post waited {delay:?} behind one that had left the queue");
    Ok(())
}

/// The attributes of the index `account_queue` that a post has.
async fn queue_attributes(env: &IsolatedEnv, dropped: &Dropped) -> Result<Vec<(String, AttributeValue)>> {
    let table = &env.cloud.outputs().posts_table;
    let read = env.cloud.dynamodb.get_item().table_name(table).key("id", AttributeValue::S(dropped.post.to_string()));
    let item = read.consistent_read(true).send().await?.item.context("the post does not exist")?;
    let is_of_queue = |name: &str| name.starts_with("queue_") || name == "account_queue";
    Ok(item.into_iter().filter(|(name, _)| is_of_queue(name)).collect())
}

/// Makes the index return a post that has left the queue.
async fn put_queue_attributes(
    env: &IsolatedEnv,
    dropped: &Dropped,
    attributes: Vec<(String, AttributeValue)>,
) -> Result<()> {
    let table = &env.cloud.outputs().posts_table;
    let mut update =
        env.cloud.dynamodb.update_item().table_name(table).key("id", AttributeValue::S(dropped.post.to_string()));
    let mut assignments = Vec::new();
    for (n, (name, value)) in attributes.into_iter().enumerate() {
        update = update.expression_attribute_names(format!("#{n}"), name);
        update = update.expression_attribute_values(format!(":{n}"), value);
        assignments.push(format!("#{n} = :{n}"));
    }
    update.update_expression(format!("SET {}", assignments.join(", "))).send().await?;
    Ok(())
}

/// The account is configured while a worker stores the hold, so the command that releases held posts does not find it.
async fn held_post_is_released_within_a_day(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = create_private(&env, Mode::Draft).await?;
    let configure = async |review| {
        let stored = env.cloud.accounts.get(&creator.alias).await?.context("the account does not exist")?;
        let mut account = stored.value.clone();
        account.preferences.review = review;
        env.cloud.accounts.save(stored, account, env.now()).await?;
        anyhow::Ok(())
    };
    configure(Requirement::Required).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    submit_and_work(&env, &dropped).await?;
    assert_eq!(env.states(from_ref(&dropped)).await?, [StateName::Held]);
    env.advance().await?;
    assert_eq!(env.states(from_ref(&dropped)).await?, [StateName::Held], "the account still requires a review");
    configure(Requirement::Optional).await?;
    env.advance_until(from_ref(&dropped), &[StateName::Delivered]).await
}
