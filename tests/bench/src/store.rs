//! S3 as far as `publish` uses it, serving films from memory.
//!
//! It signs nothing and checks no signature; it touches no disk and copies no
//! byte before the socket does, so that the processors are left to what is
//! measured. It counts its calls by S3's names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;

use crate::film::Film;

/// Calls by S3's names.
pub(crate) type Calls = BTreeMap<String, u64>;
type Counter = Arc<Mutex<Calls>>;

/// Where the counted calls are told.
pub(crate) const CALLS: &str = "/_store/calls";

/// The routes of the store.
pub(crate) fn routes() -> Router {
    let counter = Counter::default();
    Router::new().route(CALLS, get(calls)).fallback(serve).with_state(counter)
}

async fn calls(State(counter): State<Counter>) -> Json<Calls> {
    Json(counter.lock().map(|calls| calls.clone()).unwrap_or_default())
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
    if let Ok(mut calls) = counter.lock() {
        *calls.entry(operation.to_owned()).or_default() += 1;
    }
    response
}

const NO_TAGS: &str = "<Tagging><TagSet></TagSet></Tagging>";
const NO_SUCH_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>There is no such key.</Message></Error>";
const INVALID_RANGE: &str = "<Error><Code>InvalidRange</Code><Message>No such range.</Message></Error>";
const NOT_IMPLEMENTED: &str = "<Error><Code>NotImplemented</Code><Message>The store cannot.</Message></Error>";

fn xml(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

fn described(film: &Film) -> [(header::HeaderName, String); 4] {
    [
        (header::CONTENT_TYPE, "video/mp4".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, format!("\"{:032x}\"", film.bytes())),
        (header::LAST_MODIFIED, "Sun, 22 Nov 2026 09:30:12 GMT".to_owned()),
    ]
}

fn head(key: &str) -> Response {
    let Some(film) = Film::of_key(key) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (described(&film), [(header::CONTENT_LENGTH, film.bytes().to_string())]).into_response()
}

fn object(key: &str, headers: &HeaderMap) -> Response {
    let Some(film) = Film::of_key(key) else {
        return xml(StatusCode::NOT_FOUND, NO_SUCH_KEY);
    };
    let asked = headers.get(header::RANGE).map(|value| range(value.to_str().unwrap_or_default(), film.bytes()));
    let (status, (first, end)) = match asked {
        None => (StatusCode::OK, (0, film.bytes())),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(None) => return xml(StatusCode::RANGE_NOT_SATISFIABLE, INVALID_RANGE),
    };
    let length = [(header::CONTENT_LENGTH, (end - first).to_string())];
    let place = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| [(header::CONTENT_RANGE, format!("bytes {first}-{}/{}", end - 1, film.bytes()))]);
    let body = Body::from_stream(stream::iter(film.range(first, end).map(Ok::<_, std::convert::Infallible>)));
    let mut response = (status, described(&film), length, body).into_response();
    if let Some([(name, value)]) = place
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Reads `bytes=FIRST-LAST` as an offset and the one behind the last byte.
fn range(asked: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { total - 1 } else { last.parse().ok()? };
    (first <= last && first < total).then(|| (first, (last + 1).min(total)))
}

/// What was called between two looks.
pub(crate) fn difference(before: &Calls, after: &Calls) -> Calls {
    let more = |(name, count): (&String, &u64)| (name.clone(), count - before.get(name).copied().unwrap_or(0));
    after.iter().map(more).filter(|(_, count)| *count > 0).collect()
}

/// Asks a running store, or anything that counts as it does, for its calls.
pub(crate) async fn calls_at(url: &str) -> Result<Calls> {
    let direct = reqwest::Client::builder().no_proxy().build()?;
    Ok(direct.get(url).send().await?.error_for_status()?.json().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_s3_reads_it() {
        assert_eq!(range("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(range("bytes=90-", 100), Some((90, 100)));
        assert_eq!(range("bytes=90-900", 100), Some((90, 100)));
        assert_eq!(range("bytes=100-101", 100), None);
        assert_eq!(range("0-9", 100), None);
    }

    #[test]
    fn only_what_came_on_top_is_counted() {
        let calls = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Calls>();
        let (before, after) = (calls(&[("a", 1), ("b", 2)]), calls(&[("a", 1), ("b", 5), ("c", 1)]));
        assert_eq!(difference(&before, &after), calls(&[("b", 3), ("c", 1)]));
    }
}
