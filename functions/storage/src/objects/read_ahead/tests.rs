//! A video of 1,000 bytes, read ahead with a window of 40 bytes in parts of 10, from a scripted S3 that responds late,
//! breaks off, returns wrong ranges, and changes the object.

use std::time::Duration;

use domain::source::ObjectVersion;
use futures::{StreamExt, TryStreamExt};

use super::*;
use crate::aws::Kind;
use crate::scripted_aws::{Reply, Request, ScriptedAws, ScriptedServer, Step, reply, reply_with};

const SIZE: u64 = 1000;
const WINDOW: Window = Window::with_part_size(40, 10);

fn video(server: &ScriptedServer, size: u64, max_retries: u32) -> ReadAhead {
    let source =
        Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version: ObjectVersion::Id("v1".into()) };
    let object = Object { client: server.s3(), source, retries: RetryBudget::new(max_retries) };
    ReadAhead { object, window: WINDOW, size, current: None }
}

fn bytes(range: Range<u64>) -> Vec<u8> {
    range.map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// The requested range.
fn range_of(request: &Request) -> Range<u64> {
    let range = request.header("range").unwrap().strip_prefix("bytes=").unwrap().to_owned();
    let (first, last) = range.split_once('-').unwrap();
    first.parse().unwrap()..last.parse::<u64>().unwrap() + 1
}

/// The ranges of all requests, in order of their offsets.
fn all_ranges(server: &ScriptedServer) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = server.requests().iter().map(range_of).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges
}

/// S3's response to the last request.
fn part(requests: &[Request]) -> Reply {
    let range = range_of(requests.last().unwrap());
    let content_range = format!("bytes {}-{}/{SIZE}", range.start, range.end - 1);
    Reply::new(206, bytes(range)).header("content-range", &content_range)
}

fn parts(count: usize) -> impl Iterator<Item = Step> {
    (0..count).map(|_| reply_with(part))
}

async fn all_of(body: ChunkBody) -> Result<Vec<u8>, BrokeOff> {
    Ok(body.try_collect::<Vec<Bytes>>().await?.concat())
}

#[tokio::test]
async fn chunks_of_any_size_yield_the_video_in_order() {
    for chunk in [1, 7, 10, 333, 1000] {
        let server = ScriptedServer::start(parts(100)).await;
        let mut video = video(&server, SIZE, 0);
        let mut at = 0;
        while at < SIZE {
            let range = at..SIZE.min(at + chunk);
            assert_eq!(all_of(video.chunk(range.clone())).await, Ok(bytes(range.clone())), "{range:?}");
            at = range.end;
        }
        assert_eq!(all_ranges(&server), (0..100).map(|n| n * 10..n * 10 + 10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn parts_of_a_full_window_are_read_concurrently() {
    let when_all_came = |_| reply_with(|requests| part(requests).after_requests(4));
    let server = ScriptedServer::start((0..4).map(when_all_came)).await;
    let mut video = video(&server, 40, 0);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
}

#[tokio::test]
async fn window_fills_before_any_byte_is_consumed() {
    let server = ScriptedServer::start(parts(4)).await;
    let mut video = video(&server, SIZE, 0);
    let body = video.chunk(0..500);
    server.wait_for_requests(4).await;
    assert_eq!(all_ranges(&server), [0..10, 10..20, 20..30, 30..40]);
    assert_eq!(body.flow.lock().parts.next(0), None, "the next part does not fit");
}

#[tokio::test]
async fn chunk_continues_the_read_that_begin_started() {
    let server = ScriptedServer::start(parts(4)).await;
    let mut video = video(&server, 60, 0);
    video.begin(20);
    server.wait_for_requests(4).await;
    assert_eq!(all_ranges(&server), [20..30, 30..40, 40..50, 50..60], "before any byte is consumed");
    assert_eq!(all_of(video.chunk(20..60)).await, Ok(bytes(20..60)));
    assert_eq!(all_ranges(&server).len(), 4, "nothing is read twice");
}

#[tokio::test]
async fn window_refills_beyond_the_end_of_the_chunk() {
    let server = ScriptedServer::start(parts(8)).await;
    let mut video = video(&server, SIZE, 0);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
    // Four parts for the chunk, and four that fill the window again.
    server.wait_for_requests(8).await;
    assert_eq!(all_ranges(&server).last(), Some(&(70..80)), "the next chunk is being read");
    drop(video);
}

#[tokio::test]
async fn piece_is_split_at_chunk_end_without_a_copy() {
    let server = ScriptedServer::start(parts(1)).await;
    let mut video = video(&server, 10, 0);
    let (mut first, mut second) = (video.chunk(0..4), None);
    let (mut head, mut tail) = (None, None);
    while let Some(piece) = first.next().await {
        head = Some(piece.unwrap());
        second.get_or_insert_with(|| video.chunk(4..10));
    }
    if let Some(piece) = second.unwrap().next().await {
        tail = Some(piece.unwrap());
    }
    let (head, tail) = (head.unwrap(), tail.unwrap());
    assert_eq!(head.as_ptr().wrapping_add(head.len()), tail.as_ptr(), "both are in the buffer of one read");
}

#[tokio::test]
async fn broken_part_resumes_at_the_next_byte() {
    let broken = |_| reply_with(|requests| part(requests).cut_at(3));
    let server = ScriptedServer::start((0..4).map(broken).chain(parts(4))).await;
    let mut video = video(&server, 40, 4);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
    assert_eq!(all_ranges(&server), [0..10, 3..10, 10..20, 13..20, 20..30, 23..30, 30..40, 33..40]);
}

#[tokio::test]
async fn stalled_part_resumes_at_the_next_byte() {
    let silent = reply_with(|requests| part(requests).silent_at(3));
    let server = ScriptedServer::start([silent, reply_with(part)]).await;
    let mut video = video(&server, 10, 1);
    video.object.client = server.impatient_s3();
    let read = tokio::time::timeout(Duration::from_secs(30), all_of(video.chunk(0..10))).await;
    assert_eq!(read.unwrap(), Ok(bytes(0..10)));
    assert_eq!(all_ranges(&server), [0..10, 3..10]);
}

#[tokio::test]
async fn every_request_is_pinned_to_the_dropped_version() {
    let broken = reply_with(|requests| part(requests).cut_at(3));
    let server = ScriptedServer::start([broken].into_iter().chain(parts(4))).await;
    let mut video = video(&server, 40, 1);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
    assert!(server.requests().iter().all(|request| request.target.contains("versionId=v1")));
}

#[tokio::test]
async fn aborted_part_is_an_error_and_never_a_gap() {
    let server = ScriptedServer::start(parts(8)).await;
    let mut video = video(&server, 40, 0);
    let body = video.chunk(0..40);
    server.wait_for_requests(4).await;
    body.flow.lock().requested[0].task.abort();
    body.flow.lock().requested[2].task.abort();
    let read = all_of(body).await;
    // The tasks may have read their parts before they were aborted.
    assert!(read == Err(BrokeOff) || read == Ok(bytes(0..40)), "{read:?}");
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)), "a new flow has all bytes");
}

#[tokio::test]
async fn all_reads_of_a_video_share_the_retry_budget() {
    let broken = || reply_with(|requests| part(requests).cut_at(0));
    let server = ScriptedServer::start([broken(), broken(), reply_with(part), broken()]).await;
    let mut video = video(&server, 10, 2);
    assert_eq!(all_of(video.chunk(0..10)).await, Ok(bytes(0..10)), "two retries are permitted");
    assert_eq!(all_of(video.chunk(0..10)).await, Err(BrokeOff), "the second try of the chunk has no retry left");
    let failure = video.take_failure();
    assert!(matches!(&failure, Some(ObjectError::Aws(error)) if error.kind() == Kind::Unavailable), "{failure:?}");
    assert!(video.take_failure().is_none(), "the error is returned once");
}

#[tokio::test]
async fn changed_object_stops_the_video() {
    let changed = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
    let server = ScriptedServer::start([reply_with(part), reply(Reply::new(412, changed))]).await;
    let mut video = video(&server, 20, 9);
    assert_eq!(all_of(video.chunk(0..20)).await, Err(BrokeOff));
    assert!(matches!(video.take_failure(), Some(ObjectError::Changed { .. })));
}

#[tokio::test]
async fn response_with_a_wrong_range_yields_no_byte() {
    let whole = || reply(Reply::new(200, bytes(0..SIZE)));
    let server = ScriptedServer::start([whole(), whole()]).await;
    let mut video = video(&server, 20, 9);
    let mut body = video.chunk(0..20);
    assert_eq!(body.next().await, Some(Err(BrokeOff)), "no byte is used");
    assert!(matches!(video.take_failure(), Some(ObjectError::WrongRange { .. })));
}

#[tokio::test]
async fn chunk_sent_again_has_no_bytes_of_the_old_flow() {
    // Requests of parts of 10 bytes: 4 for 0..40, 2 for the second 20..40, and 4 for each of the two flows from 0.
    let server = ScriptedServer::start(parts(14)).await;
    let mut video = video(&server, 40, 0);
    assert_eq!(all_of(video.chunk(0..20)).await, Ok(bytes(0..20)));
    let mut broken_off = video.chunk(20..40);
    assert!(broken_off.next().await.is_some());
    let mut again = video.chunk(20..40);
    server.wait_for_requests(6).await;
    assert!(broken_off.next().await.is_some(), "the old body still yields its own bytes");
    let first = again.next().await.unwrap().unwrap();
    let rest = all_of(again).await.unwrap();
    assert_eq!([&first[..], &rest[..]].concat(), bytes(20..40), "the old body takes no bytes from the new one");
    let _unpolled = video.chunk(0..40);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)), "a body that was never polled takes none either");
    server.wait_for_requests(14).await;
}
