//! Asking for posts: of an object that is in the bucket, or of a video that is yet
//! to be uploaded.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::request::IdempotencyKey;
use domain::secret::ExposeSecret;
use jiff::Timestamp;
use posting::{Connections, CreatedUpload, Intake, UploadTarget};
use serde::Serialize;

use super::view::PostView;
use crate::body::Body;
use crate::paths::PostPath;
use crate::problem::{Problem, capitalised};
use crate::trace_header::TraceHeader;

/// A post that waits for its video, and where that goes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CreatedUploadView {
    post: PostView,
    /// Nowhere any more, if the video is there or the time is over.
    upload: Option<UploadTargetView>,
}

/// Where a video goes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Upload"))]
#[serde(untagged)]
pub(crate) enum UploadTargetView {
    /// As a whole, by this request.
    Whole {
        method: &'static str,
        /// A secret: whoever has it can write there.
        url: String,
        headers: Headers,
        /// Until when the request can be begun.
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        expires_at: Timestamp,
    },
    /// In parts, by a request for each; then the upload is completed.
    Parts {
        method: &'static str,
        parts: Vec<PartTargetView>,
        /// Where it is completed, by a POST.
        complete: String,
        /// Until when the requests can be begun.
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        expires_at: Timestamp,
    },
}

/// What the PUT must say of the video, to the letter.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "UploadHeaders"))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Headers {
    content_type: String,
    content_length: String,
}

/// Where a part of a video goes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Part"))]
pub(crate) struct PartTargetView {
    part_number: i32,
    first_byte: u64,
    bytes: u64,
    url: String,
}

impl CreatedUploadView {
    fn of(asked: &CreatedUpload) -> Self {
        let upload = asked.offer.as_ref().map(|offer| match offer {
            UploadTarget::Whole { url, bytes, content_type, until } => UploadTargetView::Whole {
                method: "PUT",
                url: url.expose_secret().to_owned(),
                headers: Headers { content_type: content_type.clone(), content_length: bytes.to_string() },
                expires_at: *until,
            },
            UploadTarget::Parts { parts, until } => UploadTargetView::Parts {
                method: "PUT",
                parts: parts
                    .iter()
                    .map(|part| PartTargetView {
                        part_number: part.number,
                        first_byte: part.first_byte,
                        bytes: part.bytes,
                        url: part.url.expose_secret().to_owned(),
                    })
                    .collect(),
                complete: format!("/uploads/{}/complete", asked.post.id),
                expires_at: *until,
            },
        });
        Self { post: PostView::of(&asked.post), upload }
    }
}

/// The name of a request, where it has one.
pub(crate) struct IdempotencyHeader(Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default();
        IdempotencyKey::parse(key).map(|key| Self(Some(key))).map_err(|why| {
            let advice = "Send one such header; a UUID will do.";
            Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_malformed", &capitalised(&why.to_string()), advice)
        })
    }
}

/// `POST /posts`: posts an object that is in the bucket.
pub(crate) async fn post(
    State(connecting): State<Arc<Connections>>,
    Extension(intake): Extension<Arc<Intake>>,
    IdempotencyHeader(name): IdempotencyHeader,
    TraceHeader(trace): TraceHeader,
    Body(body): Body,
) -> Result<Response, Problem> {
    let post = connecting.posting.create_post(&intake, name.as_ref(), trace, &body).await?;
    let location = format!("/posts/{}", post.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(PostView::of(&post))).into_response())
}

/// `POST /uploads`: hands out where a video goes that is posted when it is there.
pub(crate) async fn upload(
    State(connecting): State<Arc<Connections>>,
    Extension(intake): Extension<Arc<Intake>>,
    IdempotencyHeader(name): IdempotencyHeader,
    TraceHeader(trace): TraceHeader,
    Body(body): Body,
) -> Result<Response, Problem> {
    let random_bytes = runtime::random::random_bytes().map_err(|_| Problem::no_randomness())?;
    let asked = connecting.posting.create_upload(&intake, name.as_ref(), &random_bytes, trace, &body).await?;
    let location = format!("/posts/{}", asked.post.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(CreatedUploadView::of(&asked))).into_response())
}

/// `POST /uploads/{id}/complete`: makes one object of the parts.
pub(crate) async fn complete(
    State(connecting): State<Arc<Connections>>,
    PostPath(id): PostPath,
) -> Result<Response, Problem> {
    let post = connecting.posting.complete_upload(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(PostView::of(&post))).into_response())
}
