//! The campaign `slow`: one upload of the largest video over a slow connection. It takes more than 12 invocations of
//! `publish`, and the worker is killed four times.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Creator, TestVideo};

use crate::enumeration::RunCache;
use crate::fault_proxy::{CallSelector, Fault, Moment, PlannedFault};
use crate::report::Row;
use crate::runner::block_on;
use crate::story::{RunResult, conclude};
use crate::test_env::{Lambda, Paths, TestEnv};
use crate::unknowns::TikTokVariant;

/// The name of the campaign's only story.
pub(crate) const STORY: &str = "4 GB";
/// TikTok's maximum for a video, in bytes.
const VIDEO_BYTES: u64 = 4_000_000_000;
const CHUNK_BYTES: u64 = 64_000_000;
/// How long a chunk takes, in seconds. The 63 chunks take 42 minutes. With the waits after four kills, this fits into
/// the hour in which the upload URL is valid.
const CHUNK_S: u64 = 40;
/// The timeout of `publish`: enough for a few chunks. It replaces the template's 15 minutes.
const PUBLISH_TIMEOUT: Duration = Duration::from_mins(5);
/// The upload must need more invocations of `publish` than this. Otherwise the campaign would not test what it claims.
const MIN_INVOCATIONS: u32 = 12;
/// The chunks, counted from 0, at which the worker is killed.
const KILLS: [(usize, Moment); 4] =
    [(7, Moment::Before), (23, Moment::After), (41, Moment::Before), (60, Moment::After)];

/// Uploads 4 GB with four kills. There must be one publish. Each byte is sent once, except at most one chunk per kill
/// (the [checker](crate::checker) has the exact bound).
pub(crate) fn play(paths: &Paths, tiktok: TikTokVariant, cache: &mut RunCache) -> Row {
    const CAMPAIGN: &str = "slow";
    let mut row = Row::new(CAMPAIGN, STORY, tiktok, 0);
    if cache.is_equivalent(CAMPAIGN, tiktok) {
        row.totals.equivalent = 1;
        return row;
    }
    let result = block_on(upload(paths, tiktok));
    if let Ok(result) = &result {
        row.calls = result.calls.len();
        if tiktok.is_documented() {
            cache.insert(CAMPAIGN.to_owned(), result);
        }
    }
    row.add("the only run", result);
    row
}

async fn upload(paths: &Paths, tiktok: TikTokVariant) -> Result<RunResult> {
    let env = TestEnv::start(paths).await?;
    env.reset(tiktok.set)?;
    let creator = Creator::create(&env.cloud).await?;
    let start = env.now();
    let post = env.drop_video(&creator.key("long.mp4"), &TestVideo::new(VIDEO_BYTES)?, &[])?;
    let kill = |(chunk, moment)| PlannedFault { call: CallSelector::Chunk(chunk), fault: Fault::Kill(moment) };
    env.proxy.reset(KILLS.map(kill).into());
    env.proxy.set_chunk_seconds(CHUNK_S);
    let mut lambda = Lambda::new(&env, CHUNK_BYTES);
    lambda.publish_timeout = PUBLISH_TIMEOUT;
    let result = conclude(&mut lambda, &[creator], &mut [post], start).await?;
    ensure!(env.tiktok.ledger().publishes.len() == 1, "more than one publish was begun");
    ensure!(
        lambda.invocations > MIN_INVOCATIONS,
        "{} invocations were enough, and more were expected",
        lambda.invocations
    );
    Ok(result)
}
