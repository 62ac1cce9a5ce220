//! Trouble on the way of the bytes. Whatever happens to a chunk, the video is
//! published once, whole, and no rule is broken.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::post::{Post, StateName};
use simulator::{Effect, Ending, Endpoint, Fault, FaultKind, Moment};
use tests::{Cloud, Counter, Creator, Dropped, Footage, Patience};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    a_chunk_that_tiktok_fails_to_take_is_sent_again,
    a_connection_that_breaks_in_a_chunk_costs_that_chunk_and_no_more,
    an_answer_that_is_lost_never_makes_a_second_post,
    a_chunk_that_is_out_of_step_is_realigned,
    a_chunk_that_tiktok_calls_malformed_fails_the_post_and_is_not_sent_again,
    an_upload_url_that_dies_in_the_middle_is_replaced_by_a_new_init,
    an_upload_url_that_dies_before_the_last_chunk_is_replaced_by_a_new_init,
    an_upload_url_that_dies_behind_a_lost_last_answer_never_makes_a_second_post,
    a_tiktok_that_falls_silent_for_minutes_loses_no_byte_and_the_post_no_worker,
];

/// A film of two chunks: what happens to the first happens in the middle, and
/// what happens to the second at the end.
pub(crate) const TWO_CHUNKS: usize = 11_000_000;
/// A film of three chunks, so that one is neither the first nor the last.
const THREE_CHUNKS: usize = 21_000_000;

const FIRST: u32 = 1;
const LAST: u32 = 2;

/// Drops a film of two chunks for each of these faults, and waits for all.
pub(crate) async fn each_is_published_once(cloud: &Arc<Cloud>, faults: Vec<Fault>) -> Result<Vec<(Fault, Counter)>> {
    let mut drops: Vec<(Fault, Creator, Dropped)> = Vec::new();
    for fault in faults {
        let maker = Creator::connect(cloud).await?;
        maker.inject(fault.clone()).await?;
        let dropped = maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?;
        drops.push((fault, maker, dropped));
    }
    let mut books = Vec::new();
    for (fault, maker, dropped) in drops {
        let what = || format!("{:?} at call {}", fault.kind, fault.call);
        cloud.await_state(&dropped.post, StateName::Published).await.with_context(what)?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped).with_context(what)?;
        let met = book.calls.iter().any(|call| call.fault.is_some());
        anyhow::ensure!(met, "{}: the fault befell no call", what());
        books.push((fault, book));
    }
    Ok(books)
}

fn ensure_one_init(books: &[(Fault, Counter)]) {
    for (fault, book) in books {
        assert_eq!(book.publishes.len(), 1, "{fault:?}: nothing here asks for a new init");
    }
}

fn at(call: u32, trouble: FaultKind) -> Fault {
    Fault::new(Endpoint::Upload, trouble).at_call(call)
}

fn status(http_status: u16, effect: Effect) -> FaultKind {
    FaultKind::Status { http_status, code: String::new(), message: String::new(), effect }
}

async fn a_chunk_that_tiktok_fails_to_take_is_sent_again(cloud: Arc<Cloud>) -> Result<()> {
    let books = each_is_published_once(
        &cloud,
        vec![
            at(FIRST, status(500, Effect::Skipped)),
            at(LAST, status(502, Effect::Skipped)),
            at(FIRST, status(503, Effect::Happens)),
            at(LAST, status(504, Effect::Happens)),
            at(FIRST, status(429, Effect::Skipped)),
        ],
    )
    .await?;
    ensure_one_init(&books);
    Ok(())
}

async fn a_connection_that_breaks_in_a_chunk_costs_that_chunk_and_no_more(cloud: Arc<Cloud>) -> Result<()> {
    let mut faults = Vec::new();
    for call in [FIRST, LAST] {
        faults.push(at(call, FaultKind::ResetBeforeBody));
        faults.push(at(call, FaultKind::ResetInBody { after_bytes: 3_000_000 }));
        faults.push(at(call, FaultKind::ResetAfterBody));
    }
    let books = each_is_published_once(&cloud, faults).await?;
    ensure_one_init(&books);
    for (fault, book) in &books {
        assert_eq!(book.calls_of(Endpoint::Upload), 3, "{fault:?}: two chunks, and one of them again");
    }
    Ok(())
}

async fn an_answer_that_is_lost_never_makes_a_second_post(cloud: Arc<Cloud>) -> Result<()> {
    let mut faults = Vec::new();
    for call in [FIRST, LAST] {
        for ending in [Ending::Reset, Ending::Close] {
            faults.push(at(call, FaultKind::LoseAnswer { ending }));
        }
    }
    let books = each_is_published_once(&cloud, faults).await?;
    ensure_one_init(&books);
    for (fault, book) in &books {
        assert_eq!(book.calls_of(Endpoint::Upload), 2, "{fault:?}: TikTok was asked, and nothing was sent twice");
    }
    Ok(())
}

async fn a_chunk_that_is_out_of_step_is_realigned(cloud: Arc<Cloud>) -> Result<()> {
    let faults = vec![at(FIRST, status(416, Effect::Skipped)), at(LAST, status(416, Effect::Skipped))];
    ensure_one_init(&each_is_published_once(&cloud, faults).await?);
    Ok(())
}

async fn a_chunk_that_tiktok_calls_malformed_fails_the_post_and_is_not_sent_again(cloud: Arc<Cloud>) -> Result<()> {
    let mut drops = Vec::new();
    for call in [FIRST, LAST] {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(at(call, status(400, Effect::Skipped))).await?;
        drops.push((maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?, maker, call));
    }
    for (dropped, maker, call) in drops {
        let failure = failure_of(&cloud, &dropped).await?;
        assert_eq!(failure.reason.code(), "upload_malformed", "{failure}");
        let book = maker.book().await?;
        assert_eq!((book.publications.len(), book.publishes.len()), (0, 1), "chunk {call}: nothing is begun anew");
        assert_eq!(
            book.calls_of(Endpoint::Upload),
            usize::try_from(call)?,
            "chunk {call}: it would be malformed again"
        );
        book.ensure_no_rule_broken()?;
    }
    Ok(())
}

async fn an_upload_url_that_dies_in_the_middle_is_replaced_by_a_new_init(cloud: Arc<Cloud>) -> Result<()> {
    let refused = [401, 404, 405].map(|http| status(http, Effect::Skipped));
    let troubles = [FaultKind::ExpireUploadUrl].into_iter().chain(refused);
    let mut drops = Vec::new();
    for trouble in troubles {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(at(2, trouble)).await?;
        drops.push((maker.drops("clip.mp4", &Footage::long(THREE_CHUNKS)?).await?, maker));
    }
    for (dropped, maker) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes.len(), 2, "the one that died, and one more");
    }
    Ok(())
}

async fn an_upload_url_that_dies_before_the_last_chunk_is_replaced_by_a_new_init(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(at(LAST, FaultKind::ExpireUploadUrl)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 2, "the one that died, and one more");
    Ok(())
}

/// TikTok has every byte, the answer is lost, and then the URL is dead: nobody
/// knows but TikTok, and nothing may be begun anew before it has spoken.
async fn an_upload_url_that_dies_behind_a_lost_last_answer_never_makes_a_second_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(at(LAST, status(502, Effect::Happens))).await?;
    maker.inject(at(LAST + 1, FaultKind::ExpireUploadUrl)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "TikTok had it all along");
    Ok(())
}

async fn a_tiktok_that_falls_silent_for_minutes_loses_no_byte_and_the_post_no_worker(cloud: Arc<Cloud>) -> Result<()> {
    let silent = |moment| FaultKind::Stall { ms: None, moment };
    let mut drops = Vec::new();
    for (fault, borne_s) in [(at(FIRST, silent(Moment::Before)), 60), (at(LAST, silent(Moment::After)), 120)] {
        let maker = Creator::connect(&cloud).await?;
        maker.inject(fault.clone()).await?;
        drops.push((maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?, maker, fault, borne_s));
    }
    for (dropped, maker, fault, borne_s) in drops {
        let post = published_at_leisure(&cloud, &dropped).await?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes.len(), 1, "{fault:?}");
        assert_eq!(post.attempt, 1, "{fault:?}: the lease is renewed meanwhile: {:#?}", post.history);
        let (first, last) = post.history.first().zip(post.history.last()).context("a post has a history")?;
        let lasted_s = last.at.duration_since(first.at).as_secs();
        assert!(lasted_s >= borne_s, "{fault:?}: given up after {lasted_s} s");
    }
    Ok(())
}

async fn published_at_leisure(cloud: &Cloud, dropped: &Dropped) -> Result<Post> {
    let is = |post: &Post| post.state_name() == StateName::Published;
    cloud.await_post(&dropped.post, "published", Patience::seconds(400), is).await
}
