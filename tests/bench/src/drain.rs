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
