//! An app that TikTok has not audited, like every new app: what it can post.

use std::sync::Arc;

use anyhow::{Result, ensure};
use domain::options::{Mode, PrivacyLevel};
use domain::post::{PostState, StateName};
use harness::{Cloud, Creator, CreatorSetup};
use simulator::{Audit, Visibility};

use super::{isolated_env, submit_and_work};
use crate::runner::scenarios;

scenarios![concurrent: unaudited_app_posts_drafts_and_private_account_posts];

/// The environment has a TikTok of its own. TikTok allows an unaudited app five posting users per 24 hours, and the
/// creators of other scenarios would count.
async fn unaudited_app_posts_drafts_and_private_account_posts(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |settings| settings.audit = Audit::Pending, &[]).await?;
    let self_only = |setup: &mut CreatorSetup| setup.defaults.privacy_level = Some(PrivacyLevel::SelfOnly);
    let draft = Creator::create_with(&env.cloud, |setup| setup.defaults.mode = Some(Mode::Draft)).await?;
    let private = Creator::create_with(&env.cloud, |setup| {
        self_only(setup);
        setup.user.visibility = Visibility::Private;
    })
    .await?;
    let public = Creator::create_with(&env.cloud, self_only).await?;
    let drops = [&draft, &private, &public].map(|creator| creator.drop_small("clip.mp4"));
    let drops = futures::future::try_join_all(drops).await?;

    submit_and_work(&env, &drops).await?;
    env.advance_until(&drops, &[StateName::Delivered, StateName::Published, StateName::Failed]).await?;
    private.ledger().await?.ensure_published_each_once(&drops[1..2])?;
    let refused = env.post(&drops[2]).await?;
    let PostState::Failed { failure, .. } = &refused.state else { anyhow::bail!("{:?}", refused.state) };
    ensure!(failure.reason.code() == "unaudited_client_can_only_post_to_private_accounts", "{failure}");
    ensure!(failure.advice.contains("private") && failure.advice.contains("drafts"), "{failure}");
    Ok(())
}
