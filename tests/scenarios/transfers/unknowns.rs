//! Behaviour of TikTok that its documents leave open. Each scenario sets the simulator to readings that differ from its
//! default.
//!
//! These are settings of the whole simulator, so each scenario runs exclusively. In each, videos are uploaded without
//! faults and with the faults for which the setting matters.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::account::Connection;
use domain::identity::VideoId;
use domain::post::{Post, PostState, StateName};
use harness::{Cloud, Creator, TestVideo};
use simulator::{
    ContentRangeCounts, Effect, Ending, Endpoint, ExpiredUpload, FailReason, Fault, FaultKind, PostIds,
    RefreshRotation, RepeatedRange, Settings, StatusShape, TokenKind, UploadedBytes, WebhookOrder, WebhookSignature,
    WebhookSignatures, WebhookSpelling,
};

use super::{TWO_CHUNKS, at, published_by_one_init_despite, status};
use crate::runner::{for_each, scenarios};
use crate::tokens::REMOVED_BY_USER;
use crate::webhooks::{await_link, create_without_polls};

scenarios![exclusive:
    progress_as_count_in_headers_and_index_in_status,
    progress_only_in_headers_and_repeated_chunk_created,
    legacy_status_response_is_understood,
    public_video_without_id_is_published_without_link,
    unchanged_refresh_token_and_refusal_under_http_200,
    repeated_reversed_respelled_webhooks_reach_same_state,
];

async fn change(cloud: &Cloud, change: impl FnOnce(&mut Settings)) -> Result<()> {
    cloud.tiktok.change_settings(change).await.context("the simulator's settings")
}

/// Drops a video without faults, and waits for its link.
async fn published_with_link(cloud: &Arc<Cloud>) -> Result<()> {
    let creator = Creator::create(cloud).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let linked = |post: &Post| matches!(&post.state, PostState::Published { links, .. } if links.share_url.is_some());
    let post = cloud.await_post(&dropped.post, "published, with its link", linked).await?;
    let ledger = creator.ledger().await?;
    let id = &ledger.ensure_published_once(&dropped)?.post_id;
    let PostState::Published { links, video_ids, .. } = &post.state else {
        unreachable!("the post is published");
    };
    assert_eq!(video_ids.iter().map(VideoId::as_str).collect::<Vec<_>>(), [id.as_str()], "every digit of the id");
    assert!(links.share_url.as_ref().is_some_and(|url| url.ends_with(id.as_str())), "{links:?}");
    Ok(())
}

/// The faults after which it matters how TikTok reports its progress, and how it answers a chunk that it already has.
async fn published_by_one_init(cloud: &Arc<Cloud>) -> Result<()> {
    let faults = [
        at(1, FaultKind::LoseAnswer { ending: Ending::Close }),
        at(2, FaultKind::LoseAnswer { ending: Ending::Close }),
        at(1, status(502, Effect::Happens)),
        at(2, status(502, Effect::Happens)),
        at(2, FaultKind::ResetInBody { after_bytes: 1_000_000 }),
    ];
    for_each(faults, async |fault| published_by_one_init_despite(cloud, fault).await.map(drop)).await
}

async fn progress_as_count_in_headers_and_index_in_status(cloud: Arc<Cloud>) -> Result<()> {
    change(&cloud, |settings| {
        settings.content_range_counts.set(ContentRangeCounts::Count);
        settings.uploaded_bytes.set(UploadedBytes::LastIndex);
        settings.repeated_range.set(RepeatedRange::Accepted);
        settings.chunk_http_status = 200;
        settings.last_chunk_http_status = 200;
        settings.post_ids = PostIds::Strings;
    })
    .await?;
    futures::try_join!(published_by_one_init(&cloud), published_with_link(&cloud)).map(drop)
}

async fn progress_only_in_headers_and_repeated_chunk_created(cloud: Arc<Cloud>) -> Result<()> {
    change(&cloud, |settings| {
        settings.uploaded_bytes.set(UploadedBytes::Absent);
        settings.repeated_range.set(RepeatedRange::Created);
        settings.chunk_http_status = 201;
        settings.unknown_upload_http_status = 405;
        settings.expired_upload.set(ExpiredUpload::Fails);
        settings.post_ids = PostIds::Scalar;
    })
    .await?;
    let published = futures::try_join!(
        published_by_one_init(&cloud),
        published_with_link(&cloud),
        published_by_second_init(&cloud)
    );
    published.map(drop)
}

/// The URL expires before the last chunk, and TikTok reports the publish as failed.
async fn published_by_second_init(cloud: &Arc<Cloud>) -> Result<()> {
    let creator = Creator::create(cloud).await?;
    creator.inject(at(2, FaultKind::ExpireUploadUrl)).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 2, "the failed publish and a new one");
    Ok(())
}

async fn legacy_status_response_is_understood(cloud: Arc<Cloud>) -> Result<()> {
    change(&cloud, |settings| settings.status_shape = StatusShape::Legacy).await?;
    futures::try_join!(published_by_one_init(&cloud), published_with_link(&cloud)).map(drop)
}

async fn public_video_without_id_is_published_without_link(cloud: Arc<Cloud>) -> Result<()> {
    change(&cloud, |settings| settings.post_ids = PostIds::Empty).await?;
    let creator = Creator::create(&cloud).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    creator.ledger().await?.ensure_published_once(&dropped)?;
    let PostState::Published { video_ids, links, .. } = &post.state else {
        unreachable!("the post is published");
    };
    assert_eq!((video_ids.len(), links.share_url.is_none()), (0, true), "an empty list is not a failure");
    assert!(post.due_at.is_some(), "another poll is due");
    Ok(())
}

async fn unchanged_refresh_token_and_refusal_under_http_200(cloud: Arc<Cloud>) -> Result<()> {
    change(&cloud, |settings| {
        settings.refresh_rotation.set(RefreshRotation::Unchanged);
        settings.invalid_grant_http_status = 200;
    })
    .await?;
    let creator = Creator::create(&cloud).await?;
    cloud.tiktok.expire_tokens(&creator.user.open_id, TokenKind::Access).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    creator.await_published_once(&dropped).await?;
    assert_eq!(creator.account().await?.connection, Connection::Connected);
    cloud.tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER).await?;
    let next = creator.drop_small("next.mp4").await?;
    let (code, _) = cloud.await_deferral(&next).await?;
    assert_eq!(code, "needs_reconnect", "a refusal under HTTP 200 is a refusal");
    let connection = creator.account().await?.connection;
    assert!(matches!(connection, Connection::NeedsReconnect { .. }), "{connection:?}");
    Ok(())
}

async fn repeated_reversed_respelled_webhooks_reach_same_state(cloud: Arc<Cloud>) -> Result<()> {
    change(&cloud, |settings| {
        settings.webhook_copies = 2;
        settings.webhook_order = WebhookOrder::Reversed;
        settings.webhook_signature = WebhookSignature::FirstAttempt;
        settings.webhook_signatures = WebhookSignatures::InvalidAndValid;
        settings.webhook_spelling = WebhookSpelling::AsReported;
    })
    .await?;
    let (creator, spam) = (create_without_polls(&cloud).await?, create_without_polls(&cloud).await?);
    spam.inject(Fault::new(Endpoint::Upload, FaultKind::FailPost { reason: FailReason::SpamRiskText })).await?;
    let refused = spam.drop_small("clip.mp4").await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    await_link(&cloud, &creator, &dropped).await?;
    assert_eq!(cloud.await_failure(&refused).await?.reason.code(), "spam_risk_text");
    Ok(())
}
