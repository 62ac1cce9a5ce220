//! S3 event in, post out: takes drops from the intake queue and uploads them.
//!
//! It is told of a drop by a message of the intake queue, or by a bare S3 or
//! EventBridge event; all mean the same. A message is acknowledged only once
//! its post is stored.

mod handler;

use std::sync::Arc;

use anyhow::Context as _;
use lambda_runtime::{LambdaEvent, service_fn};
use posting::{Config, Measurement, Posting};
use serde_json::Value;
use storage::Clients;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::telemetry::start();
    let config = Config::read(runtime::environment::variable).context("publish cannot start")?;
    let clients = Clients::of(&runtime::aws::config().await);
    let posting = Posting::new(&config, clients, Arc::new(runtime::clock::now))?;
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |reading: &Measurement| metrics.write(reading.named(), &reading.by, &reading.about);
    let posting = posting.metered(Arc::new(meter));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| Box::pin(handler::handle(&posting, event)))).await
}
