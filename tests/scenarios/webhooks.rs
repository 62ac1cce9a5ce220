//! TikTok's webhooks about posts: before a poll, after it, during it, and while a worker holds the post.
//!
//! For most creators here, every poll fails, so Dropcast learns the states of their posts from webhooks only.

pub(crate) mod auth;
pub(crate) mod fixture;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::{Account, Connection};
use domain::post::{Post, PostState, StateName};
use domain::report::Links;
use harness::{Cloud, Creator, Dropped, TestVideo, WriteFault};
use jiff::SignedDuration;
use posting::{ReceiveError, Webhooks};
use serde_json::json;
use simulator::{Delivery, Endpoint, FailReason, Fault, FaultKind, Moment, PublishId, Scope, WebhookDelivery};
use storage::{Posts, WebhookLog};

use auth::delivered_draft;
use fixture::{WebhookFixture, await_delivery, webhook};

use crate::drops::drafts::post_by_hand;
use crate::outcomes::refusal;
use crate::runner::scenarios;
use crate::tokens::REMOVED_BY_USER;

scenarios![concurrent:
    webhooks_alone_publish_post_with_link,
    webhook_during_upload_wins_over_the_worker,
    webhook_during_poll_wins_over_the_poll,
    webhook_after_poll_changes_nothing,
    webhooks_alone_deliver_and_publish_draft,
    failure_webhook_fails_or_restarts_the_post,
    hidden_video_loses_link_despite_late_webhook,
    deauthorization_webhook_defers_posts_and_late_repeat_is_ignored,
    webhook_that_cannot_be_stored_is_accepted_on_repeat;
    auth
];

/// Creates a creator for whom TikTok sends webhooks, and for whom every poll fails.
pub(crate) async fn create_without_polls(cloud: &Arc<Cloud>) -> Result<Creator> {
    let creator = Creator::create_with(cloud, |setup| {
        setup.user.webhooks = WebhookDelivery::Enabled;
        // Webhooks do not contain the cover's link. Without this scope, Dropcast does not ask for it.
        setup.scopes.retain(|scope| *scope != Scope::VideoList);
    })
    .await?;
    creator.inject(refusal(Endpoint::StatusFetch, 500, "internal_error").until_cleared()).await?;
    Ok(creator)
}

fn links(post: &Post) -> Option<&Links> {
    match &post.state {
        PostState::Published { links, .. } => Some(links),
        _ => None,
    }
}

/// Waits until a post is published with a link, and checks that it was published once and that the link is correct.
pub(crate) async fn await_link(cloud: &Cloud, creator: &Creator, dropped: &Dropped) -> Result<Post> {
    let has_link = |post: &Post| links(post).is_some_and(|links| links.share_url.is_some());
    let post = cloud.await_post(&dropped.post, "published, with its link", has_link).await?;
    let ledger = creator.ledger().await?;
    let id = &ledger.ensure_published_once(dropped)?.post_id;
    let expected = format!("https://www.tiktok.com/@{}/video/{id}", creator.user.username);
    assert_eq!(links(&post).and_then(|links| links.share_url.as_ref()), Some(&expected));
    Ok(post)
}

/// Drops a draft, and waits until it is delivered. Returns the publish id.
async fn deliver_draft(creator: &Creator) -> Result<(Dropped, String)> {
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &[("dropcast-mode", "draft")]).await?;
    let delivered = creator.cloud.await_state(&dropped.post, StateName::Delivered).await?;
    Ok((dropped, delivered.publish_id().context("a draft has a publish id")?.to_string()))
}

async fn webhooks_alone_publish_post_with_link(cloud: Arc<Cloud>) -> Result<()> {
    let creator = create_without_polls(&cloud).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let post = await_link(&cloud, &creator, &dropped).await?;
    assert_eq!(post.due_at, None, "no poll is due");
    assert_eq!(creator.ledger().await?.publishes.len(), 1);
    Ok(())
}

async fn webhook_during_upload_wins_over_the_worker(cloud: Arc<Cloud>) -> Result<()> {
    let creator = create_without_polls(&cloud).await?;
    // TikTok has every byte and processes them, but has not answered the worker yet.
    let stall = FaultKind::Stall { ms: None, moment: Moment::After };
    let stall = creator.inject(Fault::new(Endpoint::Upload, stall)).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let from_webhook = await_link(&cloud, &creator, &dropped).await;
    cloud.tiktok.clear_fault(stall).await?;
    let from_webhook = from_webhook?;
    cloud.ensure_state_stays(&dropped.post, StateName::Published, Duration::from_secs(4)).await?;
    let after = await_link(&cloud, &creator, &dropped).await?;
    assert_eq!(after, from_webhook, "the worker wrote nothing");
    assert!(after.history.iter().all(|line| line.state != StateName::Processing), "{:#?}", after.history);
    let ledger = creator.ledger().await?;
    assert_eq!((ledger.publishes.len(), ledger.calls_of(Endpoint::Upload)), (1, 1));
    Ok(())
}

async fn webhook_during_poll_wins_over_the_poll(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.user.webhooks = WebhookDelivery::Enabled).await?;
    let (dropped, publish) = deliver_draft(&creator).await?;
    // The next poll gets a late response, which says that the draft is in the inbox.
    let late = FaultKind::Stall { ms: Some(5000), moment: Moment::After };
    let stall = creator.inject(Fault::new(Endpoint::StatusFetch, late)).await?;
    fixture::poll_until("poll with the fault", async || {
        let faults = cloud.tiktok.faults().await?;
        let fired = faults.iter().find(|fault| fault.id == stall).is_none_or(|fault| fault.fired > 0);
        if fired {
            return Ok(Some(()));
        }
        // A poll waits for TikTok's response, so it runs in the background.
        let polling = Arc::clone(&cloud);
        tokio::spawn(async move { polling.poll().await });
        Ok(None)
    })
    .await?;
    post_by_hand(&cloud, &publish).await?;
    await_link(&cloud, &creator, &dropped).await?;
    cloud.ensure_state_stays(&dropped.post, StateName::Published, Duration::from_secs(6)).await?;
    await_link(&cloud, &creator, &dropped).await.map(drop)
}

async fn webhook_after_poll_changes_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let without_list = |setup: &mut harness::CreatorSetup| setup.scopes.retain(|scope| *scope != Scope::VideoList);
    let creator = Creator::create_with(&cloud, without_list).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let polled = await_link(&cloud, &creator, &dropped).await?;
    assert_eq!(polled.due_at, None, "the poll was complete");
    let webhooks = WebhookFixture::open(&cloud).await?;
    let (publish, now) = (polled.publish_id().context("it has a publish id")?, runtime::clock::now());
    // They repeat the final state that the poll stored, or contradict it.
    for event in ["post.publish.complete", "post.publish.inbox_delivered", "post.publish.failed"] {
        let content = json!({ "publish_id": publish, "publish_type": "DIRECT_POST", "reason": "internal" });
        let body = webhook(&creator, event, now, &content);
        webhooks.ensure_accepted(&body, "the post has this information already").await.context(event)?;
    }
    assert_eq!(cloud.post(&dropped.post).await?, polled);
    Ok(())
}

async fn webhooks_alone_deliver_and_publish_draft(cloud: Arc<Cloud>) -> Result<()> {
    let creator = create_without_polls(&cloud).await?;
    let (dropped, publish) = deliver_draft(&creator).await?;
    post_by_hand(&cloud, &publish).await?;
    assert_eq!(await_link(&cloud, &creator, &dropped).await?.due_at, None);
    Ok(())
}

async fn failure_webhook_fails_or_restarts_the_post(cloud: Arc<Cloud>) -> Result<()> {
    let (spam, internal) = (create_without_polls(&cloud).await?, create_without_polls(&cloud).await?);
    for (creator, reason) in [(&spam, FailReason::SpamRisk), (&internal, FailReason::Internal)] {
        creator.inject(Fault::new(Endpoint::Upload, FaultKind::FailPost { reason })).await?;
    }
    let (failed, restarted) = (spam.drop_small("clip.mp4").await?, internal.drop_small("clip.mp4").await?);
    let failure = cloud.await_failure(&failed).await?;
    assert_eq!(failure.reason.code(), "spam_risk", "{failure}");
    await_link(&cloud, &internal, &restarted).await?;
    let ledger = internal.ledger().await?;
    assert_eq!(ledger.publishes.len(), 2, "the failed publish and a new one");
    // The webhook of the first publish comes again after the second publish.
    let first = &ledger.publishes[0].publish_id;
    let late = await_delivery(&cloud, |delivery| delivery.publish_id.as_ref() == Some(first)).await?;
    assert_eq!(WebhookFixture::open(&cloud).await?.deliver(&late.body).await?, 200);
    await_link(&cloud, &internal, &restarted).await.map(drop)
}

async fn hidden_video_loses_link_despite_late_webhook(cloud: Arc<Cloud>) -> Result<()> {
    let creator = create_without_polls(&cloud).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let post = await_link(&cloud, &creator, &dropped).await?;
    let publish = PublishId::new(post.publish_id().context("it has a publish id")?.as_str());
    cloud.tiktok.take_down(&publish).await?;
    let is =
        |delivery: &Delivery, event: &str| delivery.publish_id.as_ref() == Some(&publish) && delivery.event == event;
    // The misspelling is TikTok's.
    await_delivery(&cloud, |delivery| is(delivery, "post.publish.no_longer_publicaly_available")).await?;
    let post = cloud.post(&dropped.post).await?;
    assert_eq!(links(&post), Some(&Links::default()));
    assert_eq!((post.state_name(), post.due_at), (StateName::Published, None));
    let public = await_delivery(&cloud, |delivery| is(delivery, "post.publish.publicly_available")).await?;
    assert_eq!(WebhookFixture::open(&cloud).await?.deliver(&public.body).await?, 200);
    assert_eq!(cloud.post(&dropped.post).await?, post, "the repeated webhook is older than the post's state");
    creator.ledger().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn deauthorization_webhook_defers_posts_and_late_repeat_is_ignored(cloud: Arc<Cloud>) -> Result<()> {
    let creator = create_without_polls(&cloud).await?;
    creator.inject(refusal(Endpoint::DirectInit, 403, "spam_risk_too_many_posts")).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let (code, wait) = cloud.await_deferral(&dropped).await?;
    assert_eq!(code, "spam_risk_too_many_posts");
    ensure!(wait > Duration::from_hours(1), "without a webhook, the post would not change for hours: {wait:?}");
    cloud.tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER).await?;
    let is_lost = |account: &Account| account.connection != Connection::Connected;
    let account = cloud.await_account(&creator, "without an authorization", is_lost).await?;
    let Connection::NeedsReconnect { why, .. } = &account.connection else { unreachable!("it is not connected") };
    assert_eq!(why, "the user removed the app in TikTok");
    let post = cloud.await_lost_authorization(&dropped).await?;
    assert!(post.history.last().is_some_and(|line| line.note.contains("connect the account again")), "{post:?}");

    // TikTok's times are in whole seconds, and the reconnect must be later than the removal.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    creator.reconnect().await?;
    let user = format!("\"{}\"", creator.user.open_id);
    let is_removal = |delivery: &Delivery| delivery.event == "authorization.removed" && delivery.body.contains(&user);
    let removal = await_delivery(&cloud, is_removal).await?;
    assert_eq!(WebhookFixture::open(&cloud).await?.deliver(&removal.body).await?, 200);
    assert_eq!(creator.account().await?.connection, Connection::Connected);
    Ok(())
}

async fn webhook_that_cannot_be_stored_is_accepted_on_repeat(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped, content) = delivered_draft(&cloud).await?;
    let webhooks = WebhookFixture::open(&cloud).await?;
    let now = runtime::clock::now();
    let body = webhook(&creator, "post.publish.publicly_available", now, &content);
    let signature = webhooks.sign(body.as_bytes(), SignedDuration::ZERO)?;
    let failing = || cloud.dynamodb_with(|config| config.interceptor(WriteFault::refusing(1..=u32::MAX)));
    let (posts, log) = (&cloud.outputs().posts_table, &cloud.outputs().webhooks_table);
    let mut dependencies = cloud.in_process(Duration::ZERO)?;
    // First the post cannot be written. Then it can, but the log cannot.
    dependencies.posts = Posts::new(failing(), posts);
    let working_log = WebhookLog::new(cloud.dynamodb.clone(), log);
    for (log, state) in [(working_log, StateName::Delivered), (WebhookLog::new(failing(), log), StateName::Published)] {
        let at = now + Duration::from_mins(1);
        let received = Webhooks::from(&dependencies).receive(&log, Some(&signature), body.as_bytes(), at).await;
        ensure!(matches!(received, Err(ReceiveError::Store(_))), "{received:?}");
        assert!(webhooks.stored(body.as_bytes()).await?.is_none());
        assert_eq!(cloud.post(&dropped.post).await?.state_name(), state);
        dependencies.posts = Posts::new(cloud.dynamodb.clone(), posts);
    }
    assert_eq!(webhooks.post(body.as_bytes(), Some(&signature)).await?, 200);
    assert_eq!(webhooks.outcome(&body).await?, "the post has this information already");
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Published);
    Ok(())
}
