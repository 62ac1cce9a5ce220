//! The function `status`: polls TikTok about due posts, wakes workers for them, expires them, renews the tokens of
//! idle accounts, and checks the bucket for objects without an event.
//!
//! A schedule invokes it, by default each minute. It reads only the posts in the index `due` and the accounts in the
//! index `renewal`. Once a day, the bucket check lists the bucket, in several invocations if it is large.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use posting::{BucketCheck, BucketCheckConfig, Config, Dependencies, Measurement, Poller, Renewal, Worker};
use runtime::deadline::Deadline;
use serde_json::{Value, json};
use storage::Clients;

/// How long before the invocation's end no further post is begun. The time suffices to wait for another worker's token
/// refresh and then to make a refresh of its own.
const MARGIN: Duration = Duration::from_secs(90);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    let config = Config::read(runtime::environment::variable).context("status cannot start")?;
    let bucket_check = BucketCheckConfig::read(runtime::environment::variable).context("status cannot start")?;
    let clients = Clients::of(&runtime::aws::config().await);
    let metrics = runtime::metrics::Metrics::start();
    let meter = move |m: &Measurement| metrics.write(m.named(), &m.dimensions, &m.properties);
    let dependencies = Dependencies::new(config, clients, Arc::new(runtime::clock::now))?.metered(Arc::new(meter));
    let status = Status {
        poller: Poller::from(&dependencies),
        renewal: Renewal::from(&dependencies),
        bucket_check: (BucketCheck::from(&dependencies), bucket_check),
    };
    drop(dependencies);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| run(&status, event.context))).await
}

/// The use cases of the function.
struct Status {
    poller: Poller,
    renewal: Renewal,
    bucket_check: (BucketCheck, BucketCheckConfig),
}

/// Runs all use cases concurrently. If one fails, the others still end.
async fn run(status: &Status, context: Context) -> Result<Value, Error> {
    let deadline = Deadline::from_epoch_ms(context.deadline).less(MARGIN);
    let worker = Worker { name: format!("status/{}", context.request_id), since: runtime::clock::now(), deadline };
    let (bucket_check, config) = &status.bucket_check;
    let (summary, renewals, checked) = tokio::join!(
        status.poller.work_due(&worker),
        status.renewal.renew_idle(&worker),
        Box::pin(bucket_check.run(config, &worker, context.xray_trace_id.as_deref())),
    );
    let (summary, renewals, checked) = (summary?, renewals?, checked?);
    tracing::info!(
        posts.polled = summary.polled,
        posts.woken = summary.woken,
        posts.expired = summary.expired,
        posts.skipped = summary.skipped,
        posts.failed = summary.failed,
        posts.oldest_s = summary.oldest.as_secs(),
        accounts.renewed = renewals.renewed,
        accounts.failed = renewals.failed,
        objects.missed = checked.missed,
        "due posts worked"
    );
    Ok(json!({
        "polled": summary.polled, "woken": summary.woken, "expired": summary.expired, "skipped": summary.skipped,
        "failed": summary.failed, "renewed": renewals.renewed, "not_renewed": renewals.failed, "missed": checked.missed,
    }))
}
