//! Workers in this process: the functions' own use cases on the same cloud, for
//! stories that need many of them, or a clock of their own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use posting::{Config, Posting, Worker};
use storage::Clients;
use uuid::Uuid;

use crate::cloud::Cloud;

impl Cloud {
    /// The use cases, as the functions put them together, with a clock that is
    /// ahead of everybody else's.
    pub fn staff(&self, ahead: Duration) -> Result<Posting> {
        let outputs = self.outputs();
        let tiktok = self.contract.simulator.as_deref().context("TikTok is not played by our simulator")?;
        let host = tiktok.split_once("://").map_or(tiktok, |(_, host)| host);
        let config = Config::read(|name| {
            let value = match name {
                "POSTS_TABLE" => &outputs.posts_table,
                "ACCOUNTS_TABLE" => &outputs.accounts_table,
                "LIMITS_TABLE" => &outputs.limits_table,
                "INTAKE_QUEUE_URL" => &outputs.intake_queue_url,
                "TOKENS_KEY_ID" => &outputs.tokens_key_id,
                "APP_SECRET_ARN" => &outputs.app_secret_arn,
                "TIKTOK_API_URL" => tiktok,
                "TIKTOK_UPLOAD_HOSTS" => host,
                _ => return None,
            };
            Some(value.to_owned())
        })?;
        let clock = Arc::new(move || runtime::clock::now() + ahead);
        Ok(Posting::new(&config, Clients::of(&self.aws), clock)?)
    }

    /// A client of the tables that differs from the ordinary one.
    #[must_use]
    pub fn other_dynamodb(
        &self,
        differ: impl FnOnce(aws_sdk_dynamodb::config::Builder) -> aws_sdk_dynamodb::config::Builder,
    ) -> aws_sdk_dynamodb::Client {
        let builder = aws_sdk_dynamodb::config::Builder::from(&self.aws);
        aws_sdk_dynamodb::Client::from_conf(differ(builder).build())
    }
}

/// A worker that nobody else is, with so much time by its own clock.
#[must_use]
pub fn worker(posting: &Posting, time: Duration) -> Worker {
    let since = (posting.clock)();
    Worker { name: format!("story/{}", Uuid::new_v4().simple()), since, deadline: since + time }
}

/// Does work on a thread of its own, as a function does: its future need not be
/// one that moves between threads.
///
/// # Errors
/// The work panicked.
pub async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let here = tokio::runtime::Handle::current();
    Ok(tokio::task::spawn_blocking(move || here.block_on(work())).await?)
}
