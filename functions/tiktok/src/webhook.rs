//! What TikTok says by itself: webhooks, and the proof that they are TikTok's.
//!
//! TikTok sends one event a request, at least once, in no promised order, and
//! repeats it for three days unless it is answered with 200. So whatever is
//! proven to be TikTok's is taken: an event, a field or a value that is not
//! known here is [`Event::Other`] and no error.
//! <https://developers.tiktok.com/doc/webhooks-overview>
//!
//! Nothing is read of a body before its signature is verified.

mod event;
mod signature;

use domain::failure::Failure;
use domain::identity::OpenId;
use domain::secret::SecretString;
use jiff::Timestamp;
use serde_json::Value;

pub use event::{DeauthorizationReason, Event};
pub use signature::SignatureError;

/// The header that proves a webhook to be TikTok's.
pub const SIGNATURE_HEADER: &str = "TikTok-Signature";

/// A webhook that TikTok has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The event's name, in TikTok's words.
    pub name: String,
    /// Whom it concerns, where TikTok says so.
    pub user: Option<OpenId>,
    /// When it came to be, by TikTok's clock.
    pub at: Timestamp,
    /// What it says.
    pub event: Event,
}

/// Why a request is no webhook of TikTok's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is not proven to be TikTok's.
    #[error("it is not proven to come from TikTok")]
    Unproven(#[from] SignatureError),
    /// It is proven, and has nothing of a webhook's form.
    #[error("it is no JSON object with the name of an event")]
    Malformed,
}

impl Webhook {
    /// Opens a webhook: verifies the signature over the body's very bytes, with
    /// any of the app's secrets, and only then reads it. Of several secrets the
    /// newest should be the first.
    ///
    /// # Errors
    /// Nothing in it may be believed.
    pub fn open(
        secrets: &[&SecretString],
        signature: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Self, WebhookError> {
        let signed_at = signature::verify(secrets, signature, body, now)?;
        let body: Value = serde_json::from_slice(body).map_err(|_| WebhookError::Malformed)?;
        event::read(&body, signed_at).ok_or(WebhookError::Malformed)
    }
}

impl WebhookError {
    /// States what is wrong, for whoever sent it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Unproven(why) => Failure::new(
                "signature_invalid",
                format!("The request is not proven to come from TikTok: {why}"),
                "Only TikTok can call this address.",
            ),
            Self::Malformed => Failure::new("webhook_malformed", self.to_string(), ""),
        }
    }
}

#[cfg(test)]
mod tests;
