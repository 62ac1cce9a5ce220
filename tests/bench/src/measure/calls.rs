//! Calls benchmark: the calls of one post to TikTok, S3 and other AWS services,
//! for posts of 1, 5 and 65 chunks.
//!
//! The calls are counted from the event to the response of `publish`; the later
//! polls of `status` are not counted. The simulator receives the bytes here, not the
//! faster upload host: its ledger verifies them and reports every violated rule.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::call_counts::{CallCounts, difference, fetch};
use crate::harness::{Harness, PostRequest, TikTok};
use crate::s3_fake;
use crate::test_video::TestVideo;

/// The chunk size of this benchmark in bytes: TikTok's minimum.
const CHUNK_BYTES: u64 = 5_242_880;

/// The calls of one post by operation.
#[derive(Debug, Serialize)]
pub(crate) struct PostCalls {
    pub(crate) chunks: u64,
    pub(crate) video_bytes: u64,
    pub(crate) tiktok: CallCounts,
    pub(crate) s3: CallCounts,
    pub(crate) dynamodb: CallCounts,
    /// The calls to KMS, Secrets Manager and SQS.
    pub(crate) other: CallCounts,
}

/// Runs the benchmark.
pub(crate) async fn measure(harness: &Harness) -> Result<Vec<PostCalls>> {
    let tiktok = harness.tiktok(None).await?;
    let mut posts = vec![];
    for chunks in [1, 5, 65] {
        posts.push(count(harness, &tiktok, chunks).await?);
    }
    Ok(posts)
}

async fn count(harness: &Harness, tiktok: &TikTok, chunks: u64) -> Result<PostCalls> {
    let video = TestVideo::new(chunks * CHUNK_BYTES)?;
    let s3_calls = harness.s3.url() + s3_fake::CALLS_PATH;
    let before = fetch(&s3_calls).await?;
    let extra_env = vec![("CHUNK_BYTES".to_owned(), CHUNK_BYTES.to_string())];
    let request = PostRequest { video: &video, s3: harness.s3.address, tiktok, extra_env };
    let result = harness.post(request).await?;
    let entry = result.entry;
    ensure!(entry.source_info.total_chunk_count == chunks, "publish planned other chunks: {:?}", entry.source_info);
    let s3 = difference(&before, &fetch(&s3_calls).await?);
    let (dynamodb, other) = result.aws_calls.into_iter().partition(|(name, _)| name.starts_with("DynamoDB "));
    let mut tiktok_calls: CallCounts = BTreeMap::new();
    for call in tiktok.control.calls(0).await? {
        if call.user.as_ref() == Some(&entry.user) {
            *tiktok_calls.entry(format!("{:?}", call.endpoint)).or_default() += 1;
        }
    }
    Ok(PostCalls { chunks, video_bytes: video.bytes(), tiktok: tiktok_calls, s3, dynamodb, other })
}
