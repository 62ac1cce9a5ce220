//! What an upload URL accepts.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use simulator::{ChunkOutcome, Container, ContentRangeCounts, RepeatedRange, Rule};

use crate::client::{Client, MB, Put, movie};

const CHUNK: u64 = 6 * MB;
const TOTAL: u64 = 15 * MB;

fn parts(file: &[u8]) -> (&[u8], &[u8]) {
    file.split_at(usize::try_from(CHUNK).unwrap())
}

fn film() -> Vec<u8> {
    movie(usize::try_from(TOTAL).unwrap())
}

#[tokio::test]
async fn chunks_in_order_make_the_file() {
    let client = Client::new().await;
    let file = film();
    let (first, rest) = parts(&file);
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    let put = client.put(&begun, 0, first, TOTAL).await;
    assert_eq!(put.status, 206);
    assert_eq!(put.range.unwrap(), "bytes 0-5999999/15000000");
    let entry = client.tiktok.entry(&begun.id).unwrap();
    assert_eq!((entry.bytes_received, entry.sha256), (CHUNK, None));

    let put = client.put(&begun, CHUNK, rest, TOTAL).await;
    assert_eq!(put.status, 201);
    let entry = client.tiktok.entry(&begun.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    assert_eq!(entry.chunks[1].sha256, HEXLOWER.encode(&Sha256::digest(rest)));
    assert_eq!(entry.container, Some(Container::Mp4));
    assert_eq!(entry.content_type.as_deref(), Some("video/mp4"));
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn the_progress_in_an_answer_can_be_a_count() {
    let client = Client::new().await;
    client.set(|settings| settings.content_range_counts.set(ContentRangeCounts::Count));
    let file = film();
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    let put = client.put(&begun, 0, parts(&file).0, TOTAL).await;
    assert_eq!(put.range.unwrap(), "bytes 0-6000000/15000000");
}

#[tokio::test]
async fn a_range_out_of_order_or_out_of_plan_does_not_match() {
    let client = Client::new().await;
    let file = film();
    let (first, rest) = parts(&file);
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    assert_eq!(client.put(&begun, CHUNK, rest, TOTAL).await.status, 416);
    assert_eq!(client.put(&begun, 0, &first[..100], TOTAL).await.status, 416);
    assert_eq!(client.put(&begun, 0, first, TOTAL + 1).await.status, 416);
    assert_eq!(client.broken(), [Rule::Range; 3]);
    assert_eq!(client.put(&begun, 0, first, TOTAL).await.status, 206);
}

#[tokio::test]
async fn a_range_that_was_accepted_before_is_answered_as_set() {
    let client = Client::new().await;
    let file = film();
    let (first, rest) = parts(&file);
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    client.put(&begun, 0, first, TOTAL).await;
    let again = async |how| {
        client.set(|settings| settings.repeated_range.set(how));
        client.put(&begun, 0, first, TOTAL).await.status
    };
    assert_eq!(again(RepeatedRange::Refused).await, 416);
    assert_eq!(again(RepeatedRange::Created).await, 201);
    assert_eq!(again(RepeatedRange::Accepted).await, 206);
    assert_eq!(client.put(&begun, CHUNK, rest, TOTAL).await.status, 201);
    assert_eq!(again(RepeatedRange::Accepted).await, 201);

    let entry = client.tiktok.entry(&begun.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    let repeated = |chunk: &&simulator::ChunkReceived| chunk.outcome == ChunkOutcome::Repeated;
    assert_eq!(entry.chunks.iter().filter(repeated).count(), 3);
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn a_repeated_range_with_other_bytes_is_noted() {
    let client = Client::new().await;
    client.set(|settings| settings.repeated_range.set(RepeatedRange::Accepted));
    let file = film();
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    client.put(&begun, 0, parts(&file).0, TOTAL).await;
    let other = vec![9; usize::try_from(CHUNK).unwrap()];
    client.put(&begun, 0, &other, TOTAL).await;
    assert_eq!(client.broken(), [Rule::Range]);
}

#[tokio::test]
async fn every_header_is_required_and_exact() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    let file = movie(3000);
    let put = async |name: &str, value: &str| {
        let request = client.put_request(&begun, 0, &file, 3000);
        let (http, request) = request.build_split();
        let mut request = request.unwrap();
        let name: reqwest::header::HeaderName = name.parse().unwrap();
        request.headers_mut().remove(&name);
        if !value.is_empty() {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        Put::read(&http.execute(request).await.unwrap()).status
    };
    assert_eq!(put("content-range", "").await, 416);
    assert_eq!(put("content-range", "bytes 0-2999").await, 400);
    assert_eq!(put("content-range", "bytes 0-2998/3000").await, 400);
    assert_eq!(put("content-type", "").await, 400);
    assert_eq!(put("content-type", "application/octet-stream").await, 400);
    assert_eq!(put("authorization", "Bearer access-1").await, 400);
    let expected =
        [Rule::Headers, Rule::Headers, Rule::Headers, Rule::ContentType, Rule::ContentType, Rule::Credentials];
    assert_eq!(client.broken(), expected);
    assert_eq!(put("x-nothing", "").await, 201);
}

#[tokio::test]
async fn the_media_type_may_not_change_between_chunks() {
    let client = Client::new().await;
    let file = film();
    let (first, rest) = parts(&file);
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    client.put(&begun, 0, first, TOTAL).await;
    let (http, request) = client.put_request(&begun, CHUNK, rest, TOTAL).build_split();
    let mut request = request.unwrap();
    let webm = "video/webm".parse().unwrap();
    request.headers_mut().insert("content-type", webm);
    assert_eq!(http.execute(request).await.unwrap().status(), 400);
    assert_eq!(client.broken(), [Rule::ContentType]);
}

#[tokio::test]
async fn chunked_transfer_encoding_is_refused() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(movie(3000))]);
    let request = client
        .http
        .put(&begun.url)
        .header("content-type", "video/mp4")
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(stream));
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(client.broken(), [Rule::Headers]);
}

#[tokio::test]
async fn a_url_lives_for_an_hour() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    client.tiktok.advance(3600);
    assert_eq!(client.put(&begun, 0, &movie(3000), 3000).await.status, 403);
    let begun = client.begin(3000).await;
    client.tiktok.expire_upload(&begun.id).unwrap();
    assert_eq!(client.put(&begun, 0, &movie(3000), 3000).await.status, 403);
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn an_upload_that_nobody_began_is_unknown() {
    let client = Client::new().await;
    let mut begun = client.begin(3000).await;
    begun.url.push('x');
    assert_eq!(client.put(&begun, 0, &movie(3000), 3000).await.status, 404);
    client.set(|settings| settings.unknown_upload_http_status = 405);
    assert_eq!(client.put(&begun, 0, &movie(3000), 3000).await.status, 405);
}

#[tokio::test]
async fn only_put_is_answered() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    let answer = client.http.get(&begun.url).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(client.broken(), [Rule::Method]);
}

#[tokio::test]
async fn two_chunks_at_once_are_refused_and_noted() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    let (sender, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let file = movie(3000);
    let slow = client
        .http
        .put(&begun.url)
        .header("content-type", "video/mp4")
        .header("content-length", 3000)
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(file[..1000].to_vec())).unwrap();
    let slow = tokio::spawn(slow.send());
    while client.tiktok.entry(&begun.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.put(&begun, 0, &file, 3000).await.status, 416);
    assert_eq!(client.broken(), [Rule::Parallel]);

    sender.unbounded_send(Ok(file[1000..].to_vec())).unwrap();
    drop(sender);
    assert_eq!(slow.await.unwrap().unwrap().status(), 201);
}

#[tokio::test]
async fn two_chunks_at_once_are_noted_however_soon_the_first_ends() {
    let client = Client::new().await;
    let file = film();
    let (first, rest) = parts(&file);
    let begun = client.begin_in(TOTAL, CHUNK, 2).await;
    let (sender, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let early = client
        .http
        .put(&begun.url)
        .header("content-type", "video/mp4")
        .header("content-length", CHUNK)
        .header("content-range", format!("bytes 0-{}/{TOTAL}", CHUNK - 1))
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(first[..1000].to_vec())).unwrap();
    let early = tokio::spawn(early.send());
    while client.tiktok.entry(&begun.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let ends = async {
        // Long enough for the second to arrive, and well within the patience with a client that hung up.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        sender.unbounded_send(Ok(first[1000..].to_vec())).unwrap();
        drop(sender);
    };
    let (late, ()) = tokio::join!(client.put(&begun, CHUNK, rest, TOTAL), ends);
    assert_eq!(early.await.unwrap().unwrap().status(), 206);
    assert_eq!(late.status, 416);
    assert_eq!(client.broken(), [Rule::Parallel]);
    assert_eq!(client.put(&begun, CHUNK, rest, TOTAL).await.status, 201);
}

#[tokio::test]
async fn a_client_that_hangs_up_can_begin_the_chunk_again() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    let (sender, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let file = movie(3000);
    let request = client
        .http
        .put(&begun.url)
        .header("content-type", "video/mp4")
        .header("content-length", 3000)
        .header("content-range", "bytes 0-2999/3000")
        .body(reqwest::Body::wrap_stream(body));
    sender.unbounded_send(Ok(file[..1000].to_vec())).unwrap();
    let broken_off = tokio::spawn(request.send());
    while client.tiktok.entry(&begun.id).unwrap().bytes_in_flight == 0 {
        tokio::task::yield_now().await;
    }
    broken_off.abort();
    assert_eq!(client.put(&begun, 0, &file, 3000).await.status, 201);
    let entry = client.tiktok.entry(&begun.id).unwrap();
    assert_eq!(entry.sha256.unwrap(), HEXLOWER.encode(&Sha256::digest(&file)));
    assert_eq!(entry.chunks[0].outcome, ChunkOutcome::Aborted);
    assert!(client.broken().is_empty());
}
