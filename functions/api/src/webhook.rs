//! TikTok's webhooks. Anybody can call this; only what TikTok has signed counts.
//!
//! TikTok takes nothing but 200 for an answer and else comes again, for three
//! days. So 200 says that what it told is stored, 5xx that it should come again,
//! and 4xx that it was not TikTok.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::failure::error_chain;
use posting::{Connections, ReceiveError};
use storage::WebhookLog;
use tiktok::{SIGNATURE_HEADER, WebhookError};

use crate::deadline::RequestDeadline;
use crate::problem::Problem;

/// The most bytes that a webhook may have: a hundred times what TikTok's have.
pub(crate) const MOST_BYTES: usize = 64 * 1024;

/// Who listens, and where what is heard is kept.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) connecting: Arc<Connections>,
    pub(crate) inbox: WebhookLog,
}

/// `POST /webhooks/tiktok`.
pub(crate) async fn take(
    State(listener): State<Listener>,
    RequestDeadline(deadline): RequestDeadline,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else {
        let title = "A webhook is smaller than this";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "webhook_too_large", title, "").into_response();
    };
    // A value that is no text is no signature either.
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap_or_default());
    match listener.connecting.posting.receive_webhook(&listener.inbox, signature, &body, deadline).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

impl From<ReceiveError> for Problem {
    /// States why a webhook was not taken, and logs it, once.
    fn from(error: ReceiveError) -> Self {
        let why = error_chain(&error);
        let ReceiveError::Refused(refusal) = error else {
            tracing::error!(why, "webhook not taken: TikTok comes again");
            let title = "What this says cannot be stored now";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "webhook_not_stored", title, "Send it again.");
        };
        tracing::warn!(why, "webhook refused");
        let status = match refusal {
            WebhookError::Unproven(_) => StatusCode::UNAUTHORIZED,
            WebhookError::Malformed => StatusCode::BAD_REQUEST,
        };
        Self::of(status, refusal.failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiktok::SignatureError;

    #[test]
    fn tiktok_comes_again_with_what_was_not_stored_and_who_is_not_tiktok_is_refused() {
        let status = |error: ReceiveError| Problem::from(error).status().as_u16();
        assert_eq!(status(ReceiveError::Busy), 503);
        assert_eq!(status(WebhookError::Malformed.into()), 400);
        assert_eq!(status(WebhookError::Unproven(SignatureError::InvalidSignature).into()), 401);
    }
}
