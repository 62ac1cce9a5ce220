//! Faults while a worker sends chunks. Whatever happens to a chunk, the video is published once and whole, and no rule
//! is violated.

mod checkpoints;
mod unknowns;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::post::{Post, PostState, Receipt};
use harness::{Cloud, Creator, LedgerView, TestVideo, is_published};
use simulator::{Effect, Ending, Endpoint, FailReason, Fault, FaultKind, Moment};

use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    failed_chunk_is_resent,
    broken_connection_resends_only_that_chunk,
    lost_chunk_response_makes_no_second_post,
    range_mismatch_is_realigned,
    malformed_chunk_fails_post_without_resend,
    refusal_after_last_byte_keeps_the_publish,
    upload_url_expired_midway_causes_new_init,
    refused_url_after_last_byte_makes_no_second_init,
    expired_url_after_lost_response_makes_no_second_post,
    minutes_of_silence_keep_the_worker_and_upload;
    checkpoints, unknowns
];

/// The size in bytes of a video of two chunks.
pub(crate) const TWO_CHUNKS: u64 = 11_000_000;
/// The size in bytes of a video of three chunks, of which one is neither the first nor the last.
const THREE_CHUNKS: u64 = 21_000_000;

/// The numbers of the upload calls of the first and of the last chunk of two. If the response to
/// the last chunk is lost, TikTok may publish the video.
const FIRST: u32 = 1;
const LAST: u32 = 2;
const BOTH: [u32; 2] = [FIRST, LAST];

/// Drops a video of two chunks, injects this fault, and waits until the video is published once. Returns the ledger.
async fn published_once_despite(cloud: &Arc<Cloud>, fault: Fault) -> Result<LedgerView> {
    let creator = Creator::create(cloud).await?;
    creator.inject(fault).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    ensure!(ledger.calls.iter().any(|call| call.fault.is_some()), "the fault affected no call");
    Ok(ledger)
}

/// Does what [`published_once_despite`] does, and checks that there was one init only. Returns the number of chunk
/// calls.
pub(crate) async fn published_by_one_init_despite(cloud: &Arc<Cloud>, fault: Fault) -> Result<usize> {
    let ledger = published_once_despite(cloud, fault).await?;
    assert_eq!(ledger.publishes.len(), 1, "this fault requires no new init");
    Ok(ledger.calls_of(Endpoint::Upload))
}

pub(crate) fn at(call: u32, kind: FaultKind) -> Fault {
    Fault::new(Endpoint::Upload, kind).at_call(call)
}

pub(crate) fn status(http_status: u16, effect: Effect) -> FaultKind {
    FaultKind::Status { http_status, code: String::new(), message: String::new(), effect }
}

async fn failed_chunk_is_resent(cloud: Arc<Cloud>) -> Result<()> {
    let faults = [
        at(FIRST, status(500, Effect::Skipped)),
        at(LAST, status(502, Effect::Skipped)),
        at(FIRST, status(503, Effect::Happens)),
        at(LAST, status(504, Effect::Happens)),
        at(FIRST, status(429, Effect::Skipped)),
    ];
    for_each(faults, async |fault| published_by_one_init_despite(&cloud, fault).await.map(drop)).await
}

async fn broken_connection_resends_only_that_chunk(cloud: Arc<Cloud>) -> Result<()> {
    let resets =
        [FaultKind::ResetBeforeBody, FaultKind::ResetInBody { after_bytes: 3_000_000 }, FaultKind::ResetAfterBody];
    let faults = BOTH.into_iter().flat_map(|call| resets.clone().map(|reset| at(call, reset)));
    for_each(faults, async |fault| {
        let calls = published_by_one_init_despite(&cloud, fault.clone()).await?;
        assert_eq!(calls, 3, "{fault:?}: two chunks, and one of them again");
        Ok(())
    })
    .await
}

async fn lost_chunk_response_makes_no_second_post(cloud: Arc<Cloud>) -> Result<()> {
    let lost = [Ending::Reset, Ending::Close].map(|ending| FaultKind::LoseAnswer { ending });
    let faults = BOTH.into_iter().flat_map(|call| lost.clone().map(|lost| at(call, lost)));
    for_each(faults, async |fault| {
        let calls = published_by_one_init_despite(&cloud, fault.clone()).await?;
        assert_eq!(calls, 2, "{fault:?}: the worker asks TikTok and resends nothing");
        Ok(())
    })
    .await
}

async fn range_mismatch_is_realigned(cloud: Arc<Cloud>) -> Result<()> {
    let faults = BOTH.map(|call| at(call, status(416, Effect::Skipped)));
    for_each(faults, async |fault| published_by_one_init_despite(&cloud, fault).await.map(drop)).await
}

async fn malformed_chunk_fails_post_without_resend((cloud, creator): WithCreator) -> Result<()> {
    creator.inject(at(FIRST, status(400, Effect::Skipped))).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "upload_malformed", "{failure}");
    let ledger = creator.ledger().await?;
    assert_eq!((ledger.publications.len(), ledger.publishes.len()), (0, 1), "no new init");
    assert_eq!(ledger.calls_of(Endpoint::Upload), 1, "the chunk is not resent");
    ledger.ensure_no_violation()
}

/// After the last byte of the video, no refusal and no undocumented success proves anything. TikTok is asked: it has the
/// chunk, or the chunk is sent again to the same URL.
async fn refusal_after_last_byte_keeps_the_publish(cloud: Arc<Cloud>) -> Result<()> {
    let taken = [200, 204, 400, 403, 404, 409].map(|http| (status(http, Effect::Happens), 2));
    let not_taken = [202, 400, 403].map(|http| (status(http, Effect::Skipped), 3));
    for_each(taken.into_iter().chain(not_taken), async |(fault, chunk_calls)| {
        let calls = published_by_one_init_despite(&cloud, at(LAST, fault.clone())).await?;
        assert_eq!(calls, chunk_calls, "{fault:?}");
        Ok(())
    })
    .await
}

async fn upload_url_expired_midway_causes_new_init(cloud: Arc<Cloud>) -> Result<()> {
    let refused = [401, 404, 405].map(|http| status(http, Effect::Skipped));
    for_each([FaultKind::ExpireUploadUrl].into_iter().chain(refused), async |kind| {
        let creator = Creator::create(&cloud).await?;
        creator.inject(at(2, kind)).await?;
        let dropped = creator.drop_video("clip.mp4", &TestVideo::new(THREE_CHUNKS)?).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        // The second init is safe: TikTok cannot publish the first upload without its last chunk.
        assert_eq!(ledger.publishes.len(), 2, "the expired publish and a new one");
        Ok(())
    })
    .await
}

/// TikTok refuses the URL after it has received the whole last chunk. It may have passed the chunk on, so only its report
/// can lead to another init.
async fn refused_url_after_last_byte_makes_no_second_init((cloud, creator): WithCreator) -> Result<()> {
    creator.inject(at(LAST, FaultKind::ExpireUploadUrl)).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    let is_unconfirmed =
        |post: &Post| matches!(post.state, PostState::Processing { receipt: Receipt::Unconfirmed(_), .. });
    cloud.await_post(&dropped.post, "processing, without a receipt", is_unconfirmed).await?;
    let publish = creator.ledger().await?.publishes.first().context("the publish that was begun")?.publish_id.clone();
    cloud.tiktok.fail(&publish, FailReason::Internal).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 2, "the failed publish and a new one");
    Ok(())
}

/// TikTok has every byte, the response is lost, and then the URL expires. Only TikTok knows the result, so no new
/// upload may begin before TikTok has reported it.
async fn expired_url_after_lost_response_makes_no_second_post(creator: Creator) -> Result<()> {
    creator.inject(at(LAST, status(502, Effect::Happens))).await?;
    creator.inject(at(LAST + 1, FaultKind::ExpireUploadUrl)).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1, "TikTok had the whole video");
    Ok(())
}

async fn minutes_of_silence_keep_the_worker_and_upload(cloud: Arc<Cloud>) -> Result<()> {
    // The second numbers are the client's timeouts in seconds: `idle` and `answer` in tiktok/src/timeouts.rs.
    let silent = |moment| FaultKind::Stall { ms: None, moment };
    let cases = [(at(FIRST, silent(Moment::Before)), 60), (at(LAST, silent(Moment::After)), 120)];
    for_each(cases, async |(fault, min_wait_s)| {
        let creator = Creator::create(&cloud).await?;
        creator.inject(fault.clone()).await?;
        let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
        let timeout = Duration::from_secs(400);
        let post = cloud.await_post_within(timeout, &dropped.post, "published", is_published).await?;
        let ledger = creator.ledger().await?;
        ledger.ensure_published_once(&dropped)?;
        assert_eq!(ledger.publishes.len(), 1, "{fault:?}");
        assert_eq!(post.attempt, 1, "{fault:?}: the worker renews its lease: {:#?}", post.history);
        let (first, last) = post.history.first().zip(post.history.last()).context("a post has a history")?;
        let waited_s = last.at.duration_since(first.at).as_secs();
        assert!(waited_s >= min_wait_s, "{fault:?}: the worker waited only {waited_s} s");
        Ok(())
    })
    .await
}
