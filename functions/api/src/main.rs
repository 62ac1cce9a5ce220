//! The `api` function: the HTTP API for posts and accounts, and the receiver of TikTok's webhooks.
//!
//! A handler converts a request into a call of a use case in `posting`, and the result into JSON, an HTML page or a
//! problem document. API Gateway authenticates callers; `template.yaml` states the access of each route.
//!
//! Reading order: [`routes`] (the route table), the handlers [`service`], [`posts`], [`accounts`], [`connect`] and
//! [`webhook`], the extractors [`paths`], [`body`], [`deadline`] and [`trace_header`], the responses [`problem`],
//! [`answer`] and [`page`], and [`middleware`]. `contract` generates the OpenAPI document in a test.

mod accounts;
mod answer;
mod body;
mod connect;
#[cfg(test)]
mod contract;
mod deadline;
mod middleware;
mod page;
mod paths;
mod posts;
mod problem;
mod routes;
mod service;
mod trace_header;
mod webhook;

use std::sync::Arc;

use anyhow::Context as _;
use lambda_http::Error;
use posting::{Config, ConnectConfig, Connections, Intake, Measurement, Posting, WebhookConfig};
use storage::{Clients, WebhookLog};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    let config = Config::read(runtime::environment::variable).context("api cannot start")?;
    let connect = ConnectConfig::read(runtime::environment::variable).context("api cannot start")?;
    let intake = Intake::read(runtime::environment::variable).context("api cannot start")?;
    let webhooks = WebhookConfig::read(runtime::environment::variable).context("api cannot start")?;
    let clients = Clients::of(&runtime::aws::config().await);
    let posting = Posting::new(&config, clients.clone(), Arc::new(runtime::clock::now))?;
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |reading: &Measurement| metrics.write(reading.named(), &reading.by, &reading.about);
    let posting = posting.metered(Arc::new(meter));
    let webhook_log = WebhookLog::new(clients.dynamodb.clone(), webhooks.webhooks_table);
    let connections = Arc::new(Connections::new(connect, &clients, posting));
    lambda_http::run(routes::router(routes::Api { connections, intake: Arc::new(intake), webhook_log })).await
}
