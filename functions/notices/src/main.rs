//! The posts table's stream in, EventBridge events out: others are told what
//! became of each post.
//!
//! A notice is derived from what was written, not sent beside the writing. So
//! none is forgotten, whoever wrote, and none is sent of what was not stored. The
//! stream keeps the order of each post's writes, and repeats what was not taken;
//! whoever is told sees a change at least once, and knows it by its sequence.
//!
//! It knows what a post is, and nothing of TikTok.

mod handler;

use anyhow::Context as _;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use storage::EventBus;

use handler::{Publisher, StreamEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    let variable = |name: &'static str| {
        runtime::environment::variable(name).with_context(|| format!("notices cannot start: {name} is not set"))
    };
    let bus = EventBus::new(&runtime::aws::config().await, variable("EVENT_BUS")?);
    let teller = Publisher { bus, stack: variable("STACK_NAME")? };
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| teller.handle(event.payload))).await
}
