//! The HTTP API: posts and accounts, looked up and acted upon; and TikTok's webhooks.
//!
//! A request is translated into a use case of `posting`, and its result into
//! JSON, a page or a problem. Who may pass is API Gateway's matter: each route
//! of the template says so. In reading order: [`routes`] (what is where),
//! [`posts`], [`accounts`], [`connect`] and [`webhook`] (what answers), [`names`], [`stated`] and
//! [`traced`] (what is asked), [`answer`] and [`problem`] (in which form), [`page`] (for people).

mod accounts;
mod answer;
mod body;
mod connect;
#[cfg(test)]
mod contract;
mod deadline;
mod page;
mod paths;
mod posts;
mod problem;
mod routes;
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
    let hear = WebhookConfig::read(runtime::environment::variable).context("api cannot start")?;
    let clients = Clients::of(&runtime::aws::config().await);
    let posting = Posting::new(&config, clients.clone(), Arc::new(runtime::clock::now))?;
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |reading: &Measurement| metrics.write(reading.named(), &reading.by, &reading.about);
    let posting = posting.metered(Arc::new(meter));
    let inbox = WebhookLog::new(clients.dynamodb.clone(), hear.webhooks_table);
    let connecting = Connections::new(connect, &clients, posting);
    lambda_http::run(routes::all(Arc::new(connecting), Arc::new(intake), inbox)).await
}
