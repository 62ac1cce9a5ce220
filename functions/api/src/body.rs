//! The extractor of a request body, with its limit.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::problem::Problem;

/// Maximum size of a request body, in bytes. A sidecar has the same limit (`MAX_SIDECAR` in `storage`). TikTok's
/// webhooks have about a hundredth of this size. `routes` sets it as the body limit of the router.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// A request body of at most [`MAX_BODY_BYTES`].
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    let advice =
                        format!("The limit is {MAX_BODY_BYTES} bytes. Upload a video to the URL from POST /uploads.");
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large", &advice)
                }
                _ => Problem::new(
                    StatusCode::BAD_REQUEST,
                    "body_unreadable",
                    "The body cannot be read",
                    "Send the request again.",
                ),
            }
        })
    }
}
