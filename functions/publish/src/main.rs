//! The function `publish`: stores a post for each dropped video and uploads the video to TikTok.
//!
//! Lambda invokes it with messages of the intake queue, or a caller with a bare event (`triggers/src/lib.rs`). A
//! message is acknowledged only after its post is stored; otherwise the drop would be lost.

mod handler;

use std::sync::Arc;

use anyhow::Context as _;
use handler::Publish;
use lambda_runtime::{LambdaEvent, service_fn};
use posting::{Config, Dependencies, IgnoredObjects, Measurement};
use serde_json::Value;
use storage::{Clients, EventBus};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::telemetry::start();
    let config = Config::read(runtime::environment::variable).context("publish cannot start")?;
    let variable = |name: &'static str| {
        runtime::environment::variable(name).with_context(|| format!("publish cannot start: {name} is not set"))
    };
    let aws = runtime::aws::config().await;
    let (clients, bus) = (Clients::of(&aws), EventBus::new(&aws, variable("EVENT_BUS")?));
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |m: &Measurement| metrics.write(m.named(), &m.dimensions, &m.properties);
    let dependencies = Dependencies::new(config, clients, Arc::new(runtime::clock::now))?.metered(Arc::new(meter));
    let ignored = IgnoredObjects::new(&dependencies, bus, variable("STACK_NAME")?);
    let publish = Publish { submit: (&dependencies).into(), ignored, uploads: (&dependencies).into() };
    drop(dependencies);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| publish.handle(event))).await
}
