//! Runs the functions' use cases in this process, for tests that need many workers or another clock.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::config::Builder;
use posting::{Clock, Config, Dependencies, Worker};
use storage::Clients;
use uuid::Uuid;

use super::Cloud;

/// The default time of a worker until its deadline, in tests for which the deadline does not matter.
pub const WORK_TIME: Duration = Duration::from_mins(5);

impl Cloud {
    /// Creates the dependencies of the use cases, with a clock that is ahead of the system clock.
    pub fn in_process(&self, ahead: Duration) -> Result<Dependencies> {
        self.in_process_with(&[], Arc::new(move || runtime::clock::now() + ahead))
    }

    /// Creates the dependencies as the functions do. `variables` are added to the functions' environment variables.
    pub(super) fn in_process_with(&self, variables: &[(&str, &str)], clock: Clock) -> Result<Dependencies> {
        let outputs = self.outputs();
        let tiktok = self.contract.simulator.as_deref().context("this cloud has no simulator")?;
        let config = Config::read(|name| {
            let value = match name {
                "POSTS_TABLE" => &outputs.posts_table,
                "ACCOUNTS_TABLE" => &outputs.accounts_table,
                "LIMITS_TABLE" => &outputs.limits_table,
                "REPOST_GUARD_TABLE" => &outputs.repost_guard_table,
                "INTAKE_QUEUE_URL" => &outputs.intake_queue_url,
                "TOKENS_KEY_ID" => &outputs.tokens_key_id,
                "APP_SECRET_ARN" => &outputs.app_secret_arn,
                "TIKTOK_API_URL" => tiktok,
                "TIKTOK_UPLOAD_HOSTS" => tiktok.trim_start_matches("http://"),
                _ => variables.iter().find(|(key, _)| *key == name)?.1,
            };
            Some(value.to_owned())
        })?;
        Ok(Dependencies::new(config, Clients::of(&self.aws), clock)?)
    }

    /// Creates a `DynamoDB` client with a changed configuration.
    #[must_use]
    pub fn dynamodb_with(&self, change: impl FnOnce(Builder) -> Builder) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(change(Builder::from(&self.aws)).build())
    }
}

/// Creates a worker with a unique name and this much time until its deadline.
#[must_use]
pub fn worker(dependencies: &Dependencies, time: Duration) -> Worker {
    let since = dependencies.instruments.now();
    Worker { name: format!("test/{}", Uuid::new_v4().simple()), since, deadline: since + time }
}
