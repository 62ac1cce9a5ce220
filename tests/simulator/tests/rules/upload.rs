//! PUTs to an upload URL: ranges, headers, expiry and parallel chunks.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use simulator::{ChunkOutcome, Container, ContentRangeCounts, RepeatedRange, Rule};

use crate::client::{Client, MB, PutResponse, mp4_file};

const CHUNK: u64 = 6 * MB;
const TOTAL: u64 = 15 * MB;

/// Splits the file into its two chunks.
fn chunks(file: &[u8]) -> (&[u8], &[u8]) {
    file.split_at(usize::try_from(CHUNK).unwrap())
}

/// A file of `TOTAL` bytes.
fn test_file() -> Vec<u8> {
    mp4_file(usize::try_from(TOTAL).unwrap())
}

#[tokio::test]
async fn chunks_in_order_complete_the_file() {
    let client = Client::new().await;
    let file = test_file();
    let (first, rest) = chunks(&file);
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    let put = client.put(&upload, 0, first, TOTAL).await;
    assert_eq!(put.status, 206);
    assert_eq!(put.range.unwrap(), "bytes 0-5999999/15000000");
    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!((entry.bytes_received, entry.sha256), (CHUNK, None));

    let put = client.put(&upload, CHUNK, rest, TOTAL).await;
    assert_eq!(put.status, 201);
    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    assert_eq!(entry.chunks[1].sha256, HEXLOWER.encode(&Sha256::digest(rest)));
    assert_eq!(entry.container, Some(Container::Mp4));
    assert_eq!(entry.content_type.as_deref(), Some("video/mp4"));
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn content_range_of_the_answer_can_be_a_count() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.content_range_counts.set(ContentRangeCounts::Count));
    let file = test_file();
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    let put = client.put(&upload, 0, chunks(&file).0, TOTAL).await;
    assert_eq!(put.range.unwrap(), "bytes 0-6000000/15000000");
}

#[tokio::test]
async fn range_not_next_in_the_plan_is_refused() {
    let client = Client::new().await;
    let file = test_file();
    let (first, rest) = chunks(&file);
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    assert_eq!(client.put(&upload, CHUNK, rest, TOTAL).await.status, 416);
    assert_eq!(client.put(&upload, 0, &first[..100], TOTAL).await.status, 416);
    assert_eq!(client.put(&upload, 0, first, TOTAL + 1).await.status, 416);
    assert_eq!(client.violated_rules(), [Rule::Range; 3]);
    assert_eq!(client.put(&upload, 0, first, TOTAL).await.status, 206);
}

#[tokio::test]
async fn repeated_range_setting_selects_the_answer() {
    let client = Client::new().await;
    let file = test_file();
    let (first, rest) = chunks(&file);
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    client.put(&upload, 0, first, TOTAL).await;
    let put_again = async |repeated_range| {
        client.change_settings(|settings| settings.repeated_range.set(repeated_range));
        client.put(&upload, 0, first, TOTAL).await.status
    };
    assert_eq!(put_again(RepeatedRange::Refused).await, 416);
    assert_eq!(put_again(RepeatedRange::Created).await, 201);
    assert_eq!(put_again(RepeatedRange::Accepted).await, 206);
    assert_eq!(client.put(&upload, CHUNK, rest, TOTAL).await.status, 201);
    assert_eq!(put_again(RepeatedRange::Accepted).await, 201);

    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    let repeated = |chunk: &&simulator::ChunkTransfer| chunk.outcome == ChunkOutcome::Repeated;
    assert_eq!(entry.chunks.iter().filter(repeated).count(), 3);
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn repeated_range_with_other_bytes_is_a_violation() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.repeated_range.set(RepeatedRange::Accepted));
    let file = test_file();
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    client.put(&upload, 0, chunks(&file).0, TOTAL).await;
    let other = vec![9; usize::try_from(CHUNK).unwrap()];
    client.put(&upload, 0, &other, TOTAL).await;
    assert_eq!(client.violated_rules(), [Rule::Range]);
}

#[tokio::test]
async fn every_upload_header_is_required_and_exact() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    let file = mp4_file(3000);
    let put = async |name: &str, value: &str| {
        let request = client.put_request(&upload, 0, &file, 3000);
        let (http, request) = request.build_split();
        let mut request = request.unwrap();
        let name: reqwest::header::HeaderName = name.parse().unwrap();
        request.headers_mut().remove(&name);
        if !value.is_empty() {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        PutResponse::read(&http.execute(request).await.unwrap()).status
    };
    assert_eq!(put("content-range", "").await, 416);
    assert_eq!(put("content-range", "bytes 0-2999").await, 400);
    assert_eq!(put("content-range", "bytes 0-2998/3000").await, 400);
    assert_eq!(put("content-type", "").await, 400);
    assert_eq!(put("content-type", "application/octet-stream").await, 400);
    assert_eq!(put("authorization", "Bearer access-1").await, 400);
    let expected =
        [Rule::Headers, Rule::Headers, Rule::Headers, Rule::ContentType, Rule::ContentType, Rule::Credentials];
    assert_eq!(client.violated_rules(), expected);
    assert_eq!(put("x-nothing", "").await, 201);
}

#[tokio::test]
async fn content_type_may_not_change_between_chunks() {
    let client = Client::new().await;
    let file = test_file();
    let (first, rest) = chunks(&file);
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    client.put(&upload, 0, first, TOTAL).await;
    let (http, request) = client.put_request(&upload, CHUNK, rest, TOTAL).build_split();
    let mut request = request.unwrap();
    let webm = "video/webm".parse().unwrap();
    request.headers_mut().insert("content-type", webm);
    assert_eq!(http.execute(request).await.unwrap().status(), 400);
    assert_eq!(client.violated_rules(), [Rule::ContentType]);
}

#[tokio::test]
async fn chunked_transfer_encoding_is_refused() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(mp4_file(3000))]);
    let request = client
        .http
        .put(&upload.url)
        .header("content-type", "video/mp4")
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(stream));
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(client.violated_rules(), [Rule::Headers]);
}

#[tokio::test]
async fn upload_url_expires_after_an_hour() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    client.tiktok.advance(3600);
    assert_eq!(client.put(&upload, 0, &mp4_file(3000), 3000).await.status, 403);
    let upload = client.start_direct(3000).await;
    client.tiktok.expire_upload(&upload.id).unwrap();
    assert_eq!(client.put(&upload, 0, &mp4_file(3000), 3000).await.status, 403);
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn unknown_upload_token_is_refused() {
    let client = Client::new().await;
    let mut upload = client.start_direct(3000).await;
    upload.url.push('x');
    assert_eq!(client.put(&upload, 0, &mp4_file(3000), 3000).await.status, 404);
    client.change_settings(|settings| settings.unknown_upload_http_status = 405);
    assert_eq!(client.put(&upload, 0, &mp4_file(3000), 3000).await.status, 405);
}

#[tokio::test]
async fn get_of_an_upload_url_is_refused() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    let response = client.http.get(&upload.url).send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(client.violated_rules(), [Rule::Method]);
}

#[tokio::test]
async fn second_put_during_a_put_is_a_violation() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    let (sender, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let file = mp4_file(3000);
    let slow = client
        .http
        .put(&upload.url)
        .header("content-type", "video/mp4")
        .header("content-length", 3000)
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(file[..1000].to_vec())).unwrap();
    let slow = tokio::spawn(slow.send());
    while client.tiktok.entry(&upload.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.put(&upload, 0, &file, 3000).await.status, 416);
    assert_eq!(client.violated_rules(), [Rule::Parallel]);

    sender.unbounded_send(Ok(file[1000..].to_vec())).unwrap();
    drop(sender);
    assert_eq!(slow.await.unwrap().unwrap().status(), 201);
}

#[tokio::test]
async fn parallel_put_is_a_violation_though_the_first_completes() {
    let client = Client::new().await;
    let file = test_file();
    let (first, rest) = chunks(&file);
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    let (sender, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let first_put = client
        .http
        .put(&upload.url)
        .header("content-type", "video/mp4")
        .header("content-length", CHUNK)
        .header("content-range", format!("bytes 0-{}/{TOTAL}", CHUNK - 1))
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(first[..1000].to_vec())).unwrap();
    let first_put = tokio::spawn(first_put.send());
    while client.tiktok.entry(&upload.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let complete_first = async {
        // Long enough for the second PUT to arrive, and shorter than its wait of 500 ms for the first (`EARLIER_PUT_TIMEOUT`).
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        sender.unbounded_send(Ok(first[1000..].to_vec())).unwrap();
        drop(sender);
    };
    let (second_put, ()) = tokio::join!(client.put(&upload, CHUNK, rest, TOTAL), complete_first);
    assert_eq!(first_put.await.unwrap().unwrap().status(), 206);
    assert_eq!(second_put.status, 416);
    assert_eq!(client.violated_rules(), [Rule::Parallel]);
    assert_eq!(client.put(&upload, CHUNK, rest, TOTAL).await.status, 201);
}

#[tokio::test]
async fn chunk_can_be_sent_again_after_a_disconnect() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    let (sender, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let file = mp4_file(3000);
    let request = client
        .http
        .put(&upload.url)
        .header("content-type", "video/mp4")
        .header("content-length", 3000)
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(file[..1000].to_vec())).unwrap();
    let disconnected = tokio::spawn(request.send());
    while client.tiktok.entry(&upload.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
    disconnected.abort();
    assert_eq!(client.put(&upload, 0, &file, 3000).await.status, 201);
    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    assert_eq!(entry.chunks[0].outcome, ChunkOutcome::Aborted);
    assert!(client.violated_rules().is_empty());
}
