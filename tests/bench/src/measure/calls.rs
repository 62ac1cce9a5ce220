//! What a post asks of TikTok, S3 and the rest of AWS, from its event to its
//! answer, by its number of chunks. The simulator is the sink here, and its
//! ledger holds that every byte is right and no rule was broken.
//!
//! What `status` asks afterwards is not in it.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::film::Film;
use crate::stage::{Order, Stage, TikTok};
use crate::store::{self, Calls, calls_at, difference};

/// The ceiling of a chunk here, in bytes: the least that TikTok takes.
const CHUNK: u64 = 5_242_880;

/// The calls of one post, by their names.
#[derive(Debug, Serialize)]
pub(crate) struct PostCalls {
    pub(crate) chunks: u64,
    pub(crate) video_bytes: u64,
    pub(crate) tiktok: Calls,
    pub(crate) s3: Calls,
    pub(crate) dynamodb: Calls,
    /// KMS, Secrets Manager, SQS.
    pub(crate) other: Calls,
}

/// Counts.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<PostCalls>> {
    let tiktok = stage.tiktok(None).await?;
    let mut posts = vec![];
    for chunks in [1, 5, 65] {
        posts.push(count(stage, &tiktok, chunks).await?);
    }
    Ok(posts)
}

async fn count(stage: &Stage, tiktok: &TikTok, chunks: u64) -> Result<PostCalls> {
    let film = Film::new(chunks * CHUNK)?;
    let s3 = stage.store.url() + store::CALLS;
    let before = calls_at(&s3).await?;
    let set = vec![("CHUNK_BYTES".to_owned(), CHUNK.to_string())];
    let posted = stage.post(Order { film: &film, store: stage.store.address, tiktok, set }).await?;
    let entry = posted.entry;
    ensure!(entry.source_info.total_chunk_count == chunks, "publish cut {:?}", entry.source_info);
    let s3 = difference(&before, &calls_at(&s3).await?);
    let (dynamodb, other) = posted.asked.into_iter().partition(|(name, _)| name.starts_with("DynamoDB "));
    let mut asked: Calls = BTreeMap::new();
    for call in tiktok.control.events(0).await? {
        if call.user.as_ref() == Some(&entry.user) {
            *asked.entry(format!("{:?}", call.endpoint)).or_default() += 1;
        }
    }
    Ok(PostCalls { chunks, video_bytes: film.bytes(), tiktok: asked, s3, dynamodb, other })
}
