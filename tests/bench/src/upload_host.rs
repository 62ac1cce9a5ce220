//! A fake of TikTok's upload host that is as fast as possible. It takes chunks in
//! order and compares every byte with the test video.
//!
//! The simulator hashes each byte twice and would be the bottleneck. A comparison of
//! bytes that are already in the processor's cache costs next to nothing. The
//! simulator issues the upload URLs, with the address of this fake.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::StreamExt;

use crate::call_counts::CallCounts;
use crate::test_video::TestVideo;

/// The path that serves the number of uploads by result.
pub(crate) const UPLOADS_PATH: &str = "/_bench/uploads";
/// The counter of videos that arrived completely and unaltered.
pub(crate) const COMPLETE: &str = "complete";
/// The counter of chunks that were out of order, truncated or altered.
pub(crate) const INVALID: &str = "invalid";

#[derive(Default)]
struct Uploads {
    /// The offset of the next byte of each upload, by the path and query of its URL.
    next_offset: HashMap<String, u64>,
    complete: u64,
    invalid: u64,
}

type Shared = Arc<Mutex<Uploads>>;

/// The routes of the fake.
pub(crate) fn routes() -> Router {
    Router::new().route(UPLOADS_PATH, get(counts)).fallback(put_chunk).with_state(Shared::default())
}

async fn counts(State(uploads): State<Shared>) -> Json<CallCounts> {
    let (complete, invalid) = uploads.lock().map(|uploads| (uploads.complete, uploads.invalid)).unwrap_or_default();
    Json(BTreeMap::from([(COMPLETE.to_owned(), complete), (INVALID.to_owned(), invalid)]))
}

async fn put_chunk(State(uploads): State<Shared>, request: Request) -> Response {
    let upload = upload_id(request.uri());
    let Some(chunk) = ChunkRange::from_headers(request.headers()) else {
        return reject(&uploads);
    };
    let in_order = uploads.lock().is_ok_and(|all| all.next_offset.get(&upload).copied().unwrap_or(0) == chunk.first);
    let mut body = request.into_body().into_data_stream();
    let (mut offset, mut valid) = (chunk.first, in_order);
    while let Some(Ok(bytes)) = body.next().await {
        valid &= chunk.video.matches(offset, &bytes);
        offset += bytes.len() as u64;
    }
    if !valid || offset != chunk.end {
        return reject(&uploads);
    }
    let total = chunk.video.bytes();
    if let Ok(mut all) = uploads.lock() {
        all.next_offset.insert(upload, offset);
        all.complete += u64::from(offset == total);
    }
    let status = if offset == total { StatusCode::CREATED } else { StatusCode::PARTIAL_CONTENT };
    (status, [(header::CONTENT_RANGE, format!("bytes 0-{}/{total}", offset - 1))]).into_response()
}

fn upload_id(uri: &Uri) -> String {
    uri.path_and_query().map(ToString::to_string).unwrap_or_default()
}

/// Counts an invalid chunk and answers with 400.
fn reject(uploads: &Shared) -> Response {
    if let Ok(mut uploads) = uploads.lock() {
        uploads.invalid += 1;
    }
    StatusCode::BAD_REQUEST.into_response()
}

/// The video and byte range that the `Content-Range` header of a PUT names.
struct ChunkRange {
    video: TestVideo,
    first: u64,
    /// The offset after the last byte.
    end: u64,
}

impl ChunkRange {
    fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
        let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some(Self {
            video: TestVideo::new(total.parse().ok()?).ok()?,
            first: first.parse().ok()?,
            end: last.parse::<u64>().ok()? + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_counts::fetch;
    use crate::serve::serve;

    /// Puts byte ranges (first, end) of a video of 30,000 bytes, each altered by
    /// `alter`. Returns the HTTP statuses and the counters.
    async fn put(ranges: &[(u64, u64)], alter: impl Fn(&mut Vec<u8>)) -> (Vec<u16>, CallCounts) {
        let video = TestVideo::new(30_000).unwrap();
        let url = format!("http://{}", serve(routes()).await.unwrap());
        let mut statuses = vec![];
        for &(first, end) in ranges {
            let mut bytes: Vec<u8> = video.range(first, end).flatten().collect();
            alter(&mut bytes);
            let put = reqwest::Client::new().put(format!("{url}/upload?upload_id=1"));
            let put = put.header(header::CONTENT_RANGE, format!("bytes {first}-{}/30000", end - 1));
            statuses.push(put.body(bytes).send().await.unwrap().status().as_u16());
        }
        (statuses, fetch(&format!("{url}{UPLOADS_PATH}")).await.unwrap())
    }

    fn uploads(complete: u64, invalid: u64) -> CallCounts {
        [(COMPLETE.to_owned(), complete), (INVALID.to_owned(), invalid)].into()
    }

    #[tokio::test]
    async fn chunks_in_order_complete_the_video() {
        let result = put(&[(0, 10_000), (10_000, 30_000)], |_| {}).await;
        assert_eq!(result, (vec![206, 201], uploads(1, 0)));
    }

    #[tokio::test]
    async fn chunk_out_of_order_is_rejected() {
        assert_eq!(put(&[(10_000, 30_000)], |_| {}).await, (vec![400], uploads(0, 1)));
        assert_eq!(put(&[(0, 20_000), (10_000, 30_000)], |_| {}).await, (vec![206, 400], uploads(0, 1)));
    }

    #[tokio::test]
    async fn altered_or_truncated_chunk_is_rejected() {
        assert_eq!(put(&[(0, 30_000)], |bytes| bytes[29_999] ^= 1).await, (vec![400], uploads(0, 1)));
        assert_eq!(put(&[(0, 30_000)], |bytes| bytes.truncate(29_999)).await, (vec![400], uploads(0, 1)));
    }
}
