//! Connects an account of the local cloud: `connect <alias> [preferences.json]`.
//!
//! A user of the simulated TikTok consents, and the account is put into the
//! stack as it is after that, posting publicly and directly. On AWS a person
//! does this on TikTok's own page. The file says how the account posts, where that
//! differs (`domain::account::Preferences`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tests::{Cloud, Creator};

#[tokio::main]
async fn main() -> Result<()> {
    let alias = std::env::args().nth(1).context("which account? connect <alias>")?;
    let preferences = std::env::args().nth(2).map(|path| std::fs::read(&path).with_context(|| path)).transpose()?;
    let cloud = Arc::new(Cloud::open().await?);
    let creator = Creator::cast(&cloud, |casting| {
        casting.user = simulator::User::new(format!("open-{alias}"), alias.clone());
        casting.alias = alias;
    })
    .await?;
    if let Some(preferences) = preferences {
        cloud.staff(Duration::ZERO)?.configure(&creator.alias, &preferences).await?;
    }
    Ok(())
}
