//! What is stored while bytes are on their way: a worker that cannot store it
//! stops in the middle of a chunk, and the next one goes on where TikTok stands.
//!
//! Each story has a stage of its own, and a worker in this process, whose writes
//! go astray when the story says so. TikTok takes a second for a chunk.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use domain::options::Mode;
use domain::post::LEASE_TERM;
use domain::upload::Upload;
use posting::Worked;
use simulator::{ChunkOutcome, Endpoint, Fault, FaultKind, LedgerEntry, Simulator};
use storage::Posts;
use tests::{Apart, Cloud, Creator, Dropped, Footage, Hiccup};
use tokio::task::spawn_blocking;

use crate::harness::stories;
use crate::limits::{private, publish_all, stage};

stories![among:
    a_worker_that_is_overtaken_in_the_middle_of_a_chunk_breaks_it_off,
    a_worker_that_cannot_store_what_tiktok_accepted_stops_and_the_next_one_asks,
    a_worker_that_vanishes_with_two_chunks_not_stored_costs_no_second_sending,
    chunks_that_go_within_a_second_cost_no_write_each,
    no_byte_of_a_last_chunk_leaves_before_it_is_stored_that_it_may,
];

/// A film of three chunks, and how it is cut.
const FILM: usize = 16_500_000;
const CHUNK: u64 = 5_500_000;
const CEILING: &str = "6000000";
/// How fast TikTok takes it, in bytes a second.
const LINK: u64 = 5_000_000;
/// Or so fast that all chunks go within a second, even on a busy machine.
const QUICK: u64 = 1_000_000_000;

/// The writes of a post by the worker that takes it up: the claim, the upload
/// that was begun, what was accepted of it, and that the last chunk may leave.
const OFFSET_WRITE: u32 = 3;
const MARK_WRITE: u32 = 4;
/// How often a write is sent before it is given up, where the client does not repeat it.
const SENDINGS: u32 = 3;

async fn a_worker_that_is_overtaken_in_the_middle_of_a_chunk_breaks_it_off(cloud: Arc<Cloud>) -> Result<()> {
    let Scene { stage, maker, dropped } = scene(&cloud, FILM, LINK).await?;
    let (stage, id) = (Arc::new(stage), dropped.post.clone());
    let working = spawn_blocking({
        let (stage, id) = (Arc::clone(&stage), id.clone());
        move || stage.work(&id)
    });
    until(&stage.tiktok, |upload| upload.bytes_in_flight > 0).await;
    let kept = stage.cloud.posts.get(&id).await?.context("the post is there")?;
    let taken = kept.value.clone().renew(stage.now())?;
    stage.cloud.posts.save(kept, taken, stage.now()).await?;
    assert_eq!(working.await??, Worked::LeaseLost);
    // It hears of it while the second chunk leaves.
    assert_eq!(received(&stage)?, CHUNK, "what was on its way was broken off");
    assert_eq!(stored(&stage, &dropped).await?.offset, 0, "and nothing was written over");
    the_other_end_notices(&stage).await;
    goes_on(&stage, &maker, &dropped).await
}

async fn a_worker_that_cannot_store_what_tiktok_accepted_stops_and_the_next_one_asks(cloud: Arc<Cloud>) -> Result<()> {
    let Scene { mut stage, maker, dropped } = scene(&cloud, FILM, LINK).await?;
    fail_writes(&mut stage, Hiccup::refusing(OFFSET_WRITE..=OFFSET_WRITE + SENDINGS - 1));
    assert!(stage.work(&dropped.post).is_err(), "a write that fails is told");
    assert_eq!(received(&stage)?, CHUNK, "the second chunk was broken off");
    assert_eq!(stored(&stage, &dropped).await?.offset, 0);
    the_other_end_notices(&stage).await;
    goes_on(&stage, &maker, &dropped).await
}

async fn a_worker_that_vanishes_with_two_chunks_not_stored_costs_no_second_sending(cloud: Arc<Cloud>) -> Result<()> {
    let Scene { mut stage, maker, dropped } = scene(&cloud, FILM, LINK).await?;
    let healthy = stage.posting.posts.clone();
    fail_writes(&mut stage, Hiccup::silent(OFFSET_WRITE..=u32::MAX).await?);
    stage.work_until(&dropped.post, async {
        until(&stage.tiktok, |upload| upload.bytes_received == 2 * CHUNK).await;
        // Time enough for the third, if it did not wait for the first to be stored.
        tokio::time::sleep(Duration::from_millis(500)).await;
    })?;
    assert_eq!(maker.book().await?.calls_of(Endpoint::Upload), 2, "the third waits for the first to be stored");
    assert_eq!(stored(&stage, &dropped).await?.offset, 0, "TikTok is two chunks ahead of what is stored");
    stage.posting.posts = healthy;
    goes_on(&stage, &maker, &dropped).await
}

async fn chunks_that_go_within_a_second_cost_no_write_each(cloud: Arc<Cloud>) -> Result<()> {
    let Scene { mut stage, maker, dropped } = scene(&cloud, FILM, QUICK).await?;
    let (clock, now) = (Arc::clone(&stage.posting.clock), stage.now());
    // To this worker, everything happens at once.
    stage.posting.clock = Arc::new(move || now);
    fail_writes(&mut stage, Hiccup::refusing(OFFSET_WRITE..=OFFSET_WRITE + SENDINGS - 1));
    assert!(stage.work(&dropped.post).is_err(), "a write that fails is told");
    assert_eq!(maker.book().await?.calls_of(Endpoint::Upload), 2, "it is the last chunk's mark that was not stored");
    assert_eq!(stored(&stage, &dropped).await?.offset, 0);
    stage.posting.clock = clock;
    goes_on(&stage, &maker, &dropped).await
}

async fn no_byte_of_a_last_chunk_leaves_before_it_is_stored_that_it_may(cloud: Arc<Cloud>) -> Result<()> {
    // Of three chunks, the first two leave; of one, none.
    for (film, write, left) in [(FILM, MARK_WRITE, 2), (usize::try_from(CHUNK)?, OFFSET_WRITE, 0)] {
        let Scene { mut stage, maker, dropped } = scene(&cloud, film, LINK).await?;
        fail_writes(&mut stage, Hiccup::refusing(write..=write + SENDINGS - 1));
        assert!(stage.work(&dropped.post).is_err(), "a write that fails is told");
        assert_eq!(maker.book().await?.calls_of(Endpoint::Upload), left);
        assert!(!stored(&stage, &dropped).await?.may_be_complete());
        goes_on(&stage, &maker, &dropped).await?;
    }
    Ok(())
}

/// A film that was dropped on a stage of its own, and taken by nobody yet.
struct Scene {
    stage: Apart,
    maker: Creator,
    dropped: Dropped,
}

async fn scene(cloud: &Cloud, film: usize, link: u64) -> Result<Scene> {
    let stage = stage(cloud, |_| {}, &[("CHUNK_BYTES", CEILING)]).await?;
    let maker = private(&stage, Mode::Direct).await?;
    let pace = FaultKind::SlowRead { bytes_per_second: link };
    maker.inject(Fault::new(Endpoint::Upload, pace).times(100)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(film)?).await?;
    stage.hear(&[(&dropped, stage.now())])?;
    Ok(Scene { stage, maker, dropped })
}

fn fail_writes(stage: &mut Apart, hiccup: Hiccup) {
    let unrepeated = |config: aws_sdk_dynamodb::config::Builder| config.retry_config(RetryConfig::disabled());
    let failing = stage.cloud.other_dynamodb(|config| unrepeated(config).interceptor(hiccup));
    stage.posting.posts = Posts::new(failing, &stage.cloud.outputs().posts_table);
}

/// The next worker goes on with the same publish when the lease has run out, and
/// TikTok is sent nothing that it had accepted before.
async fn goes_on(stage: &Apart, maker: &Creator, dropped: &Dropped) -> Result<()> {
    stage.tiktok.advance(LEASE_TERM.as_secs() + 1);
    stage.work(&dropped.post)?;
    let book = publish_all(stage, maker, std::slice::from_ref(dropped)).await?;
    assert_eq!(book.publishes.len(), 1, "the same publish is gone on with");
    let chunks = &book.publishes[0].chunks;
    let whole: Vec<_> = chunks.iter().filter(|chunk| chunk.outcome != ChunkOutcome::Aborted).collect();
    let in_turn = whole.windows(2).all(|pair| pair[1].first == pair[0].last + 1);
    assert!(in_turn && whole.iter().all(|chunk| chunk.outcome == ChunkOutcome::Accepted), "{chunks:#?}");
    Ok(())
}

/// Waits until something is true of the one upload that TikTok knows.
async fn until(tiktok: &Simulator, is: impl Fn(&LedgerEntry) -> bool) {
    while !tiktok.ledger().publishes.first().is_some_and(&is) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What was broken off is still read for a moment at the other end; if it was
/// broken off at once, TikTok may never hear of it. A lease lasts longer than this.
async fn the_other_end_notices(stage: &Apart) {
    let aborted = |upload: &LedgerEntry| upload.chunks.iter().any(|chunk| chunk.outcome == ChunkOutcome::Aborted);
    let _ = tokio::time::timeout(Duration::from_secs(5), until(&stage.tiktok, aborted)).await;
}

fn received(stage: &Apart) -> Result<u64> {
    let ledger = stage.tiktok.ledger();
    Ok(ledger.publishes.first().context("an upload was begun")?.bytes_received)
}

async fn stored(stage: &Apart, dropped: &Dropped) -> Result<Upload> {
    stage.cloud.post(&dropped.post).await?.upload().cloned().context("an upload is under way")
}
