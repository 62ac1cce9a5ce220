//! A video of a thousand bytes, read ahead through a window of forty in parts
//! of ten, from an S3 that answers late, breaks off, lies and changes its mind.

use std::time::Duration;

use domain::source::ObjectVersion;
use futures::{StreamExt, TryStreamExt};

use super::*;
use crate::scripted_server::{Answer, Line, Request, ScriptedServer, reply, say};

const SIZE: u64 = 1000;
const WINDOW: Window = Window::of_parts(40, 10);

fn video(server: &ScriptedServer, size: u64, breaks: u32) -> ReadAhead {
    let source =
        Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version: ObjectVersion::Id("v1".into()) };
    let object = Object { client: server.s3(), source, patience: RetryBudget::new(breaks) };
    ReadAhead { object, window: WINDOW, size, flow: None }
}

fn bytes(range: Range<u64>) -> Vec<u8> {
    range.map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// The range that a request asks for.
fn asked(request: &Request) -> Range<u64> {
    let range = request.header("range").unwrap().strip_prefix("bytes=").unwrap().to_owned();
    let (first, last) = range.split_once('-').unwrap();
    first.parse().unwrap()..last.parse::<u64>().unwrap() + 1
}

fn all_asked(server: &ScriptedServer) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = server.requests().iter().map(asked).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges
}

/// What S3 answers to the newest request.
fn part(requests: &[Request]) -> Answer {
    let range = asked(requests.last().unwrap());
    let content_range = format!("bytes {}-{}/{SIZE}", range.start, range.end - 1);
    Answer::new(206, bytes(range)).header("content-range", &content_range)
}

fn parts(count: usize) -> impl Iterator<Item = Line> {
    (0..count).map(|_| reply(part))
}

async fn all_of(body: ChunkBody) -> Result<Vec<u8>, BrokeOff> {
    Ok(body.try_collect::<Vec<Bytes>>().await?.concat())
}

#[tokio::test]
async fn a_video_passes_through_the_window_in_order_whatever_it_is_cut_into() {
    for chunk in [1, 7, 10, 333, 1000] {
        let server = ScriptedServer::start(parts(100)).await;
        let mut video = video(&server, SIZE, 0);
        let mut at = 0;
        while at < SIZE {
            let range = at..SIZE.min(at + chunk);
            assert_eq!(all_of(video.chunk(range.clone())).await, Ok(bytes(range.clone())), "{range:?}");
            at = range.end;
        }
        assert_eq!(all_asked(&server), (0..100).map(|n| n * 10..n * 10 + 10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_full_window_is_read_at_once() {
    let together = |_| reply(|requests| part(requests).once_asked(4));
    let server = ScriptedServer::start((0..4).map(together)).await;
    let mut video = video(&server, 40, 0);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
}

#[tokio::test]
async fn the_window_fills_while_nobody_takes_a_byte_and_no_further() {
    let server = ScriptedServer::start(parts(4)).await;
    let mut video = video(&server, SIZE, 0);
    let body = video.chunk(0..500);
    server.asked(4).await;
    assert_eq!(all_asked(&server), [0..10, 10..20, 20..30, 30..40]);
    assert_eq!(body.flow.lock().parts.next(0), None, "the next part does not fit");
}

#[tokio::test]
async fn a_read_that_was_begun_early_is_gone_on_with_by_the_chunk_that_begins_there() {
    let server = ScriptedServer::start(parts(4)).await;
    let mut video = video(&server, 60, 0);
    video.begin(20);
    server.asked(4).await;
    assert_eq!(all_asked(&server), [20..30, 30..40, 40..50, 50..60], "nobody has taken a byte");
    assert_eq!(all_of(video.chunk(20..60)).await, Ok(bytes(20..60)));
    assert_eq!(all_asked(&server).len(), 4, "and nothing is read twice");
}

#[tokio::test]
async fn the_window_refills_across_the_end_of_a_chunk_before_the_next_is_begun() {
    let server = ScriptedServer::start(parts(8)).await;
    let mut video = video(&server, SIZE, 0);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
    server.asked(8).await;
    assert_eq!(all_asked(&server).last(), Some(&(70..80)), "the next chunk is on its way");
    drop(video);
}

#[tokio::test]
async fn a_piece_is_passed_on_and_not_copied() {
    let server = ScriptedServer::start(parts(1)).await;
    let mut video = video(&server, 10, 0);
    let (mut first, mut second) = (video.chunk(0..4), None);
    let (mut ahead, mut behind) = (None, None);
    while let Some(piece) = first.next().await {
        ahead = Some(piece.unwrap());
        second.get_or_insert_with(|| video.chunk(4..10));
    }
    if let Some(piece) = second.unwrap().next().await {
        behind = Some(piece.unwrap());
    }
    let (ahead, behind) = (ahead.unwrap(), behind.unwrap());
    assert_eq!(ahead.as_ptr().wrapping_add(ahead.len()), behind.as_ptr(), "both lie in what came off the wire");
}

#[tokio::test]
async fn a_part_that_breaks_off_goes_on_at_its_next_byte() {
    let broken = |_| reply(|requests| part(requests).cut_at(3));
    let server = ScriptedServer::start((0..4).map(broken).chain(parts(4))).await;
    let mut video = video(&server, 40, 4);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
    assert_eq!(all_asked(&server), [0..10, 3..10, 10..20, 13..20, 20..30, 23..30, 30..40, 33..40]);
}

#[tokio::test]
async fn a_part_that_falls_silent_goes_on_at_its_next_byte_too() {
    let silent = reply(|requests| part(requests).silent_at(3));
    let server = ScriptedServer::start([silent, reply(part)]).await;
    let mut video = video(&server, 10, 1);
    video.object.client = server.impatient_s3();
    let given = tokio::time::timeout(Duration::from_secs(30), all_of(video.chunk(0..10))).await;
    assert_eq!(given.unwrap(), Ok(bytes(0..10)));
    assert_eq!(all_asked(&server), [0..10, 3..10]);
}

#[tokio::test]
async fn every_part_and_every_read_that_goes_on_is_of_the_version_that_was_dropped() {
    let broken = reply(|requests| part(requests).cut_at(3));
    let server = ScriptedServer::start([broken].into_iter().chain(parts(4))).await;
    let mut video = video(&server, 40, 1);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)));
    assert!(server.requests().iter().all(|request| request.line.contains("versionId=v1")));
}

#[tokio::test]
async fn a_part_whose_task_is_gone_is_an_error_and_never_a_gap() {
    let server = ScriptedServer::start(parts(8)).await;
    let mut video = video(&server, 40, 0);
    let body = video.chunk(0..40);
    server.asked(4).await;
    body.flow.lock().under_way[0].task.abort();
    body.flow.lock().under_way[2].task.abort();
    let given = all_of(body).await;
    assert!(given == Err(BrokeOff) || given == Ok(bytes(0..40)), "{given:?}");
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)), "and a new flow has it all");
}

#[tokio::test]
async fn all_parts_and_all_tries_of_a_chunk_draw_on_one_budget() {
    let broken = || reply(|requests| part(requests).cut_at(0));
    let server = ScriptedServer::start([broken(), broken(), reply(part), broken()]).await;
    let mut video = video(&server, 10, 2);
    assert_eq!(all_of(video.chunk(0..10)).await, Ok(bytes(0..10)), "two breaks are borne");
    assert_eq!(all_of(video.chunk(0..10)).await, Err(BrokeOff), "the third is one too many, though the chunk is new");
    assert!(matches!(video.take_failure(), Some(ObjectError::Unavailable { .. })));
    assert!(video.take_failure().is_none(), "it is told once");
}

#[tokio::test]
async fn an_object_that_changed_stops_the_video() {
    let changed = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
    let server = ScriptedServer::start([reply(part), say(Answer::new(412, changed))]).await;
    let mut video = video(&server, 20, 9);
    assert_eq!(all_of(video.chunk(0..20)).await, Err(BrokeOff));
    assert!(matches!(video.take_failure(), Some(ObjectError::Changed { .. })));
}

#[tokio::test]
async fn an_answer_that_ignores_the_range_is_refused_before_a_byte_of_it_is_used() {
    let whole = || say(Answer::new(200, bytes(0..SIZE)));
    let server = ScriptedServer::start([whole(), whole()]).await;
    let mut video = video(&server, 20, 9);
    let mut body = video.chunk(0..20);
    assert_eq!(body.next().await, Some(Err(BrokeOff)), "not a byte");
    assert!(matches!(video.take_failure(), Some(ObjectError::WrongRange { .. })));
}

#[tokio::test]
async fn a_chunk_that_is_sent_again_begins_at_its_first_byte_and_nothing_old_is_in_it() {
    let server = ScriptedServer::start(parts(14)).await;
    let mut video = video(&server, 40, 0);
    assert_eq!(all_of(video.chunk(0..20)).await, Ok(bytes(0..20)));
    let mut broken_off = video.chunk(20..40);
    assert!(broken_off.next().await.is_some());
    let mut again = video.chunk(20..40);
    server.asked(6).await;
    assert!(broken_off.next().await.is_some(), "whoever still holds the old body");
    let first = again.next().await.unwrap().unwrap();
    let rest = all_of(again).await.unwrap();
    assert_eq!([&first[..], &rest[..]].concat(), bytes(20..40), "takes nothing from the new");
    let _untouched = video.chunk(0..40);
    assert_eq!(all_of(video.chunk(0..40)).await, Ok(bytes(0..40)), "nor does one that was never polled");
    server.asked(14).await;
}
