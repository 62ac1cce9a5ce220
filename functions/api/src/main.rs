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
mod use_cases;
mod webhook;

use std::sync::Arc;

use anyhow::Context as _;
use lambda_http::Error;
use posting::{Config, ConnectConfig, Dependencies, Intake, Measurement, WebhookConfig};
use storage::Clients;
use use_cases::UseCases;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    let config = Config::read(runtime::environment::variable).context("api cannot start")?;
    let connect = ConnectConfig::read(runtime::environment::variable).context("api cannot start")?;
    let intake = Intake::read(runtime::environment::variable).context("api cannot start")?;
    let webhooks = WebhookConfig::read(runtime::environment::variable).context("api cannot start")?;
    let clients = Clients::of(&runtime::aws::config().await);
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |m: &Measurement| metrics.write(m.named(), &m.dimensions, &m.properties);
    let dependencies =
        Dependencies::new(config, clients.clone(), Arc::new(runtime::clock::now))?.metered(Arc::new(meter));
    let use_cases = UseCases::new(&dependencies, &clients, connect, webhooks, intake);
    drop(dependencies);
    lambda_http::run(routes::router(Arc::new(use_cases))).await
}
