//! How TikTok is spoken to: its Content Posting API and OAuth, over HTTP.
//!
//! This is the only crate that knows TikTok's JSON, its paths and its codes.
//! It knows no AWS, no database and no clock, decides nothing about a post and
//! repeats no call by itself: it says what TikTok said, and what that asks for
//! ([`Error::disposition`], [`ChunkOutcome`], [`OAuthError::disposition`]).
//!
//! No token, client secret or upload URL is ever in an error, a `Debug` or a
//! log event of this crate.
//!
//! In reading order: [`TikTok`] is the client, with a method a call; [`Error`]
//! is how a call ends badly, [`reaction`] what to do then, as one table;
//! [`upload::answer`] is the same for the upload URL, [`oauth::reaction`] for
//! OAuth. [`Webhook`] is what TikTok says unasked.

mod client;
mod credentials;
mod timeouts;
mod tls_roots;
mod upload_hosts;

mod endpoint;
mod envelope;
mod fields;
mod transport;

mod api_error;
mod error;
pub mod reaction;

mod begin;
mod cancel;
mod creator;
mod links;
mod report;
pub mod upload;
mod user;

pub mod oauth;

mod webhook;

#[cfg(test)]
mod mock_server;

pub use api_error::ApiError;
pub use begin::Ticket;
pub use cancel::Cancellation;
pub use client::{Config, ConfigError, TikTok};
pub use credentials::{AccessToken, AppCredentials, RefreshToken};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind, InvalidResponse};
pub use oauth::{
    AUTHORIZE_HOST, AuthorizationError, AuthorizationResponse, AuthorizeUrl, Decision, InvalidAuthorizeUrl,
};
pub use oauth::{Grant, OAuthCall, OAuthError};
pub use upload::{ChunkOutcome, SourceFault, UploadUrl};
pub use upload_hosts::{InvalidUploadHosts, UploadHosts};
pub use user::User;
pub use webhook::{DeauthorizationReason, Event, SIGNATURE_HEADER, SignatureError, Webhook, WebhookError};
