//! A chunk on the wire: what TikTok gets to see, and what the caller does.

use std::task::Poll;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::oneshot;

use super::*;
use crate::mock_server::{MockServer, Reply, Request, plan};

type Part = Result<Bytes, std::io::Error>;

fn bytes(length: u64) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>().into()
}

/// A chunk's bytes in parts of 64 KiB.
fn source(chunk: Chunk) -> impl Stream<Item = Part> + Send + 'static {
    let whole = bytes(chunk.len);
    let parts: Vec<Part> = whole.chunks(65_536).map(|part| Ok(whole.slice_ref(part))).collect();
    stream::iter(parts)
}

fn upload_url(server: &MockServer) -> UploadUrl {
    UploadUrl::restore(server.url("/upload?upload_id=1&upload_token=t-1").into())
}

async fn put(server: &MockServer, plan: &ChunkPlan, chunk: Chunk) -> ChunkOutcome {
    server.client().put_chunk(&upload_url(server), "video/mp4", plan, chunk, source(chunk)).await
}

fn code_of(outcome: &ChunkOutcome) -> &str {
    match outcome {
        ChunkOutcome::UrlRejected(why)
        | ChunkOutcome::Retry { why, .. }
        | ChunkOutcome::Unknown { why }
        | ChunkOutcome::Rejected(why) => &why.code,
        other => panic!("{other:?} has no code"),
    }
}

#[tokio::test]
async fn each_chunk_goes_with_exact_headers_and_bytes_and_without_a_token() {
    let plan = plan(20_000_049);
    let chunks: Vec<_> = plan.chunks().collect();
    let script = vec![
        Reply::answer(206, "").with_headers("content-range: bytes 0-10000023/20000049\r\n"),
        Reply::answer(201, ""),
    ];
    let server = MockServer::start(script).await;
    assert_eq!(put(&server, &plan, chunks[0]).await, ChunkOutcome::Accepted { uploaded: Some(10_000_023) });
    assert_eq!(put(&server, &plan, chunks[1]).await, ChunkOutcome::Complete);

    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let ranges = ["bytes 0-10000023/20000049", "bytes 10000024-20000048/20000049"];
    for ((request, chunk), range) in requests.iter().zip(chunks).zip(ranges) {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("PUT", "/upload?upload_id=1&upload_token=t-1"));
        assert_eq!(request.header("content-type"), Some("video/mp4"));
        assert_eq!(request.header("content-length"), Some(chunk.len.to_string().as_str()));
        assert_eq!(request.header("content-range"), Some(range));
        assert_eq!(request.header("transfer-encoding"), None);
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("cookie"), None);
        assert!(request.body == bytes(chunk.len), "the bytes are the source's");
    }
}

#[tokio::test]
async fn a_video_of_one_byte_has_a_range_too() {
    let plan = plan(1);
    let server = MockServer::start(vec![Reply::answer(201, "null")]).await;
    assert_eq!(put(&server, &plan, plan.last()).await, ChunkOutcome::Complete);
    let request = server.only_request();
    assert_eq!((request.header("content-range"), request.header("content-length")), (Some("bytes 0-0/1"), Some("1")));
}

#[tokio::test]
async fn an_answers_body_is_not_looked_at() {
    let plan = plan(1000);
    for body in ["", "null", "<html>416</html>", r#"{"error":{"code":"ok"}}"#] {
        let server = MockServer::start(vec![Reply::answer(416, body)]).await;
        assert_eq!(put(&server, &plan, plan.last()).await, ChunkOutcome::Resync { uploaded: None });
    }
}

#[tokio::test]
async fn a_dead_url_is_known_before_the_whole_chunk_is_sent() {
    let plan = plan(20_000_049);
    let server = MockServer::start(vec![Reply::TimestampInFuture { status: 403 }]).await;
    let endless = stream::iter([Ok::<_, std::io::Error>(bytes(65_536))]).chain(stream::pending());
    let chunk = plan.last();
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, endless).await;
    assert_eq!(code_of(&outcome), "upload_url_expired");
}

#[tokio::test]
async fn a_success_that_comes_before_the_bytes_is_not_believed() {
    let plan = plan(20_000_049);
    let server = MockServer::start(vec![Reply::TimestampInFuture { status: 201 }]).await;
    let endless = stream::iter([Ok::<_, std::io::Error>(bytes(65_536))]).chain(stream::pending());
    let chunk = plan.last();
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, endless).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { .. }), "{outcome}");
}

#[tokio::test]
async fn a_source_that_does_not_keep_its_word_breaks_the_request_off() {
    let plan = plan(10_000_000);
    let chunk = plan.last();
    // More than is buffered, so that TikTok gets to see the begin.
    let half = || (0..50).map(|_| Ok(bytes(100_000)));
    let failing = Err(std::io::Error::other("https://bucket.example/?signature=s-1"));
    let cases: [(Vec<Part>, SourceFault); 3] = [
        (half().collect(), SourceFault::EndedEarly),
        (half().chain([failing]).collect(), SourceFault::Erred),
        (half().chain([Ok(bytes(6_000_000))]).collect(), SourceFault::TooLong),
    ];
    for (parts, fault) in cases {
        let server = MockServer::start(vec![Reply::Close]).await;
        let tiktok = server.client();
        let body = stream::iter(parts);
        let outcome = tiktok.put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, body).await;
        assert_eq!(outcome, ChunkOutcome::SourceFailed(fault));
        let request = server.ended_request().await;
        assert!(!request.is_whole(), "{} bytes came", request.body.len());
    }
}

#[tokio::test]
async fn a_source_without_a_byte_sends_nothing_that_looks_whole() {
    let plan = plan(1);
    let server = MockServer::start(vec![]).await;
    let body = stream::iter(Vec::<Part>::new());
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, plan.last(), body).await;
    assert_eq!(outcome, ChunkOutcome::SourceFailed(SourceFault::EndedEarly));
    assert!(!server.requests().iter().any(Request::is_whole));
}

#[tokio::test]
async fn a_dropped_upload_is_broken_off_and_its_source_let_go() {
    let plan = plan(100_000);
    let chunk = plan.last();
    let server = MockServer::start(vec![Reply::Close]).await;
    let (asked_for_more, was_asked) = oneshot::channel();
    let (held_by_source, source_gone) = oneshot::channel::<()>();
    let mut asked_for_more = Some(asked_for_more);
    let never_more = stream::poll_fn(move |_| {
        assert!(!held_by_source.is_closed());
        asked_for_more.take().map(|asked| asked.send(()));
        Poll::<Option<Part>>::Pending
    });
    let body = stream::iter([Ok(bytes(60_000))]).chain(never_more);
    let (tiktok, url) = (server.client(), upload_url(&server));
    tokio::select! {
        outcome = tiktok.put_chunk(&url, "video/mp4", &plan, chunk, body) => panic!("{outcome}"),
        asked = was_asked => asked.unwrap(),
    }
    assert!(!server.ended_request().await.is_whole());
    assert!(source_gone.await.is_err(), "the source is dropped, and with it its end of the channel");
}

#[tokio::test]
async fn an_upload_that_was_answered_early_lets_its_source_go_though_nobody_reads_on() {
    let plan = plan(10_000_000);
    let chunk = plan.last();
    let server = MockServer::start(vec![Reply::EarlyDeaf { status: 403 }]).await;
    let (held_by_source, source_gone) = oneshot::channel::<()>();
    let body = source(chunk).map(move |part| {
        assert!(!held_by_source.is_closed());
        part
    });
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, body).await;
    assert_eq!(code_of(&outcome), "upload_url_expired");
    let gone = tokio::time::timeout(Duration::from_secs(5), source_gone).await;
    assert!(gone.is_ok(), "the window of a video is not kept in a full socket's queue");
}

#[tokio::test]
async fn a_broken_connection_leaves_it_open_whether_the_chunk_was_taken() {
    let plan = plan(1000);
    let server = MockServer::start(vec![Reply::Close]).await;
    let outcome = put(&server, &plan, plan.last()).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { .. }), "{outcome}");
    assert!(server.only_request().is_whole(), "TikTok did get it all");
}

#[tokio::test]
async fn silence_after_the_last_byte_leaves_it_open_too() {
    let plan = plan(1000);
    let server = MockServer::start(vec![Reply::Silence]).await;
    let tiktok = server.impatient_client(|patience| {
        patience.idle = Duration::from_millis(50);
        patience.answer = Duration::from_millis(50);
    });
    let chunk = plan.last();
    let outcome = tiktok.put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, source(chunk)).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { .. }), "{outcome}");
}

#[tokio::test]
async fn whoever_stalls_is_the_one_that_failed() {
    let plan = plan(10_000_000);
    let chunk = plan.last();
    let impatient =
        |server: &MockServer| server.impatient_client(|patience| patience.idle = Duration::from_millis(100));

    let server = MockServer::start(vec![Reply::Deaf]).await;
    let outcome = impatient(&server).put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, source(chunk)).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { .. }), "the socket is full: {outcome}");

    let server = MockServer::start(vec![Reply::Close]).await;
    let stalled = stream::pending::<Part>();
    let outcome = impatient(&server).put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, stalled).await;
    assert_eq!(outcome, ChunkOutcome::SourceFailed(SourceFault::Stalled));
    server.ended_request().await;
}

#[tokio::test]
async fn nothing_was_sent_where_nobody_listens() {
    let plan = plan(1000);
    let server = MockServer::start(vec![]).await;
    let client = server.client();
    let (url, chunk) = (upload_url(&server), plan.last());
    drop(server);
    tokio::task::yield_now().await;
    let outcome = client.put_chunk(&url, "video/mp4", &plan, chunk, source(chunk)).await;
    assert_eq!(code_of(&outcome), "upload_unreachable");
    assert!(!format!("{outcome:?} {outcome}").contains("t-1"), "{outcome:?}");
}

#[tokio::test]
async fn a_restored_url_elsewhere_is_refused_before_a_byte_leaves() {
    let plan = plan(1000);
    let server = MockServer::start(vec![]).await;
    let elsewhere = MockServer::start(vec![]).await;
    let chunk = plan.last();
    let outcome = server.client().put_chunk(&upload_url(&elsewhere), "video/mp4", &plan, chunk, source(chunk)).await;
    assert_eq!(code_of(&outcome), "upload_host_not_allowed");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_video() {
    let plan = plan(1000);
    let elsewhere = MockServer::start(vec![]).await;
    let location = format!("location: {}\r\n", elsewhere.url("/upload"));
    let server = MockServer::start(vec![Reply::answer(307, "").with_headers(&location)]).await;
    let outcome = put(&server, &plan, plan.last()).await;
    assert_eq!(code_of(&outcome), "upload_redirected");
    assert!(elsewhere.requests().is_empty());
}
