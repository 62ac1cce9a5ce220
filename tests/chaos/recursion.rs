//! An upload that takes more invocations of `publish` than Lambda permits in a recursive loop.
//!
//! An invocation that ends before its upload wakes the next one through the function's own queue. Lambda counts such a
//! chain (`test_env/lineage.rs`) and stops it, unless the function has `RecursiveLoop: Allow`.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Creator, TestVideo};
use yaml_serde::Value;

use crate::runner::block_on;
use crate::story::conclude;
use crate::test_env::{Lambda, Paths, TestEnv};

/// How many invocations of one chain Lambda permits: it stops a function that was invoked "approximately 16 times".
const PERMITTED: u32 = 16;
/// TikTok's smallest chunk.
const CHUNK_BYTES: u64 = 5_242_880;
/// The chunks of the video: twice as many as the permitted invocations.
const CHUNKS: u64 = 32;
/// How long a chunk takes, in seconds. All chunks take 32 minutes, less than the upload URL is valid.
const CHUNK_S: u64 = 60;
/// The timeout of `publish`: enough for one chunk and the function's margins.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(190);

/// Uploads the video, follows the trace header from invocation to invocation, and reads the template.
pub(crate) fn check(paths: &Paths) -> Result<()> {
    let longest = block_on(longest_lineage(paths))?;
    ensure!(longest > PERMITTED, "a chain of {longest} invocations does not test what this test claims");
    ensure!(allows_recursion()?, "Lambda stops a chain of {longest} invocations: add `RecursiveLoop: Allow`");
    Ok(())
}

/// The number of invocations in the longest chain.
async fn longest_lineage(paths: &Paths) -> Result<u32> {
    let env = TestEnv::start(paths).await?;
    env.reset(|_| {})?;
    let creator = Creator::create(&env.cloud).await?;
    let start = env.now();
    let post = env.drop_video(&creator.key("chain.mp4"), &TestVideo::new(CHUNKS * CHUNK_BYTES)?, &[])?;
    env.proxy.reset(Vec::new());
    env.proxy.set_chunk_seconds(CHUNK_S);
    let mut lambda = Lambda::new(&env, CHUNK_BYTES);
    lambda.publish_timeout = PUBLISH_TIMEOUT;
    conclude(&mut lambda, &[creator], &mut [post], start).await?;
    ensure!(env.tiktok.ledger().publishes.len() == 1, "more than one publish was begun");
    Ok(lambda.longest_lineage)
}

/// Whether the template switches the detection of recursive loops off for `publish`.
fn allows_recursion() -> Result<bool> {
    let template: Value = yaml_serde::from_str(include_str!("../../template.yaml"))?;
    Ok(template["Resources"]["PublishFunction"]["Properties"]["RecursiveLoop"].as_str() == Some("Allow"))
}
