//! What a request says: its body, within bounds.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::problem::Problem;

/// The most that a body may have, in bytes: a sidecar's, and as generous.
pub(crate) const MOST: usize = 64 * 1024;

/// A request's body.
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    let advice = format!("At most {MOST} bytes are read. A video is never sent here.");
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large", &advice)
                }
                _ => Problem::new(
                    StatusCode::BAD_REQUEST,
                    "body_unreadable",
                    "The body cannot be read",
                    "Send it again.",
                ),
            }
        })
    }
}
