//! TikTok says by itself what became of a post: before a poll, after it, in the
//! midst of it, and while a worker still holds the post.
//!
//! Of most creators here TikTok tells nothing to whoever asks, so that whatever
//! the posts come to know, they know from webhooks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::Connection;
use domain::post::{Post, PostState, StateName};
use domain::report::Links;
use jiff::SignedDuration;
use posting::ReceiveError;
use serde_json::json;
use simulator::{
    Delivery, DraftPost, Endpoint, FailReason, Fault, FaultKind, Moment, PrivacyLevel, PublishId, Scope,
    WebhookDelivery,
};
use storage::{Posts, WebhookLog};
use tests::{Cloud, Creator, Dropped, Footage, Hiccup, PATIENCE};

use crate::forgeries::delivered;
use crate::harness::stories;
use crate::options::failure_of;
use crate::post_office::{LOOK, LOOKS, PostOffice, told, webhook};
use crate::refusals::{deferral_of, refusal};

stories![among:
    a_post_that_nobody_can_ask_about_is_published_with_its_link_and_needs_no_look_any_more,
    a_webhook_that_comes_while_a_worker_holds_the_post_is_neither_lost_nor_in_its_way,
    a_webhook_in_the_midst_of_a_poll_counts_and_the_poll_changes_nothing,
    a_webhook_after_the_poll_changes_nothing,
    a_draft_is_delivered_and_then_posted_by_what_tiktok_says_alone,
    a_failure_is_heard_and_what_tiktok_itself_failed_is_published_once,
    a_video_that_is_public_no_longer_loses_its_link_and_a_late_word_does_not_bring_it_back,
    the_end_of_a_consent_parks_the_posts_and_an_old_word_does_not_end_the_next_one,
    what_cannot_be_stored_is_not_taken_and_counts_when_tiktok_comes_again,
];

/// A creator of whom TikTok tells by itself, and says nothing when it is asked.
pub(crate) async fn told_of(cloud: &Arc<Cloud>) -> Result<Creator> {
    let maker = Creator::cast(cloud, |casting| {
        casting.user.webhooks = WebhookDelivery::Enabled;
        // A cover's link is not told: it is asked for where the account allows that.
        casting.scopes.retain(|scope| *scope != Scope::VideoList);
    })
    .await?;
    maker.inject(refusal(Endpoint::StatusFetch, 500, "internal_error").until_cleared()).await?;
    Ok(maker)
}

fn links(post: &Post) -> Option<&Links> {
    match &post.state {
        PostState::Published { links, .. } => Some(links),
        _ => None,
    }
}

fn is_linked(post: &Post) -> bool {
    links(post).is_some_and(|links| links.share_url.is_some())
}

/// Waits for the link of a post that was published once, and makes sure that it is the right one.
pub(crate) async fn linked(cloud: &Cloud, maker: &Creator, dropped: &Dropped) -> Result<Post> {
    let post = cloud.await_post(&dropped.post, "published, with its link", PATIENCE, is_linked).await?;
    let book = maker.book().await?;
    let id = &book.ensure_published_once(dropped)?.post_id;
    let expected = format!("https://www.tiktok.com/@{}/video/{id}", maker.user.username);
    assert_eq!(links(&post).and_then(|links| links.share_url.as_ref()), Some(&expected));
    Ok(post)
}

async fn a_post_that_nobody_can_ask_about_is_published_with_its_link_and_needs_no_look_any_more(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = told_of(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = linked(&cloud, &maker, &dropped).await?;
    assert_eq!(post.due_at, None, "there is nothing left to be learnt");
    assert_eq!(maker.book().await?.publishes.len(), 1);
    Ok(())
}

async fn a_webhook_that_comes_while_a_worker_holds_the_post_is_neither_lost_nor_in_its_way(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = told_of(&cloud).await?;
    // TikTok has every byte, works on them, and has not answered the worker yet.
    let waits = Fault::new(Endpoint::Upload, FaultKind::Stall { ms: None, moment: Moment::After })
        .for_user(maker.user.open_id.clone());
    let stall = cloud.tiktok.inject(&waits).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let heard = cloud.await_post(&dropped.post, "published, with its link", PATIENCE, is_linked).await;
    cloud.tiktok.clear_fault(stall).await?;
    let heard = heard?;
    cloud.stays(&dropped.post, StateName::Published, Duration::from_secs(4)).await?;
    let after = linked(&cloud, &maker, &dropped).await?;
    assert_eq!(after, heard, "the worker that was overtaken has written nothing");
    assert!(after.history.iter().all(|line| line.state != StateName::Processing), "{:#?}", after.history);
    let book = maker.book().await?;
    assert_eq!((book.publishes.len(), book.calls_of(Endpoint::Upload)), (1, 1));
    Ok(())
}

async fn a_webhook_in_the_midst_of_a_poll_counts_and_the_poll_changes_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.user.webhooks = WebhookDelivery::Enabled).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("mode", "draft")]).await?;
    let delivered = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let publish = PublishId::new(delivered.publish_id().context("a draft has a publish id")?.as_str());
    // The next poll hears that the draft is in the inbox, and hears it late.
    let late = FaultKind::Stall { ms: Some(5000), moment: Moment::After };
    let fault = Fault::new(Endpoint::StatusFetch, late).for_user(maker.user.open_id.clone());
    let stall = cloud.tiktok.inject(&fault).await?;
    for _ in 0..LOOKS {
        let injected = cloud.tiktok.faults().await?;
        if injected.iter().find(|fault| fault.id == stall).is_none_or(|fault| fault.fired > 0) {
            break;
        }
        // Whoever has the status function look waits for what it waits for.
        let looking = Arc::clone(&cloud);
        tokio::spawn(async move { looking.beat().await });
        tokio::time::sleep(LOOK).await;
    }
    let posted = DraftPost { title: "posted by hand".to_owned(), privacy_level: PrivacyLevel::PublicToEveryone };
    cloud.tiktok.post_draft(&publish, &posted).await?;
    linked(&cloud, &maker, &dropped).await?;
    cloud.stays(&dropped.post, StateName::Published, Duration::from_secs(6)).await?;
    linked(&cloud, &maker, &dropped).await?;
    Ok(())
}

async fn a_webhook_after_the_poll_changes_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.scopes.retain(|scope| *scope != Scope::VideoList)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let polled = linked(&cloud, &maker, &dropped).await?;
    assert_eq!(polled.due_at, None, "a poll learns as much");
    let office = PostOffice::open(&cloud).await?;
    let (publish, now) = (polled.publish_id().context("it has a publish id")?, runtime::clock::now());
    for event in ["post.publish.complete", "post.publish.inbox_delivered", "post.publish.failed"] {
        let content = json!({ "publish_id": publish, "publish_type": "DIRECT_POST", "reason": "internal" });
        let body = webhook(&maker, event, now, &content);
        assert_eq!(office.deliver(&body).await?, 200, "{event}");
        assert_eq!(office.outcome(&body).await?, "the post knows it", "{event}");
    }
    assert_eq!(cloud.post(&dropped.post).await?, polled);
    Ok(())
}

async fn a_draft_is_delivered_and_then_posted_by_what_tiktok_says_alone(cloud: Arc<Cloud>) -> Result<()> {
    let maker = told_of(&cloud).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("mode", "draft")]).await?;
    let delivered = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let publish = PublishId::new(delivered.publish_id().context("a draft has a publish id")?.as_str());
    let posted = DraftPost { title: "posted by hand".to_owned(), privacy_level: PrivacyLevel::PublicToEveryone };
    cloud.tiktok.post_draft(&publish, &posted).await?;
    assert_eq!(linked(&cloud, &maker, &dropped).await?.due_at, None);
    Ok(())
}

async fn a_failure_is_heard_and_what_tiktok_itself_failed_is_published_once(cloud: Arc<Cloud>) -> Result<()> {
    let (spam, internal) = (told_of(&cloud).await?, told_of(&cloud).await?);
    for (maker, reason) in [(&spam, FailReason::SpamRisk), (&internal, FailReason::Internal)] {
        maker.inject(Fault::new(Endpoint::Upload, FaultKind::FailPost { reason })).await?;
    }
    let refused = spam.drops("clip.mp4", &Footage::fresh()?).await?;
    let again = internal.drops("clip.mp4", &Footage::fresh()?).await?;
    let failure = failure_of(&cloud, &refused).await?;
    assert_eq!(failure.reason.code(), "spam_risk", "{failure}");
    linked(&cloud, &internal, &again).await?;
    let book = internal.book().await?;
    assert_eq!(book.publishes.len(), 2, "the one that failed, and one more");
    // TikTok tells of the first publish once more, after the second.
    let office = PostOffice::open(&cloud).await?;
    let first = &book.publishes[0].publish_id;
    let late = told(&cloud, |told| told.publish_id.as_ref() == Some(first)).await?;
    assert_eq!(office.deliver(&late.body).await?, 200);
    linked(&cloud, &internal, &again).await?;
    Ok(())
}

async fn a_video_that_is_public_no_longer_loses_its_link_and_a_late_word_does_not_bring_it_back(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = told_of(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = linked(&cloud, &maker, &dropped).await?;
    let publish = PublishId::new(post.publish_id().context("it has a publish id")?.as_str());
    cloud.tiktok.take_down(&publish).await?;
    let of_it = |told: &Delivery, event: &str| told.publish_id.as_ref() == Some(&publish) && told.event == event;
    told(&cloud, |told| of_it(told, "post.publish.no_longer_publicaly_available")).await?;
    let post = cloud.post(&dropped.post).await?;
    assert_eq!(links(&post), Some(&Links::default()));
    assert_eq!((post.state_name(), post.due_at), (StateName::Published, None));
    let public = told(&cloud, |told| of_it(told, "post.publish.publicly_available")).await?;
    assert_eq!(PostOffice::open(&cloud).await?.deliver(&public.body).await?, 200);
    assert_eq!(cloud.post(&dropped.post).await?, post, "it is older than what is known");
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn the_end_of_a_consent_parks_the_posts_and_an_old_word_does_not_end_the_next_one(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = told_of(&cloud).await?;
    maker.inject(refusal(Endpoint::DirectInit, 403, "spam_risk_too_many_posts")).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let (code, wait) = deferral_of(&cloud, &dropped).await?;
    assert_eq!(code, "spam_risk_too_many_posts");
    ensure!(wait > Duration::from_hours(1), "it would not look for hours: {wait:?}");
    cloud.tiktok.disconnect(&maker.user.open_id, 1).await?;
    let over = |account: &domain::account::Account| account.connection != Connection::Connected;
    let account = cloud.await_account(&maker, "marked", over).await?;
    let Connection::NeedsReconnect { why, .. } = &account.connection else { unreachable!("it is not connected") };
    assert_eq!(why, "the user removed the app in TikTok");
    let awaiting_reconnect = |post: &Post| matches!(&post.state, PostState::Queued { deferral: Some(d), .. } if d.reason.code() == "needs_reconnect");
    let post = cloud.await_post(&dropped.post, "awaiting_reconnect", PATIENCE, awaiting_reconnect).await?;
    assert!(post.history.last().is_some_and(|line| line.note.contains("connect the account again")), "{post:?}");

    tokio::time::sleep(Duration::from_millis(1100)).await; // TikTok tells in whole seconds
    maker.reconnect().await?;
    let about = format!("\"{}\"", maker.user.open_id);
    let removed = told(&cloud, |told| told.event == "authorization.removed" && told.body.contains(&about)).await?;
    assert_eq!(PostOffice::open(&cloud).await?.deliver(&removed.body).await?, 200);
    assert_eq!(maker.account().await?.connection, Connection::Connected);
    Ok(())
}

async fn what_cannot_be_stored_is_not_taken_and_counts_when_tiktok_comes_again(cloud: Arc<Cloud>) -> Result<()> {
    let (maker, dropped, content) = delivered(&cloud).await?;
    let office = PostOffice::open(&cloud).await?;
    let now = runtime::clock::now();
    let body = webhook(&maker, "post.publish.publicly_available", now, &content);
    let signature = office.sign(body.as_bytes(), SignedDuration::ZERO)?;
    let fails = || cloud.other_dynamodb(|config| config.interceptor(Hiccup::refusing(1..=u32::MAX)));
    let (posts, inbox) = (&cloud.outputs().posts_table, &cloud.outputs().webhooks_table);
    let mut posting = cloud.staff(Duration::ZERO)?;
    // First nothing can be written of the post, and then it can, but not that it was heard of.
    posting.posts = Posts::new(fails(), posts);
    let kept = WebhookLog::new(cloud.dynamodb.clone(), inbox);
    for (inbox, state) in [(kept, StateName::Delivered), (WebhookLog::new(fails(), inbox), StateName::Published)] {
        let heard =
            posting.receive_webhook(&inbox, Some(&signature), body.as_bytes(), now + Duration::from_mins(1)).await;
        ensure!(matches!(heard, Err(ReceiveError::Store(_))), "{heard:?}");
        assert!(office.kept(body.as_bytes()).await?.is_none());
        assert_eq!(cloud.post(&dropped.post).await?.state_name(), state);
        posting.posts = Posts::new(cloud.dynamodb.clone(), posts);
    }
    assert_eq!(office.post(body.as_bytes(), Some(&signature)).await?, 200);
    assert_eq!(office.outcome(&body).await?, "the post knows it");
    assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Published);
    Ok(())
}
