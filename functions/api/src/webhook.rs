//! `POST /webhooks/tiktok`, the receiver of TikTok's webhooks. The route is public; only a webhook that is signed with
//! the app's secret has an effect.
//!
//! TikTok repeats a webhook until the status is 200, for at most three days
//! (<https://developers.tiktok.com/doc/webhooks-overview>). The statuses:
//!
//! - 200: the webhook is stored;
//! - 503: it could not be stored, and TikTok should repeat it;
//! - 401: its signature is not TikTok's, which a repeat does not change;
//! - 400: it is signed, but is not a webhook, which a repeat does not change either.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::failure::error_chain;
use posting::ReceiveError;
use tiktok::{SIGNATURE_HEADER, WebhookError};

use crate::body::Body;
use crate::deadline::RequestDeadline;
use crate::problem::Problem;
use crate::use_cases::UseCases;

/// `POST /webhooks/tiktok`: verifies, stores and applies a webhook.
pub(crate) async fn receive(
    State(use_cases): State<Arc<UseCases>>,
    RequestDeadline(deadline): RequestDeadline,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    // Several headers are one header with several signatures. A value that is not text is an invalid signature.
    let values: Vec<_> = headers.get_all(SIGNATURE_HEADER).iter().map(|it| it.to_str().unwrap_or_default()).collect();
    let signature = (!values.is_empty()).then(|| values.join(","));
    use_cases.webhooks.receive(&use_cases.webhook_log, signature.as_deref(), &body, deadline).await?;
    Ok(StatusCode::OK)
}

impl From<ReceiveError> for Problem {
    /// The problem for a webhook that was not stored. It logs the error.
    fn from(error: ReceiveError) -> Self {
        let cause = error_chain(&error);
        let ReceiveError::Rejected(rejected) = error else {
            tracing::error!(error = cause, "webhook not stored; TikTok will repeat it");
            let title = "The webhook cannot be stored now";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "webhook_not_stored", title, "Send it again.");
        };
        tracing::warn!(error = cause, "webhook rejected");
        let status = match rejected {
            WebhookError::Unproven(_) => StatusCode::UNAUTHORIZED,
            WebhookError::Malformed => StatusCode::BAD_REQUEST,
        };
        Self::of(status, rejected.rejection())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiktok::SignatureError;

    #[test]
    fn unstored_webhook_gets_503_and_invalid_webhook_4xx() {
        let status = |error: ReceiveError| Problem::from(error).status().as_u16();
        assert_eq!(status(ReceiveError::Busy), 503);
        assert_eq!(status(WebhookError::Malformed.into()), 400);
        assert_eq!(status(WebhookError::Unproven(SignatureError::InvalidSignature).into()), 401);
    }
}
