//! Tests of sending a chunk: the request that TikTok receives, and the outcome that the caller gets.

use std::task::Poll;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::oneshot;

use super::*;
use crate::scripted_tiktok::{Reply, Request, ScriptedServer, ScriptedTikTok, plan};

type Part = Result<Bytes, std::io::Error>;

fn bytes(length: u64) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>().into()
}

/// Yields a chunk's bytes in parts of 64 KiB.
fn source(chunk: Chunk) -> impl Stream<Item = Part> + Send + 'static {
    let whole = bytes(chunk.len);
    let parts: Vec<Part> = whole.chunks(65_536).map(|part| Ok(whole.slice_ref(part))).collect();
    stream::iter(parts)
}

fn upload_url(server: &ScriptedServer) -> UploadUrl {
    UploadUrl::restore(server.url("/upload?upload_id=1&upload_token=t-1").into())
}

async fn put(server: &ScriptedServer, plan: &ChunkPlan, chunk: Chunk) -> ChunkOutcome {
    server.client().put_chunk(&upload_url(server), "video/mp4", plan, chunk, source(chunk)).await
}

fn code_of(outcome: &ChunkOutcome) -> &str {
    match outcome {
        ChunkOutcome::UrlRejected(why)
        | ChunkOutcome::Retry { why, .. }
        | ChunkOutcome::Unknown { why, .. }
        | ChunkOutcome::Unconfirmed(why)
        | ChunkOutcome::Rejected(why) => why.reason.code(),
        other => panic!("{other:?} has no code"),
    }
}

#[tokio::test]
async fn each_chunk_has_exact_headers_and_no_token() {
    // Two chunks, of 10,000,024 and 10,000,025 bytes: the last one takes the remainder.
    let plan = plan(20_000_049);
    let chunks: Vec<_> = plan.chunks().collect();
    let script = [Reply::new(206, "").header("content-range", "bytes 0-10000023/20000049"), Reply::new(201, "")];
    let server = ScriptedServer::with_replies(script).await;
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
        assert!(request.body == bytes(chunk.len), "the body is not the source's bytes");
    }
}

#[tokio::test]
async fn one_byte_video_has_a_content_range() {
    let plan = plan(1);
    let server = ScriptedServer::with_replies([Reply::new(201, "null")]).await;
    assert_eq!(put(&server, &plan, plan.last()).await, ChunkOutcome::Complete);
    let request = server.only_request();
    assert_eq!((request.header("content-range"), request.header("content-length")), (Some("bytes 0-0/1"), Some("1")));
}

#[tokio::test]
async fn response_body_is_ignored() {
    let plan = plan(1000);
    for body in ["", "null", "<html>416</html>", r#"{"error":{"code":"ok"}}"#] {
        let server = ScriptedServer::with_replies([Reply::new(416, body)]).await;
        assert_eq!(put(&server, &plan, plan.last()).await, ChunkOutcome::Resync { uploaded: None });
    }
}

#[tokio::test]
async fn early_403_ends_the_request_of_a_chunk() {
    let plan = plan(20_000_049);
    let server = ScriptedServer::with_replies([Reply::new(403, "").before_body()]).await;
    // Yields 64 KiB and then nothing, so only the response can end the request.
    let endless = stream::iter([Ok::<_, std::io::Error>(bytes(65_536))]).chain(stream::pending());
    let chunk = plan.last();
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, endless).await;
    assert_eq!(code_of(&outcome), "upload_url_expired");
    assert!(outcome.is_surely_not_taken(), "TikTok has at most 64 KiB of the chunk: {outcome:?}");
}

#[tokio::test]
async fn refusal_after_whole_last_chunk_is_unconfirmed() {
    let plan = plan(1000);
    for http in [200, 202, 204, 307, 400, 403, 404, 405, 409, 413] {
        let server = ScriptedServer::with_replies([Reply::new(http, "")]).await;
        let outcome = put(&server, &plan, plan.last()).await;
        assert!(matches!(outcome, ChunkOutcome::Unconfirmed(_)), "HTTP {http}: {outcome:?}");
        assert!(server.only_request().is_whole(), "TikTok may have the chunk");
    }
}

#[tokio::test]
async fn success_before_all_bytes_is_unknown() {
    // TikTok cannot have a chunk of which only 64 KiB were sent.
    let plan = plan(20_000_049);
    let server = ScriptedServer::with_replies([Reply::new(201, "").before_body()]).await;
    let endless = stream::iter([Ok::<_, std::io::Error>(bytes(65_536))]).chain(stream::pending());
    let chunk = plan.last();
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, endless).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { .. }), "{outcome}");
}

#[tokio::test]
async fn source_of_wrong_length_aborts_the_request() {
    let plan = plan(10_000_000);
    let chunk = plan.last();
    // 5 of the chunk's 10 MB: more than the socket buffers, so that the server receives the beginning.
    let half = || (0..50).map(|_| Ok(bytes(100_000)));
    let failing = Err(std::io::Error::other("https://bucket.example/?signature=s-1"));
    let cases: [(Vec<Part>, SourceFault); 3] = [
        (half().collect(), SourceFault::EndedEarly),
        (half().chain([failing]).collect(), SourceFault::Erred),
        (half().chain([Ok(bytes(6_000_000))]).collect(), SourceFault::TooLong),
    ];
    for (parts, fault) in cases {
        let server = ScriptedServer::with_replies([Reply::hang_up()]).await;
        let tiktok = server.client();
        let body = stream::iter(parts);
        let outcome = tiktok.put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, body).await;
        assert_eq!(outcome, ChunkOutcome::SourceFailed(fault));
        server.wait_for_requests(1).await;
        let request = server.only_request();
        assert!(!request.is_whole(), "the server received {} bytes", request.body.len());
    }
}

#[tokio::test]
async fn empty_source_sends_no_complete_request() {
    let plan = plan(1);
    let server = ScriptedServer::with_replies([]).await;
    let body = stream::iter(Vec::<Part>::new());
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, plan.last(), body).await;
    assert_eq!(outcome, ChunkOutcome::SourceFailed(SourceFault::EndedEarly));
    assert!(!server.requests().iter().any(Request::is_whole));
}

#[tokio::test]
async fn dropped_future_aborts_request_and_drops_source() {
    let plan = plan(100_000);
    let chunk = plan.last();
    let server = ScriptedServer::with_replies([Reply::hang_up()]).await;
    let (polled, was_polled) = oneshot::channel();
    // The source owns the sender, so `source_dropped` fails when the source is dropped.
    let (held_by_source, source_dropped) = oneshot::channel::<()>();
    let mut polled = Some(polled);
    let endless = stream::poll_fn(move |_| {
        assert!(!held_by_source.is_closed());
        polled.take().map(|sender| sender.send(()));
        Poll::<Option<Part>>::Pending
    });
    let body = stream::iter([Ok(bytes(60_000))]).chain(endless);
    let (tiktok, url) = (server.client(), upload_url(&server));
    tokio::select! {
        outcome = tiktok.put_chunk(&url, "video/mp4", &plan, chunk, body) => panic!("{outcome}"),
        received = was_polled => received.unwrap(),
    }
    server.wait_for_requests(1).await;
    assert!(!server.only_request().is_whole());
    assert!(source_dropped.await.is_err(), "the source was not dropped");
}

#[tokio::test]
async fn early_response_drops_source_of_stalled_connection() {
    let plan = plan(10_000_000);
    let chunk = plan.last();
    let server = ScriptedServer::with_replies([Reply::new(403, "").never_reads_body()]).await;
    // The source owns the sender, so `source_dropped` fails when the source is dropped.
    let (held_by_source, source_dropped) = oneshot::channel::<()>();
    let body = source(chunk).map(move |part| {
        assert!(!held_by_source.is_closed());
        part
    });
    let outcome = server.client().put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, body).await;
    assert_eq!(code_of(&outcome), "upload_url_expired");
    let dropped = tokio::time::timeout(Duration::from_secs(5), source_dropped).await;
    assert!(dropped.is_ok(), "the full socket still holds the source and its buffers");
}

#[tokio::test]
async fn connection_closed_without_response_is_unknown() {
    let plan = plan(1000);
    let server = ScriptedServer::with_replies([Reply::hang_up()]).await;
    let outcome = put(&server, &plan, plan.last()).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { sent: Sent::Whole, .. }), "{outcome}");
    assert!(server.only_request().is_whole(), "the server did not receive the whole chunk");
}

#[tokio::test]
async fn timeout_after_last_byte_is_unknown() {
    let plan = plan(1000);
    let server = ScriptedServer::with_replies([Reply::silence()]).await;
    let tiktok = server.client_with_timeouts(|timeouts| {
        timeouts.chunk_stall = Duration::from_millis(50);
        timeouts.chunk_response = Duration::from_millis(50);
    });
    let chunk = plan.last();
    let outcome = tiktok.put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, source(chunk)).await;
    assert!(matches!(outcome, ChunkOutcome::Unknown { .. }), "{outcome}");
}

#[tokio::test]
async fn stall_is_attributed_to_server_or_source() {
    let plan = plan(10_000_000);
    let chunk = plan.last();
    let client_of = |server: &ScriptedServer| {
        server.client_with_timeouts(|timeouts| timeouts.chunk_stall = Duration::from_millis(100))
    };

    let server = ScriptedServer::with_replies([Reply::silence().never_reads_body()]).await;
    let outcome = client_of(&server).put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, source(chunk)).await;
    assert!(
        matches!(outcome, ChunkOutcome::Unknown { sent: Sent::Partly, .. }),
        "a server that stops reading: {outcome}"
    );

    let server = ScriptedServer::with_replies([Reply::hang_up()]).await;
    let stalled = stream::pending::<Part>();
    let outcome = client_of(&server).put_chunk(&upload_url(&server), "video/mp4", &plan, chunk, stalled).await;
    assert_eq!(outcome, ChunkOutcome::SourceFailed(SourceFault::Stalled));
    server.wait_for_requests(1).await;
}

#[tokio::test]
async fn closed_port_is_retried_without_url_in_error() {
    let plan = plan(1000);
    let server = ScriptedServer::with_replies([]).await;
    let client = server.client();
    let (url, chunk) = (upload_url(&server), plan.last());
    drop(server);
    // The server's aborted task closes the port when the runtime next runs it.
    tokio::task::yield_now().await;
    let outcome = client.put_chunk(&url, "video/mp4", &plan, chunk, source(chunk)).await;
    assert_eq!(code_of(&outcome), "upload_unreachable");
    assert!(!format!("{outcome:?} {outcome}").contains("t-1"), "{outcome:?}");
}

#[tokio::test]
async fn restored_url_on_other_host_is_rejected_before_sending() {
    let plan = plan(1000);
    let server = ScriptedServer::with_replies([]).await;
    let other_server = ScriptedServer::with_replies([]).await;
    let chunk = plan.last();
    let outcome = server.client().put_chunk(&upload_url(&other_server), "video/mp4", &plan, chunk, source(chunk)).await;
    assert_eq!(code_of(&outcome), "upload_host_not_allowed");
    assert!(other_server.requests().is_empty());
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let plan = plan(1000);
    let other_server = ScriptedServer::with_replies([]).await;
    let location = other_server.url("/upload");
    let server = ScriptedServer::with_replies([Reply::new(307, "").header("location", &location)]).await;
    let outcome = put(&server, &plan, plan.last()).await;
    assert_eq!(code_of(&outcome), "upload_redirected");
    assert!(other_server.requests().is_empty());
}
