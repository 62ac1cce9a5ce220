//! TikTok's upload host as fast as it can be: takes chunks in order, and holds
//! every byte against the film that it must be of.
//!
//! The simulator hashes each byte twice, which makes it the slowest on the way;
//! comparing with what is in the cache anyway costs next to nothing. It issues
//! no upload URLs: the simulator does, and names the drain in them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::StreamExt;

use crate::film::Film;
use crate::store::Calls;

/// Where the received uploads are told.
pub(crate) const RECEIVED: &str = "/_drain/received";
/// Films that arrived whole, and as they are.
pub(crate) const WHOLE: &str = "whole";
/// Chunks that were out of order, cut, or of other bytes.
pub(crate) const WRONG: &str = "wrong";

#[derive(Default)]
struct Uploads {
    /// The offset of the next byte of each upload.
    next: HashMap<String, u64>,
    whole: u64,
    wrong: u64,
}

type Shared = Arc<Mutex<Uploads>>;

/// The routes of the drain.
pub(crate) fn routes() -> Router {
    Router::new().route(RECEIVED, get(received)).fallback(take).with_state(Shared::default())
}

async fn received(State(uploads): State<Shared>) -> Json<Calls> {
    let (whole, wrong) = uploads.lock().map(|uploads| (uploads.whole, uploads.wrong)).unwrap_or_default();
    Json(BTreeMap::from([(WHOLE.to_owned(), whole), (WRONG.to_owned(), wrong)]))
}

async fn take(State(uploads): State<Shared>, request: Request) -> Response {
    let upload = id_of(request.uri());
    let Some(chunk) = Announced::read(request.headers()) else {
        return note_wrong(&uploads);
    };
    let in_order = uploads.lock().is_ok_and(|all| all.next.get(&upload).copied().unwrap_or(0) == chunk.first);
    let mut body = request.into_body().into_data_stream();
    let (mut at, mut right) = (chunk.first, in_order);
    while let Some(Ok(bytes)) = body.next().await {
        right &= chunk.film.has(at, &bytes);
        at += bytes.len() as u64;
    }
    if !right || at != chunk.end {
        return note_wrong(&uploads);
    }
    let total = chunk.film.bytes();
    if let Ok(mut all) = uploads.lock() {
        all.next.insert(upload, at);
        all.whole += u64::from(at == total);
    }
    let status = if at == total { StatusCode::CREATED } else { StatusCode::PARTIAL_CONTENT };
    (status, [(header::CONTENT_RANGE, format!("bytes 0-{}/{total}", at - 1))]).into_response()
}

fn id_of(uri: &Uri) -> String {
    uri.path_and_query().map(ToString::to_string).unwrap_or_default()
}

fn note_wrong(uploads: &Shared) -> Response {
    if let Ok(mut uploads) = uploads.lock() {
        uploads.wrong += 1;
    }
    StatusCode::BAD_REQUEST.into_response()
}

/// What a PUT says of itself.
struct Announced {
    film: Film,
    first: u64,
    end: u64,
}

impl Announced {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
        let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some(Self {
            film: Film::new(total.parse().ok()?).ok()?,
            first: first.parse().ok()?,
            end: last.parse::<u64>().ok()? + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::serve;
    use crate::store::calls_at;

    /// Puts parts of a film, given by first byte and end, and tells the answers.
    async fn put(parts: &[(u64, u64)], spoil: impl Fn(&mut Vec<u8>)) -> (Vec<u16>, Calls) {
        let film = Film::new(30_000).unwrap();
        let at = format!("http://{}", serve(routes()).await.unwrap());
        let mut statuses = vec![];
        for &(first, end) in parts {
            let mut bytes: Vec<u8> = film.range(first, end).flatten().collect();
            spoil(&mut bytes);
            let put = reqwest::Client::new().put(format!("{at}/upload?upload_id=1"));
            let put = put.header(header::CONTENT_RANGE, format!("bytes {first}-{}/30000", end - 1));
            statuses.push(put.body(bytes).send().await.unwrap().status().as_u16());
        }
        (statuses, calls_at(&format!("{at}{RECEIVED}")).await.unwrap())
    }

    fn counted(whole: u64, wrong: u64) -> Calls {
        [(WHOLE.to_owned(), whole), (WRONG.to_owned(), wrong)].into()
    }

    #[tokio::test]
    async fn chunks_in_order_make_a_whole_film() {
        let answered = put(&[(0, 10_000), (10_000, 30_000)], |_| {}).await;
        assert_eq!(answered, (vec![206, 201], counted(1, 0)));
    }

    #[tokio::test]
    async fn a_chunk_out_of_order_is_wrong() {
        assert_eq!(put(&[(10_000, 30_000)], |_| {}).await, (vec![400], counted(0, 1)));
        assert_eq!(put(&[(0, 20_000), (10_000, 30_000)], |_| {}).await, (vec![206, 400], counted(0, 1)));
    }

    #[tokio::test]
    async fn a_wrong_byte_and_a_missing_one_are_noticed() {
        assert_eq!(put(&[(0, 30_000)], |bytes| bytes[29_999] ^= 1).await, (vec![400], counted(0, 1)));
        assert_eq!(put(&[(0, 30_000)], |bytes| bytes.truncate(29_999)).await, (vec![400], counted(0, 1)));
    }
}
