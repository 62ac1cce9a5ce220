//! PUTs to an upload URL: ranges, headers, expiry and parallel chunks.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use simulator::{ChunkOutcome, Container, ContentRangeCounts, RepeatedRange, Rule, UploadedBytes};

use crate::client::{Client, MB, PutResponse, StartedUpload, mp4_file};

/// The declared chunk size.
const CHUNK: u64 = 6 * MB;
/// The file's size. TikTok rounds the number of chunks down (15 / 6 = 2), so the last chunk is the remaining 9 MB.
const TOTAL: u64 = 15 * MB;

/// Splits the file into its two chunks, of 6 MB and 9 MB.
fn chunks(file: &[u8]) -> (&[u8], &[u8]) {
    file.split_at(usize::try_from(CHUNK).unwrap())
}

/// A file of `TOTAL` bytes.
fn test_file() -> Vec<u8> {
    mp4_file(usize::try_from(TOTAL).unwrap())
}

/// Waits until the simulator has received a part of the PUT in progress, so that a later PUT cannot overtake it.
async fn wait_for_first_bytes(client: &Client, upload: &StartedUpload) {
    while client.tiktok.entry(&upload.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
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
async fn reported_bytes_can_stop_before_the_last_chunk() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.uploaded_bytes.set(UploadedBytes::WithoutLastChunk));
    let file = test_file();
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    for (offset, chunk) in [(0, chunks(&file).0), (CHUNK, chunks(&file).1)] {
        client.put(&upload, offset, chunk, TOTAL).await;
        assert_eq!(client.status(&upload.id).await["uploaded_bytes"], CHUNK);
    }
    assert!(client.tiktok.entry(&upload.id).unwrap().sha256.is_some(), "the simulator has every byte");
}

#[tokio::test]
async fn range_not_next_in_the_plan_is_refused() {
    let client = Client::new().await;
    let file = test_file();
    let (first, rest) = chunks(&file);
    let upload = client.start_direct_in_chunks(TOTAL, CHUNK, 2).await;
    // In this order: the second chunk first, a part of the first chunk, a total other than the declared size.
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
    // `Accepted` answers as for a new chunk: 206 while a chunk is missing, 201 once the file is complete.
    assert_eq!(put_again(RepeatedRange::Refused).await, 416);
    assert_eq!(put_again(RepeatedRange::Created).await, 201);
    assert_eq!(put_again(RepeatedRange::Accepted).await, 206);
    assert_eq!(client.put(&upload, CHUNK, rest, TOTAL).await.status, 201);
    assert_eq!(put_again(RepeatedRange::Accepted).await, 201);

    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    // Four PUTs repeated the first chunk. The refused one was answered before its transfer began, so three are recorded.
    let repeated = |chunk: &&simulator::ChunkTransfer| chunk.outcome == ChunkOutcome::Repeated;
    assert_eq!(entry.chunks.iter().filter(repeated).count(), 3);
    // A client that lost an answer must send the chunk again, so the same bytes again are no violation.
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
async fn missing_wrong_or_extra_upload_header_is_refused() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    let file = mp4_file(3000);
    // Replaces one header of a correct PUT, or removes it if `value` is `None`.
    let put_with = async |name: &str, value: Option<&str>| {
        let request = client.put_request(&upload, 0, &file, 3000);
        let (http, request) = request.build_split();
        let mut request = request.unwrap();
        let name: reqwest::header::HeaderName = name.parse().unwrap();
        request.headers_mut().remove(&name);
        if let Some(value) = value {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        PutResponse::read(&http.execute(request).await.unwrap()).status
    };
    // TikTok was observed to answer 416 to a PUT without a range. The other headers are malformed: 400.
    assert_eq!(put_with("content-range", None).await, 416);
    assert_eq!(put_with("content-range", Some("bytes 0-2999")).await, 400);
    // One byte less than `Content-Length`.
    assert_eq!(put_with("content-range", Some("bytes 0-2998/3000")).await, 400);
    assert_eq!(put_with("content-type", None).await, 400);
    assert_eq!(put_with("content-type", Some("application/octet-stream")).await, 400);
    // An upload URL needs no access token, and the client must not send one there.
    assert_eq!(put_with("authorization", Some("Bearer access-1")).await, 400);
    let expected =
        [Rule::Headers, Rule::Headers, Rule::Headers, Rule::ContentType, Rule::ContentType, Rule::Credentials];
    assert_eq!(client.violated_rules(), expected);
    assert_eq!(client.put(&upload, 0, &file, 3000).await.status, 201);
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
async fn upload_url_expires_after_an_hour_or_on_command() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    // The default of `upload_url_ttl_s`.
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
    let first_put = client
        .http
        .put(&upload.url)
        .header("content-type", "video/mp4")
        .header("content-length", 3000)
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(file[..1000].to_vec())).unwrap();
    let first_put = tokio::spawn(first_put.send());
    wait_for_first_bytes(&client, &upload).await;
    // The second PUT waits for the first one, in vain (`EARLIER_PUT_TIMEOUT` in `upload::stream`), and is refused.
    assert_eq!(client.put(&upload, 0, &file, 3000).await.status, 416);
    assert_eq!(client.violated_rules(), [Rule::Parallel]);

    sender.unbounded_send(Ok(file[1000..].to_vec())).unwrap();
    drop(sender);
    assert_eq!(first_put.await.unwrap().unwrap().status(), 201);
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
    wait_for_first_bytes(&client, &upload).await;
    let complete_first = async {
        // Long enough for the second PUT to arrive, shorter than its wait for the first (`EARLIER_PUT_TIMEOUT`, 500 ms).
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
    let first_put = tokio::spawn(request.send());
    wait_for_first_bytes(&client, &upload).await;
    // Closes the connection in the middle of the body.
    first_put.abort();
    assert_eq!(client.put(&upload, 0, &file, 3000).await.status, 201);
    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    assert_eq!(entry.chunks[0].outcome, ChunkOutcome::Aborted);
    assert!(client.violated_rules().is_empty());
}
