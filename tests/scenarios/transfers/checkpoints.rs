//! Checkpoints: the accepted offset, and the mark before the last chunk, that a worker stores while it sends. A worker
//! that cannot store a checkpoint stops in the middle of a chunk, and the next worker resumes at TikTok's offset.
//!
//! Each scenario has an isolated environment and a worker in this process, some of whose writes fail. TikTok takes a
//! second for a chunk.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use domain::options::Mode;
use domain::post::LEASE_TERM;
use domain::upload::Upload;
use harness::{Cloud, Creator, Dropped, IsolatedEnv, TestVideo, WriteFault};
use posting::WorkOutcome;
use simulator::{ChunkOutcome, Endpoint, Fault, FaultKind, LedgerEntry, Simulator};
use storage::Posts;

use crate::limits::{create_private, isolated_env, publish_all};
use crate::runner::{for_each, scenarios};

scenarios![concurrent:
    lost_lease_aborts_the_chunk_in_flight,
    failed_checkpoint_write_stops_worker_and_next_resumes,
    worker_killed_two_chunks_after_checkpoint_resends_none,
    chunks_within_a_second_share_one_checkpoint,
    last_chunk_waits_for_its_commit_mark,
];

/// The sizes in bytes of a video of three chunks and of each chunk, and the maximum chunk size that leads to them.
const THREE_CHUNKS: u64 = 16_500_000;
const CHUNK: u64 = 5_500_000;
const MAX_CHUNK_BYTES: &str = "6000000";
/// TikTok's speed in bytes per second: about a second per chunk.
const SLOW: u64 = 5_000_000;
/// A speed at which all chunks take less than a second, even on a busy machine.
const FAST: u64 = 1_000_000_000;

/// The numbers of a worker's writes of a post: 1 is the claim, 2 the new upload, 3 the accepted offset, and 4 the mark
/// that the last chunk may be sent (the commit mark). Without an offset to store, the mark is write 3.
const OFFSET_WRITE: u32 = 3;
const COMMIT_WRITE: u32 = 4;
/// How often `storage` sends a failing write if the SDK does not retry: once, and `MAX_RETRIES` in
/// storage/src/table.rs.
const SENDINGS: u32 = 3;

/// A drop in an isolated environment that no worker has claimed yet.
struct Setup {
    env: IsolatedEnv,
    creator: Creator,
    dropped: Dropped,
}

impl Setup {
    async fn new(cloud: &Cloud, bytes: u64, bytes_per_second: u64) -> Result<Self> {
        let env = isolated_env(cloud, |_| {}, &[("CHUNK_BYTES", MAX_CHUNK_BYTES)]).await?;
        let creator = create_private(&env, Mode::Direct).await?;
        creator.inject(Fault::new(Endpoint::Upload, FaultKind::SlowRead { bytes_per_second }).times(100)).await?;
        let dropped = creator.drop_video("clip.mp4", &TestVideo::new(bytes)?).await?;
        env.submit(&dropped, env.now()).await?;
        Ok(Self { env, creator, dropped })
    }

    fn fail_writes(&mut self, fault: WriteFault) {
        let no_retry = RetryConfig::disabled();
        let failing = self.env.cloud.dynamodb_with(|config| config.retry_config(no_retry).interceptor(fault));
        self.env.dependencies.posts = Posts::new(failing, &self.env.cloud.outputs().posts_table);
    }

    /// Makes the write with this number fail, each time that `storage` sends it, and checks that the worker reports it.
    async fn work_with_failing_write(&mut self, write: u32) {
        self.fail_writes(WriteFault::refusing(write..=write + SENDINGS - 1));
        assert!(self.env.work(&self.dropped.post).await.is_err(), "the worker reports the failed write");
    }

    /// The upload as the posts table has it.
    async fn stored(&self) -> Result<Upload> {
        self.env.post(&self.dropped).await?.upload().cloned().context("there is no upload")
    }

    async fn chunk_calls(&self) -> Result<usize> {
        Ok(self.creator.ledger().await?.calls_of(Endpoint::Upload))
    }

    /// After the lease has expired, the next worker resumes the same publish, and TikTok receives no accepted byte
    /// again.
    async fn resumes(&self) -> Result<()> {
        self.env.tiktok.advance(LEASE_TERM.as_secs() + 1);
        self.env.work(&self.dropped.post).await?;
        let ledger = publish_all(&self.env, &self.creator, std::slice::from_ref(&self.dropped)).await?;
        assert_eq!(ledger.publishes.len(), 1, "the worker resumes the same publish");
        let chunks = &ledger.publishes[0].chunks;
        let complete: Vec<_> = chunks.iter().filter(|chunk| chunk.outcome != ChunkOutcome::Aborted).collect();
        let contiguous = complete.windows(2).all(|pair| pair[1].first == pair[0].last + 1);
        assert!(contiguous && complete.iter().all(|chunk| chunk.outcome == ChunkOutcome::Accepted), "{chunks:#?}");
        Ok(())
    }
}

async fn lost_lease_aborts_the_chunk_in_flight(cloud: Arc<Cloud>) -> Result<()> {
    let setup = Setup::new(&cloud, THREE_CHUNKS, SLOW).await?;
    let (env, id) = (&setup.env, &setup.dropped.post);
    let take_over = async {
        until(&env.tiktok, |upload| upload.bytes_in_flight > 0).await;
        let stored = env.cloud.posts.get(id).await?.context("the post exists")?;
        let renewed = stored.value.clone().renew(env.now())?;
        env.cloud.posts.save(stored, renewed, env.now()).await?;
        anyhow::Ok(())
    };
    let (worked, saved) = tokio::join!(env.work(id), take_over);
    saved?;
    assert_eq!(worked?, WorkOutcome::LeaseLost);
    // The worker notices the lost lease while it sends the second chunk.
    assert_eq!(received(&env.tiktok)?, CHUNK, "the chunk in flight was aborted");
    assert_eq!(setup.stored().await?.offset, 0, "nothing was overwritten");
    abort_is_recorded(&env.tiktok).await;
    setup.resumes().await
}

async fn failed_checkpoint_write_stops_worker_and_next_resumes(cloud: Arc<Cloud>) -> Result<()> {
    let mut setup = Setup::new(&cloud, THREE_CHUNKS, SLOW).await?;
    setup.work_with_failing_write(OFFSET_WRITE).await;
    assert_eq!(received(&setup.env.tiktok)?, CHUNK, "the second chunk was aborted");
    assert_eq!(setup.stored().await?.offset, 0);
    abort_is_recorded(&setup.env.tiktok).await;
    setup.resumes().await
}

async fn worker_killed_two_chunks_after_checkpoint_resends_none(cloud: Arc<Cloud>) -> Result<()> {
    let mut setup = Setup::new(&cloud, THREE_CHUNKS, SLOW).await?;
    let healthy = setup.env.dependencies.posts.clone();
    setup.fail_writes(WriteFault::unanswered(OFFSET_WRITE..=u32::MAX).await?);
    let two_chunks_sent = async {
        until(&setup.env.tiktok, |upload| upload.bytes_received == 2 * CHUNK).await;
        // Enough time to send the third chunk, if it did not wait for the checkpoint.
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    setup.env.work_until(&setup.dropped.post, two_chunks_sent).await?;
    assert_eq!(setup.chunk_calls().await?, 2, "the third chunk waits for the first checkpoint");
    assert_eq!(setup.stored().await?.offset, 0, "TikTok is two chunks ahead of the checkpoint");
    setup.env.dependencies.posts = healthy;
    setup.resumes().await
}

async fn chunks_within_a_second_share_one_checkpoint(cloud: Arc<Cloud>) -> Result<()> {
    let mut setup = Setup::new(&cloud, THREE_CHUNKS, FAST).await?;
    let (clock, now) = (Arc::clone(&setup.env.dependencies.instruments.clock), setup.env.now());
    // This worker's clock stands still, so the time between two checkpoints (`CHECKPOINT_INTERVAL` in
    // posting/src/upload/leased_post.rs) never passes.
    setup.env.dependencies.instruments.clock = Arc::new(move || now);
    setup.work_with_failing_write(OFFSET_WRITE).await;
    assert_eq!(setup.chunk_calls().await?, 2, "the failed write is the last chunk's commit mark");
    assert_eq!(setup.stored().await?.offset, 0);
    setup.env.dependencies.instruments.clock = clock;
    setup.resumes().await
}

async fn last_chunk_waits_for_its_commit_mark(cloud: Arc<Cloud>) -> Result<()> {
    // Of three chunks, the first two are sent before the mark; of one chunk, none.
    for_each([(THREE_CHUNKS, COMMIT_WRITE, 2), (CHUNK, OFFSET_WRITE, 0)], async |(bytes, write, sent)| {
        let mut setup = Setup::new(&cloud, bytes, SLOW).await?;
        setup.work_with_failing_write(write).await;
        assert_eq!(setup.chunk_calls().await?, sent);
        assert!(!setup.stored().await?.may_be_complete());
        setup.resumes().await
    })
    .await
}

/// Waits until a condition of the only upload holds.
async fn until(tiktok: &Simulator, is: impl Fn(&LedgerEntry) -> bool) {
    while !tiktok.ledger().publishes.first().is_some_and(&is) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until TikTok has noticed the aborted chunk, for five seconds at most: TikTok does not notice an abort before
/// the first byte. This is shorter than a lease.
async fn abort_is_recorded(tiktok: &Simulator) {
    let aborted = |upload: &LedgerEntry| upload.chunks.iter().any(|chunk| chunk.outcome == ChunkOutcome::Aborted);
    let _ = tokio::time::timeout(Duration::from_secs(5), until(tiktok, aborted)).await;
}

fn received(tiktok: &Simulator) -> Result<u64> {
    Ok(tiktok.ledger().publishes.first().context("there is no upload")?.bytes_received)
}
