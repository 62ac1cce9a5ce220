//! Why a webhook was not processed.

use storage::{AppSecretError, StoreError};
use tiktok::WebhookError;

/// Why a webhook was not processed. Except for [`ReceiveError::Rejected`], TikTok sends it again.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The webhook is not TikTok's, or malformed. Nothing was done.
    #[error("webhook rejected")]
    Rejected(#[from] WebhookError),
    /// The app's secret cannot be read, so the signature cannot be verified.
    #[error("webhook not verified")]
    App(#[from] AppSecretError),
    /// The webhook's news could not be stored.
    #[error("webhook not stored")]
    Store(#[from] StoreError),
    /// Other writers changed the post or the account at each attempt.
    #[error("the webhook's post or account is being changed by others")]
    Busy,
}
