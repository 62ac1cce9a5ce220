//! What nobody knows of TikTok, tried both ways.
//!
//! These are settings of the whole simulator, so each of these stories is told
//! alone. In each, films go through undisturbed and through the trouble in which
//! the setting matters.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::account::Connection;
use domain::identity::VideoId;
use domain::post::{Post, PostState, StateName};
use simulator::{
    ContentRangeCounts, Effect, Ending, Endpoint, ExpiredUpload, FailReason, Fault, FaultKind, PostIds,
    RefreshRotation, RepeatedRange, Settings, StatusShape, TokenKind, UploadedBytes, WebhookOrder, WebhookSignature,
    WebhookSpelling,
};
use tests::{Cloud, Creator, Footage, PATIENCE};

use crate::harness::stories;
use crate::options::failure_of;
use crate::refusals::deferral_of;
use crate::transfers::{TWO_CHUNKS, each_is_published_once};
use crate::webhooks::{self, told_of};

stories![alone:
    progress_as_a_count_in_headers_and_an_index_in_the_status,
    progress_in_headers_alone_and_a_repeated_chunk_that_is_created,
    the_older_answer_to_the_status,
    a_public_video_whose_id_never_comes,
    a_refresh_token_that_stays_the_same_and_one_that_is_refused_under_http_200,
    webhooks_that_come_twice_in_reverse_and_in_other_words_end_in_the_same_place,
];

/// The trouble in which it matters how TikTok counts, and what it says to a chunk that it has.
fn doubts() -> Vec<Fault> {
    let at = |call, trouble| Fault::new(Endpoint::Upload, trouble).at_call(call);
    let happened =
        || FaultKind::Status { http_status: 502, code: String::new(), message: String::new(), effect: Effect::Happens };
    vec![
        at(1, FaultKind::LoseAnswer { ending: Ending::Close }),
        at(2, FaultKind::LoseAnswer { ending: Ending::Close }),
        at(1, happened()),
        at(2, happened()),
        at(2, FaultKind::ResetInBody { after_bytes: 1_000_000 }),
    ]
}

async fn with(cloud: &Cloud, change: impl FnOnce(&mut Settings)) -> Result<()> {
    cloud.tiktok.change_settings(change).await.context("the simulator's settings")
}

/// Drops a film while nothing goes wrong, and waits for its link.
async fn linked(cloud: &Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let linked = |post: &Post| matches!(&post.state, PostState::Published { links, .. } if links.share_url.is_some());
    let post = cloud.await_post(&dropped.post, "published, with its link", PATIENCE, linked).await?;
    let book = maker.book().await?;
    let id = &book.ensure_published_once(&dropped)?.post_id;
    let PostState::Published { links, video_ids, .. } = &post.state else {
        unreachable!("it was just found to be published");
    };
    assert_eq!(video_ids.iter().map(VideoId::as_str).collect::<Vec<_>>(), [id.as_str()], "every digit of it");
    assert!(links.share_url.as_ref().is_some_and(|url| url.ends_with(id.as_str())), "{links:?}");
    Ok(())
}

async fn one_init_each(cloud: &Arc<Cloud>) -> Result<()> {
    for (fault, book) in each_is_published_once(cloud, doubts()).await? {
        assert_eq!(book.publishes.len(), 1, "{fault:?}");
    }
    Ok(())
}

async fn progress_as_a_count_in_headers_and_an_index_in_the_status(cloud: Arc<Cloud>) -> Result<()> {
    with(&cloud, |settings| {
        settings.content_range_counts.set(ContentRangeCounts::Count);
        settings.uploaded_bytes.set(UploadedBytes::LastIndex);
        settings.repeated_range.set(RepeatedRange::Accepted);
        settings.chunk_http_status = 200;
        settings.last_chunk_http_status = 200;
        settings.post_ids = PostIds::Strings;
    })
    .await?;
    futures::try_join!(one_init_each(&cloud), linked(&cloud))?;
    Ok(())
}

async fn progress_in_headers_alone_and_a_repeated_chunk_that_is_created(cloud: Arc<Cloud>) -> Result<()> {
    with(&cloud, |settings| {
        settings.uploaded_bytes.set(UploadedBytes::Absent);
        settings.repeated_range.set(RepeatedRange::Created);
        settings.chunk_http_status = 201;
        settings.unknown_upload_http_status = 405;
        settings.expired_upload.set(ExpiredUpload::Fails);
        settings.post_ids = PostIds::Scalar;
    })
    .await?;
    futures::try_join!(one_init_each(&cloud), linked(&cloud), begun_anew(&cloud))?;
    Ok(())
}

/// A URL dies before the last chunk, and TikTok itself says that this is the end of it.
async fn begun_anew(cloud: &Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(cloud).await?;
    maker.inject(Fault::new(Endpoint::Upload, FaultKind::ExpireUploadUrl).at_call(2)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 2, "the one that TikTok gave up, and one more");
    Ok(())
}

async fn the_older_answer_to_the_status(cloud: Arc<Cloud>) -> Result<()> {
    with(&cloud, |settings| settings.status_shape = StatusShape::Legacy).await?;
    futures::try_join!(one_init_each(&cloud), linked(&cloud))?;
    Ok(())
}

async fn a_public_video_whose_id_never_comes(cloud: Arc<Cloud>) -> Result<()> {
    with(&cloud, |settings| settings.post_ids = PostIds::Empty).await?;
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    let PostState::Published { video_ids, links, .. } = &post.state else {
        unreachable!("it was just found to be published");
    };
    assert_eq!((video_ids.len(), links.share_url.is_none()), (0, true), "an empty list is no failure");
    assert!(post.due_at.is_some(), "it is looked for once more");
    Ok(())
}

async fn a_refresh_token_that_stays_the_same_and_one_that_is_refused_under_http_200(cloud: Arc<Cloud>) -> Result<()> {
    with(&cloud, |settings| {
        settings.refresh_rotation.set(RefreshRotation::Unchanged);
        settings.invalid_grant_http_status = 200;
    })
    .await?;
    let maker = Creator::connect(&cloud).await?;
    cloud.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    assert_eq!(maker.account().await?.connection, Connection::Connected);
    cloud.tiktok.disconnect(&maker.user.open_id, 1).await?;
    let next = maker.drops("next.mp4", &Footage::fresh()?).await?;
    let (code, _) = deferral_of(&cloud, &next).await?;
    assert_eq!(code, "needs_reconnect", "a refusal is one under HTTP 200 too");
    let connection = maker.account().await?.connection;
    assert!(matches!(connection, Connection::NeedsReconnect { .. }), "{connection:?}");
    Ok(())
}

async fn webhooks_that_come_twice_in_reverse_and_in_other_words_end_in_the_same_place(cloud: Arc<Cloud>) -> Result<()> {
    with(&cloud, |settings| {
        settings.webhook_copies = 2;
        settings.webhook_order = WebhookOrder::Reversed;
        settings.webhook_signature = WebhookSignature::FirstAttempt;
        settings.webhook_spelling = WebhookSpelling::AsReported;
    })
    .await?;
    let (maker, spam) = (told_of(&cloud).await?, told_of(&cloud).await?);
    spam.inject(Fault::new(Endpoint::Upload, FaultKind::FailPost { reason: FailReason::SpamRiskText })).await?;
    let refused = spam.drops("clip.mp4", &Footage::fresh()?).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    webhooks::linked(&cloud, &maker, &dropped).await?;
    assert_eq!(failure_of(&cloud, &refused).await?.reason.code(), "spam_risk_text");
    Ok(())
}
