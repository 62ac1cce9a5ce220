//! Connected accounts for the posts of the benchmarks.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use simulator::OpenId;
use tokio::process::Command;
use uuid::Uuid;

/// An account of the stack, and its TikTok user.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) alias: String,
    pub(crate) user: OpenId,
}

/// Connects a new account to a new user of the simulator. It runs the program
/// `connect` (`tests/src/bin/connect.rs`), which names the user `open-<alias>`.
///
/// Each post gets an account of its own, so that no post reaches a rate limit.
pub(crate) async fn connect(program: &Path, aws_url: &str, simulator_url: &str, scratch: &Path) -> Result<Account> {
    let alias = format!("bench-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let file = scratch.join("cloud.json");
    std::fs::write(&file, harness::aws::cloud_json(aws_url, simulator_url, scratch).to_string())?;
    let mut connect = Command::new(program);
    connect.arg(&alias).env_clear().env("DROPCAST_CLOUD", &file);
    let status = connect.status().await.with_context(|| format!("could not start {}", program.display()))?;
    std::fs::remove_file(&file)?;
    ensure!(status.success(), "could not connect the account {alias}");
    Ok(Account { user: OpenId::new(format!("open-{alias}")), alias })
}
