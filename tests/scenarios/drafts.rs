//! Drafts: the video lands in the creator's inbox, and the creator goes on there.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::options::Mode;
use domain::post::{PostState, StateName};
use simulator::{DraftPost, Endpoint, Flow, PrivacyLevel, PublishId, Scope};
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    a_draft_is_delivered_and_when_its_creator_posts_it_published,
    a_draft_needs_no_more_than_the_scope_for_drafts,
    an_account_that_did_not_allow_drafts_is_told_so,
];

async fn a_draft_is_delivered_and_when_its_creator_posts_it_published(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::long(11_000_000)?, &[("mode", "draft")]).await?;
    let post = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let book = maker.book().await?;
    assert_eq!(book.publications, [], "a draft in the inbox is no publication");
    let publish = post.publish_id().context("a draft has a publish id")?;
    let entry = &book.publishes[0];
    assert_eq!((entry.publish_id.as_str(), entry.flow), (publish.as_str(), Flow::Draft));
    assert_eq!(entry.sha256.as_ref(), Some(&dropped.footage.sha256));
    let posted = DraftPost { title: "posted by hand".to_owned(), privacy_level: PrivacyLevel::PublicToEveryone };
    cloud.tiktok.post_draft(&PublishId::new(publish.as_str()), &posted).await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    let PostState::Published { publish_id, .. } = &post.state else {
        unreachable!("it was just found to be published");
    };
    assert_eq!(publish_id, publish);
    let book = maker.book().await?;
    assert_eq!(book.ensure_published_once(&dropped)?.title, "posted by hand");
    Ok(())
}

async fn a_draft_needs_no_more_than_the_scope_for_drafts(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| {
        casting.scopes = vec![Scope::UserInfoBasic, Scope::VideoUpload];
        casting.defaults.mode = Some(Mode::Draft);
    })
    .await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let book = maker.book().await?;
    assert_eq!(book.calls_of(Endpoint::CreatorInfo), 0, "a draft asks nothing that needs the other scope");
    book.ensure_no_rule_broken()
}

async fn an_account_that_did_not_allow_drafts_is_told_so(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| {
        casting.scopes = vec![Scope::UserInfoBasic, Scope::VideoPublish];
        casting.defaults.mode = Some(Mode::Draft);
    })
    .await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let failure = failure_of(&cloud, &dropped).await?;
    assert_eq!(failure.reason.code(), "scope_not_authorized", "{failure}");
    assert!(failure.message.contains("video.upload"), "{failure}");
    maker.book().await?.ensure_never_begun()
}
