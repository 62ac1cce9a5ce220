//! Drafts: TikTok delivers the video to the creator's inbox, and the creator posts it.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::options::Mode;
use domain::post::{PostState, StateName};
use harness::{Cloud, Creator, TestVideo};
use simulator::{DraftPost, Endpoint, Flow, PrivacyLevel, PublishId, Scope};

use crate::options::notes_with;
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    draft_is_delivered_then_published_when_creator_posts_it,
    draft_needs_only_the_upload_scope,
    draft_without_upload_scope_fails,
];

/// Has the creator post a delivered draft in TikTok's app. The title is `posted by hand`.
pub(crate) async fn post_by_hand(cloud: &Cloud, publish_id: &str) -> Result<()> {
    let posted = DraftPost { title: "posted by hand".to_owned(), privacy_level: PrivacyLevel::PublicToEveryone };
    Ok(cloud.tiktok.post_draft(&PublishId::new(publish_id), &posted).await?)
}

async fn draft_is_delivered_then_published_when_creator_posts_it((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::new(11_000_000)?;
    let metadata = [("dropcast-mode", "draft"), ("dropcast-title", "Bread"), ("dropcast-ai-generated", "true")];
    let dropped = creator.drop_with_metadata("clip.mp4", &video, &metadata).await?;
    let post = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let notes = notes_with(&cloud, &dropped, "for a draft").await?;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("`title`") && notes[0].contains("`ai_generated`"), "{notes:?}");
    let ledger = creator.ledger().await?;
    assert_eq!(ledger.publications, [], "a draft in the inbox is not published");
    let publish = post.publish_id().context("a draft has a publish id")?;
    let entry = &ledger.publishes[0];
    assert_eq!((entry.publish_id.as_str(), entry.flow), (publish.as_str(), Flow::Draft));
    assert_eq!(entry.sha256.as_ref(), Some(&dropped.video.sha256));
    post_by_hand(&cloud, publish.as_str()).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    let PostState::Published { publish_id, .. } = &cloud.post(&dropped.post).await?.state else {
        unreachable!("the post is published");
    };
    assert_eq!(publish_id, publish);
    assert_eq!(ledger.publications[0].title, "posted by hand");
    Ok(())
}

async fn drafts_with(cloud: &Arc<Cloud>, scope: Scope) -> Result<Creator> {
    Creator::create_with(cloud, |setup| {
        setup.scopes = vec![Scope::UserInfoBasic, scope];
        setup.defaults.mode = Some(Mode::Draft);
    })
    .await
}

async fn draft_needs_only_the_upload_scope(cloud: Arc<Cloud>) -> Result<()> {
    let creator = drafts_with(&cloud, Scope::VideoUpload).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let ledger = creator.ledger().await?;
    assert_eq!(ledger.calls_of(Endpoint::CreatorInfo), 0, "a draft makes no call that needs the other scope");
    ledger.ensure_no_violation()
}

async fn draft_without_upload_scope_fails(cloud: Arc<Cloud>) -> Result<()> {
    let creator = drafts_with(&cloud, Scope::VideoPublish).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "scope_not_authorized", "{failure}");
    assert!(failure.message.contains("video.upload"), "{failure}");
    creator.ledger().await?.ensure_no_init()
}
