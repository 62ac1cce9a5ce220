//! Connects an account of the local cloud: `connect <alias> [preferences.json]`.
//!
//! Creates a user of the simulated TikTok and stores the account as an OAuth connection leaves it. On AWS, a person
//! grants access on TikTok's page instead. The account posts publicly and directly, unless the file says otherwise
//! (`domain::account::Preferences`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Cloud, Creator};
use posting::AccountSettings;

#[tokio::main]
async fn main() -> Result<()> {
    let alias = std::env::args().nth(1).context("usage: connect <alias> [preferences.json]")?;
    let preferences = std::env::args().nth(2).map(|path| std::fs::read(&path).with_context(|| path)).transpose()?;
    let cloud = Arc::new(Cloud::open().await?);
    let creator = Creator::create_with(&cloud, |setup| {
        setup.user = simulator::User::new(format!("open-{alias}"), alias.clone());
        setup.alias = alias;
    })
    .await?;
    if let Some(preferences) = preferences {
        AccountSettings::from(&cloud.in_process(Duration::ZERO)?).configure(&creator.alias, &preferences).await?;
    }
    Ok(())
}
