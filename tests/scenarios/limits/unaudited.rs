//! An app that TikTok has not audited, like every new app: what it can post.

use std::sync::Arc;

use anyhow::Result;
use domain::options::{Mode, PrivacyLevel};
use domain::post::StateName;
use harness::{Cloud, Creator};
use simulator::{Audit, Visibility};

use crate::runner::scenarios;

scenarios![exclusive: unaudited_app_posts_drafts_and_private_account_posts];

/// TikTok allows an unaudited app five posting users per 24 hours. After 25 hours, the users of earlier scenarios do
/// not count.
const SECONDS_OF_25_HOURS: u64 = 25 * 3600;

async fn unaudited_app_posts_drafts_and_private_account_posts(cloud: Arc<Cloud>) -> Result<()> {
    cloud.tiktok.advance(SECONDS_OF_25_HOURS).await?;
    cloud.tiktok.change_settings(|settings| settings.audit = Audit::Pending).await?;
    let draft = Creator::create_with(&cloud, |setup| setup.defaults.mode = Some(Mode::Draft)).await?;
    let drafted = draft.drop_small("clip.mp4").await?;
    let private = Creator::create_with(&cloud, |setup| {
        setup.user.visibility = Visibility::Private;
        setup.defaults.privacy_level = Some(PrivacyLevel::SelfOnly);
    })
    .await?;
    let posted = private.drop_small("clip.mp4").await?;
    let self_only = |setup: &mut harness::CreatorSetup| setup.defaults.privacy_level = Some(PrivacyLevel::SelfOnly);
    let public = Creator::create_with(&cloud, self_only).await?;
    let refused = public.drop_small("clip.mp4").await?;

    cloud.await_state(&drafted.post, StateName::Delivered).await?;
    private.await_published_once(&posted).await?;
    let failure = cloud.await_failure(&refused).await?;
    assert_eq!(failure.reason.code(), "unaudited_client_can_only_post_to_private_accounts");
    assert!(failure.advice.contains("private") && failure.advice.contains("drafts"), "{failure}");
    Ok(())
}
