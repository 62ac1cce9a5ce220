//! Videos that take longer than an invocation may last.

use std::sync::Arc;

use anyhow::{Result, ensure};
use domain::post::StateName;
use simulator::{Endpoint, Fault, FaultKind};
use tests::{Cloud, Creator, Footage};

use crate::aftermath::aws;
use crate::harness::stories;

stories![alone: a_video_over_a_slow_link_passes_through_several_invocations_as_one_post];

/// The least time, in seconds, in which `publish` sends anything over this
/// story's link: it rests a minute before its end.
const SHORT: &str = "80";
/// What it has in the template.
const LONG: &str = "900";

/// A chunk of 9.2 MB takes three seconds, so an invocation ends after two.
const LINK: u64 = 3_000_000;
const SIX_CHUNKS: usize = 55_000_000;

async fn let_publish_last(cloud: &Cloud, seconds: &str) -> Result<()> {
    let publish = &cloud.outputs().publish_function;
    let call = ["lambda", "update-function-configuration", "--function-name", publish, "--timeout", seconds];
    aws(cloud, &call).await.map(|_| ())
}

async fn a_video_over_a_slow_link_passes_through_several_invocations_as_one_post(cloud: Arc<Cloud>) -> Result<()> {
    let_publish_last(&cloud, SHORT).await?;
    let told = over_a_slow_link(&cloud).await;
    let_publish_last(&cloud, LONG).await?;
    told
}

async fn over_a_slow_link(cloud: &Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(cloud).await?;
    let slow = FaultKind::SlowRead { bytes_per_second: LINK };
    maker.inject(Fault::new(Endpoint::Upload, slow).times(100)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(SIX_CHUNKS)?).await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "the same publish is gone on with");
    assert_eq!(book.calls_of(Endpoint::Upload), 6, "each byte was sent once");
    let handed_over = post.history.iter().filter(|entry| entry.note.contains("handed over")).count();
    ensure!(handed_over >= 2, "several invocations, one after the other: {:#?}", post.history);
    assert_eq!(usize::try_from(post.attempt)?, handed_over + 1, "and none came to nothing");
    Ok(())
}
