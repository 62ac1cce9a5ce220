//! TikTok's API client: the Content Posting API and OAuth over HTTP.
//!
//! This is the only crate that knows TikTok's JSON, paths and error codes. It does not know AWS, databases or clocks.
//! It makes each call once: it never retries, and it decides nothing about a post. A failed call states what the
//! caller, the crate `posting`, should do: [`Error::disposition`], [`ChunkOutcome`], [`OAuthError::disposition`].
//!
//! Invariant: no error, `Debug` output or log event of this crate contains an access token, a refresh token, the
//! client secret or an upload URL.
//!
//! Reading order:
//!
//! - [`TikTok`] is the client. It has one method per call.
//! - [`Error`] is a failed call; [`error_codes`] is the table of the v2 API's error codes.
//! - [`upload`] sends chunks; [`upload::response`] is the table of the upload URL's responses.
//! - [`oauth`] gets and revokes tokens; [`oauth::error_codes`] is the table of OAuth's error codes.
//! - [`Webhook`] is a notification that TikTok sends to the `api` function.

mod client;
mod credentials;
mod timeouts;
mod tls_roots;
mod upload_hosts;

mod endpoint;
mod envelope;
mod fields;
mod retry_after;
mod transport;

mod api_error;
mod error;
pub mod error_codes;

mod cancel;
mod creator;
mod init;
mod links;
mod status;
pub mod upload;
mod user;

pub mod oauth;

mod webhook;

#[cfg(test)]
mod scripted_tiktok;

pub use api_error::ApiError;
pub use cancel::Cancellation;
pub use client::{Config, ConfigError, TikTok};
pub use credentials::{AccessToken, AppCredentials, RefreshToken};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind, InvalidResponse};
pub use init::Ticket;
pub use oauth::{
    AUTHORIZE_HOST, AuthorizationError, AuthorizationResponse, AuthorizeUrl, Decision, InvalidAuthorizeUrl,
};
pub use oauth::{OAuthCall, OAuthError, RefreshedTokens, TokenResponse};
pub use upload::{ChunkOutcome, Sent, SourceFault, UploadUrl};
pub use upload_hosts::{InvalidUploadHosts, UploadHosts};
pub use user::User;
pub use webhook::{DeauthorizationReason, Event, SIGNATURE_HEADER, SignatureError, Webhook, WebhookError};
