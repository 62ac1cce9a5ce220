//! An upload that takes longer than one invocation may last.

use std::sync::Arc;

use anyhow::{Result, ensure};
use harness::{Cloud, Creator, TestVideo};
use simulator::{Endpoint, Fault, FaultKind};

use crate::aws_cli::aws;
use crate::operations::stack::and_restore;
use crate::runner::scenarios;

scenarios![exclusive: slow_upload_spans_several_invocations_as_one_post];

/// The timeout of `publish` in this scenario in seconds. A worker stops a minute before it (`MARGIN` in
/// publish/src/handler.rs), so twenty seconds of work remain: about the least with which it sends a chunk at this rate.
const SHORT_TIMEOUT: &str = "80";
/// The timeout of `publish` in `template.yaml`, in seconds. The scenario restores it.
const TEMPLATE_TIMEOUT: &str = "900";

/// TikTok's speed in this scenario. A chunk of 9.2 MB takes three seconds, so an invocation sends two of the six.
const BYTES_PER_SECOND: u64 = 3_000_000;
/// The size in bytes of a video of six chunks.
const SIX_CHUNKS: u64 = 55_000_000;

async fn set_publish_timeout(cloud: &Cloud, seconds: &str) -> Result<()> {
    let publish = &cloud.outputs().publish_function;
    let call = ["lambda", "update-function-configuration", "--function-name", publish, "--timeout", seconds];
    aws(cloud, &call).await.map(drop)
}

async fn slow_upload_spans_several_invocations_as_one_post(cloud: Arc<Cloud>) -> Result<()> {
    let scenario = async {
        set_publish_timeout(&cloud, SHORT_TIMEOUT).await?;
        upload_slowly(&cloud).await
    };
    Box::pin(and_restore(scenario, set_publish_timeout(&cloud, TEMPLATE_TIMEOUT))).await
}

async fn upload_slowly(cloud: &Arc<Cloud>) -> Result<()> {
    let creator = Creator::create(cloud).await?;
    let slow = FaultKind::SlowRead { bytes_per_second: BYTES_PER_SECOND };
    creator.inject(Fault::new(Endpoint::Upload, slow).times(100)).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(SIX_CHUNKS)?).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1, "all invocations use the same publish");
    assert_eq!(ledger.calls_of(Endpoint::Upload), 6, "each byte was sent once");
    let post = cloud.post(&dropped.post).await?;
    let handed_over = post.history.iter().filter(|entry| entry.note.contains("handed over")).count();
    ensure!(handed_over >= 2, "several invocations: {:#?}", post.history);
    assert_eq!(usize::try_from(post.attempt)?, handed_over + 1, "no invocation failed");
    Ok(())
}
