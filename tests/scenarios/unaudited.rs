//! An app that TikTok has not audited, as every new one is: what works without.

use std::sync::Arc;

use anyhow::Result;
use domain::options::{Mode, PrivacyLevel};
use domain::post::StateName;
use simulator::{Audit, Visibility};
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;
use crate::options::failure_of;

stories![alone:
    an_app_without_an_audit_posts_drafts_and_privately_for_private_accounts,
];

/// Whoever posted today counts among the five whom TikTok allows such an app.
const A_DAY_AND_AN_HOUR: u64 = 25 * 3600;

async fn an_app_without_an_audit_posts_drafts_and_privately_for_private_accounts(cloud: Arc<Cloud>) -> Result<()> {
    cloud.tiktok.advance(A_DAY_AND_AN_HOUR).await?;
    cloud.tiktok.change_settings(|settings| settings.audit = Audit::Pending).await?;
    let draft = Creator::cast(&cloud, |casting| casting.defaults.mode = Some(Mode::Draft)).await?;
    let drafted = draft.drops("clip.mp4", &Footage::fresh()?).await?;
    let private = Creator::cast(&cloud, |casting| {
        casting.user.visibility = Visibility::Private;
        casting.defaults.privacy_level = Some(PrivacyLevel::SelfOnly);
    })
    .await?;
    let posted = private.drops("clip.mp4", &Footage::fresh()?).await?;
    let public = Creator::cast(&cloud, |casting| casting.defaults.privacy_level = Some(PrivacyLevel::SelfOnly)).await?;
    let refused = public.drops("clip.mp4", &Footage::fresh()?).await?;

    cloud.await_state(&drafted.post, StateName::Delivered).await?;
    cloud.await_state(&posted.post, StateName::Published).await?;
    private.book().await?.ensure_published_once(&posted)?;
    let failure = failure_of(&cloud, &refused).await?;
    assert_eq!(failure.reason.code(), "unaudited_client_can_only_post_to_private_accounts");
    assert!(failure.advice.contains("private") && failure.advice.contains("drafts"), "{failure}");
    Ok(())
}
