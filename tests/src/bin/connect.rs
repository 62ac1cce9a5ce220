//! Connects an account of the local cloud: `connect <alias>`.
//!
//! A user of the simulated TikTok consents, and the account is put into the
//! stack as it is after that, posting publicly and directly. On AWS a person
//! does this on TikTok's own page.

use std::sync::Arc;

use anyhow::{Context, Result};
use tests::{Cloud, Creator};

#[tokio::main]
async fn main() -> Result<()> {
    let alias = std::env::args().nth(1).context("which account? connect <alias>")?;
    let cloud = Arc::new(Cloud::open().await?);
    Creator::cast(&cloud, |casting| {
        casting.user = simulator::User::new(format!("open-{alias}"), alias.clone());
        casting.alias = alias;
    })
    .await?;
    Ok(())
}
