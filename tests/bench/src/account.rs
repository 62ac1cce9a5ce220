//! The accounts that posts are made for.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use simulator::OpenId;
use tokio::process::Command;
use uuid::Uuid;

/// An account of the stack, and the user of TikTok that it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) alias: String,
    pub(crate) user: OpenId,
}

/// Connects a new account, whose user a simulator knows, with the program that
/// `infra/local` builds for it. One post each: so no budget is used up.
pub(crate) async fn connect(program: &Path, aws: &str, simulator: &str, scratch: &Path) -> Result<Account> {
    let alias = format!("bench-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let file = scratch.join("cloud.json");
    std::fs::write(&file, aws::contract(aws, simulator, scratch).to_string())?;
    let mut connect = Command::new(program);
    connect.arg(&alias).env_clear().env("DROPCAST_CLOUD", &file);
    let ended = connect.status().await.with_context(|| format!("{} cannot be started", program.display()))?;
    std::fs::remove_file(&file)?;
    ensure!(ended.success(), "no account could be connected");
    Ok(Account { user: OpenId::new(format!("open-{alias}")), alias })
}
