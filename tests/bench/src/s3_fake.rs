//! A fake of S3 with the operations that `publish` uses. It serves test videos
//! from memory and counts its calls by operation.
//!
//! It checks no signature, reads no disk, and copies no byte before the socket
//! does. The processor time is therefore left to the program under measurement.
//! It does not use the bucket of `harness::aws`, which stores its objects.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;

use crate::call_counts::CallCounts;
use crate::test_video::TestVideo;

type Counter = Arc<Mutex<CallCounts>>;

/// The path that serves the call counters.
pub(crate) const CALLS_PATH: &str = "/_bench/calls";

/// The routes of the fake.
pub(crate) fn routes() -> Router {
    let counter = Counter::default();
    Router::new().route(CALLS_PATH, get(calls)).fallback(serve).with_state(counter)
}

async fn calls(State(counter): State<Counter>) -> Json<CallCounts> {
    Json(counter.lock().map(|counts| counts.clone()).unwrap_or_default())
}

async fn serve(State(counter): State<Counter>, request: Request) -> Response {
    let key = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let tagging = query.split('&').any(|part| part == "tagging" || part.starts_with("tagging="));
    let (operation, response) = match (request.method(), tagging) {
        (&Method::HEAD, _) => ("HeadObject", head(&key)),
        (&Method::GET, true) => ("GetObjectTagging", xml(StatusCode::OK, NO_TAGS)),
        (&Method::PUT, true) => ("PutObjectTagging", StatusCode::OK.into_response()),
        (&Method::GET, false) => ("GetObject", object(&key, request.headers())),
        _ => ("unknown", xml(StatusCode::NOT_IMPLEMENTED, NOT_IMPLEMENTED)),
    };
    if let Ok(mut counts) = counter.lock() {
        *counts.entry(operation.to_owned()).or_default() += 1;
    }
    response
}

const NO_TAGS: &str = "<Tagging><TagSet></TagSet></Tagging>";
const NO_SUCH_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>There is no such key.</Message></Error>";
const INVALID_RANGE: &str = "<Error><Code>InvalidRange</Code><Message>No such range.</Message></Error>";
const NOT_IMPLEMENTED: &str = "<Error><Code>NotImplemented</Code><Message>Not implemented.</Message></Error>";

fn xml(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

fn object_headers(video: &TestVideo) -> [(header::HeaderName, String); 4] {
    [
        (header::CONTENT_TYPE, "video/mp4".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, format!("\"{:032x}\"", video.bytes())),
        (header::LAST_MODIFIED, "Sun, 22 Nov 2026 09:30:12 GMT".to_owned()),
    ]
}

fn head(key: &str) -> Response {
    let Some(video) = TestVideo::from_key(key) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (object_headers(&video), [(header::CONTENT_LENGTH, video.bytes().to_string())]).into_response()
}

fn object(key: &str, headers: &HeaderMap) -> Response {
    let Some(video) = TestVideo::from_key(key) else {
        return xml(StatusCode::NOT_FOUND, NO_SUCH_KEY);
    };
    let requested = headers.get(header::RANGE).map(|value| range(value.to_str().unwrap_or_default(), video.bytes()));
    let (status, (first, end)) = match requested {
        None => (StatusCode::OK, (0, video.bytes())),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(None) => return xml(StatusCode::RANGE_NOT_SATISFIABLE, INVALID_RANGE),
    };
    let length = [(header::CONTENT_LENGTH, (end - first).to_string())];
    let content_range = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| [(header::CONTENT_RANGE, format!("bytes {first}-{}/{}", end - 1, video.bytes()))]);
    let body = Body::from_stream(stream::iter(video.range(first, end).map(Ok::<_, std::convert::Infallible>)));
    let mut response = (status, object_headers(&video), length, body).into_response();
    if let Some([(name, value)]) = content_range
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Parses `bytes=FIRST-LAST` or `bytes=FIRST-` into the first offset and the offset after
/// the last byte; none if the range does not start inside an object of `total` bytes.
fn range(header: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { total - 1 } else { last.parse().ok()? };
    (first <= last && first < total).then(|| (first, (last + 1).min(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_header_is_parsed_like_s3() {
        assert_eq!(range("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(range("bytes=90-", 100), Some((90, 100)));
        assert_eq!(range("bytes=90-900", 100), Some((90, 100)));
        assert_eq!(range("bytes=100-101", 100), None);
        assert_eq!(range("0-9", 100), None);
    }
}
