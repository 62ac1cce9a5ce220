//! Creating posts: from an object in the bucket, or for a video that the caller uploads afterwards.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use domain::request::IdempotencyKey;
use domain::secret::ExposeSecret;
use jiff::Timestamp;
use posting::{CreatedUpload, UploadTarget};
use serde::Serialize;

use super::view::PostView;
use crate::body::Body;
use crate::paths::PostPath;
use crate::problem::{Problem, capitalised};
use crate::trace_header::TraceHeader;
use crate::use_cases::UseCases;

/// A post that is held for its video, and where to upload the video.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CreatedUpload"))]
pub(crate) struct CreatedUploadView {
    post: PostView,
    /// Null if the video has arrived or the upload has expired.
    upload: Option<UploadTargetView>,
}

/// Where to upload a video.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "UploadTarget"))]
#[serde(untagged)]
pub(crate) enum UploadTargetView {
    /// The whole video in one request.
    Whole {
        method: &'static str,
        /// A secret: anyone who has it can upload there.
        url: String,
        headers: UploadHeaders,
        /// When the URL expires. A request that has started can finish later.
        expires_at: Timestamp,
    },
    /// The video in parts, one request each. Then the caller completes the upload.
    Parts {
        method: &'static str,
        parts: Vec<PartTargetView>,
        /// The path to POST to after the last part.
        complete: String,
        /// When the URLs expire. A request that has started can finish later.
        expires_at: Timestamp,
    },
}

/// The headers that the PUT must have, with these exact values.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct UploadHeaders {
    content_type: String,
    content_length: String,
}

/// Where to upload one part of a video.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PartTarget"))]
pub(crate) struct PartTargetView {
    part_number: i32,
    /// The offset of the part in the video, in bytes.
    first_byte: u64,
    /// The length of the part, in bytes.
    bytes: u64,
    url: String,
}

impl CreatedUploadView {
    fn of(created: &CreatedUpload) -> Self {
        let upload = created.target.as_ref().map(|target| match target {
            UploadTarget::Whole { url, bytes, content_type, until } => UploadTargetView::Whole {
                method: "PUT",
                url: url.expose_secret().to_owned(),
                headers: UploadHeaders { content_type: content_type.clone(), content_length: bytes.to_string() },
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
                complete: format!("/uploads/{}/complete", created.post.id),
                expires_at: *until,
            },
        });
        Self { post: PostView::of(&created.post), upload }
    }
}

/// The request's `Idempotency-Key`, if it has one.
pub(crate) struct IdempotencyHeader(Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = Problem;

    /// Rejects a repeated or malformed header.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        // A repeated header is treated as an empty key, which is invalid.
        let key = value.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default();
        IdempotencyKey::parse(key).map(|key| Self(Some(key))).map_err(|invalid| {
            let (title, advice) = (capitalised(&invalid.to_string()), "Send one such header, for example with a UUID.");
            Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_malformed", &title, advice)
        })
    }
}

/// `POST /posts`: posts an object that is in the bucket.
pub(crate) async fn create(
    State(use_cases): State<Arc<UseCases>>,
    IdempotencyHeader(key): IdempotencyHeader,
    TraceHeader(trace): TraceHeader,
    Body(body): Body,
) -> Result<impl IntoResponse, Problem> {
    let post = use_cases.create_post.create(&use_cases.intake, key.as_ref(), trace, &body).await?;
    let location = format!("/posts/{}", post.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(PostView::of(&post))))
}

/// `POST /uploads`: creates a post and returns the presigned URLs for its video.
pub(crate) async fn create_upload(
    State(use_cases): State<Arc<UseCases>>,
    IdempotencyHeader(key): IdempotencyHeader,
    TraceHeader(trace): TraceHeader,
    Body(body): Body,
) -> Result<impl IntoResponse, Problem> {
    let random_bytes = runtime::random::random_bytes().map_err(|_| Problem::no_randomness())?;
    let created = use_cases.create_upload.create(&use_cases.intake, key.as_ref(), &random_bytes, trace, &body).await?;
    let location = format!("/posts/{}", created.post.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(CreatedUploadView::of(&created))))
}

/// `POST /uploads/{id}/complete`: combines the uploaded parts into one object.
pub(crate) async fn complete_upload(
    State(use_cases): State<Arc<UseCases>>,
    PostPath(id): PostPath,
) -> Result<impl IntoResponse, Problem> {
    let post = use_cases.create_upload.complete(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(PostView::of(&post))))
}
