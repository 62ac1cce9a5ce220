//! Works what is due: polls TikTok, releases posts, applies verdicts, and keeps
//! the tokens of idle accounts alive.
//!
//! It is woken by a schedule, and looks at nothing but what its two indexes name.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use posting::{Config, Measurement, Posting, Worker};
use runtime::deadline::Deadline;
use serde_json::{Value, json};
use storage::Clients;

/// The time before the deadline at which no more posts are looked at: a look
/// that waits for somebody's token refresh, and then makes its own, needs it.
const MARGIN: Duration = Duration::from_secs(90);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    let config = Config::read(runtime::environment::variable).context("status cannot start")?;
    let clients = Clients::of(&runtime::aws::config().await);
    let posting = Posting::new(&config, clients, Arc::new(runtime::clock::now))?;
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |reading: &Measurement| metrics.write(reading.named(), &reading.by, &reading.about);
    let posting = posting.metered(Arc::new(meter));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| look(&posting, event.context))).await
}

async fn look(posting: &Posting, context: Context) -> Result<Value, Error> {
    let deadline = Deadline::from_epoch_ms(context.deadline).less(MARGIN);
    let worker = Worker { name: format!("status/{}", context.request_id), since: (posting.clock)(), deadline };
    let (summary, renewals) = tokio::join!(posting.work_due(&worker), posting.renew_idle(&worker));
    let (summary, renewals) = (summary?, renewals?);
    tracing::info!(
        posts.polled = summary.polled,
        posts.rung = summary.rung,
        posts.passed = summary.passed,
        posts.failed = summary.failed,
        posts.oldest_s = summary.oldest.as_secs(),
        accounts.renewed = renewals.renewed,
        accounts.failed = renewals.failed,
        "due posts worked"
    );
    Ok(json!({
        "polled": summary.polled, "rung": summary.rung, "passed": summary.passed, "failed": summary.failed,
        "renewed": renewals.renewed, "not_renewed": renewals.failed,
    }))
}
