//! The function `notices`: reads the stream of the posts table and sends an event about each change to EventBridge.
//!
//! An event is derived from what a write changed in the table, whichever function made the write. Every stored change
//! therefore has its event, and no event reports a change that was not stored. The stream keeps the
//! order of the writes of each post, and Lambda repeats records that were not processed. A subscriber therefore
//! receives each change at least once, and recognizes a repeated event by its `sequence`. A record that this version
//! cannot read is kept in the dead-letter queue, from which an operator can publish it later.
//!
//! This function knows the posts table. It knows nothing about TikTok.

mod handler;

use anyhow::Context as _;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use storage::{DeadLetterQueue, EventBus};

use handler::{Publisher, StreamEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    let variable = |name: &'static str| {
        runtime::environment::variable(name).with_context(|| format!("notices cannot start: {name} is not set"))
    };
    let config = runtime::aws::config().await;
    let bus = EventBus::new(&config, variable("EVENT_BUS")?);
    let dead_letters = DeadLetterQueue::new(&config, variable("NOTICES_DLQ_URL")?);
    let publisher = Publisher { bus, dead_letters, stack: variable("STACK_NAME")? };
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| publisher.handle(event.payload))).await
}
