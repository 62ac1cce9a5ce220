//! The webhooks that TikTok sends: the proof that TikTok sent a request, and its event.
//!
//! TikTok sends one event per request, at least once and in any order. It retries for three days until the response is
//! HTTP 200. Every request that has a valid signature and names an event is therefore accepted: an unknown event, field
//! or value becomes [`Event::Other`] and not an error.
//! <https://developers.tiktok.com/doc/webhooks-overview>
//!
//! Invariant: no part of a body is parsed before its signature is verified.

mod event;
mod signature;

use domain::failure::Rejection;
use domain::secret::SecretString;
use jiff::Timestamp;

pub use event::{DeauthorizationReason, Event, Webhook};
pub use signature::SignatureError;

/// The header that contains the signature.
pub const SIGNATURE_HEADER: &str = "TikTok-Signature";

/// Why a request is not a webhook of TikTok's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature does not prove that TikTok sent the request.
    #[error("the signature does not prove that TikTok sent the request")]
    Unproven(#[from] SignatureError),
    /// The signature is valid, but the body is not a webhook.
    #[error("the body is not a JSON object with the name of an event")]
    Malformed,
}

impl Webhook {
    /// Verifies the signature over the body's bytes with any of the app's secrets, and then parses the body. While the
    /// operator rotates the secret there are two; the newer one should be first, because it matches more often.
    ///
    /// # Errors
    /// Nothing in the request may be trusted.
    pub fn open(
        secrets: &[&SecretString],
        signature: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Self, WebhookError> {
        let signed_at = signature::verify(secrets, signature, body, now)?;
        let body = serde_json::from_slice(body).map_err(|_| WebhookError::Malformed)?;
        event::read(&body, signed_at).ok_or(WebhookError::Malformed)
    }
}

impl WebhookError {
    /// Returns the error as a rejection for the sender of the request.
    pub fn rejection(&self) -> Rejection {
        match self {
            Self::Unproven(why) => {
                Rejection::new("signature_invalid", format!("{self}: {why}"), "Only TikTok can call this address.")
            }
            Self::Malformed => Rejection::new("webhook_malformed", self.to_string(), ""),
        }
    }
}

#[cfg(test)]
mod tests;
