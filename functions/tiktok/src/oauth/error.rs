//! How a call to OAuth ends badly, and what that asks for.

use std::fmt;

use domain::failure::{Disposition, Failure};

use super::reaction;
use crate::error::ErrorKind;

/// A call to OAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthCall {
    /// Tokens for a consent's code.
    Exchange,
    /// Tokens for a refresh token.
    Refresh,
    /// The end of a consent.
    Revoke,
}

impl fmt::Display for OAuthCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "oauth/token (authorization_code)",
            Self::Refresh => "oauth/token (refresh_token)",
            Self::Revoke => "oauth/revoke",
        })
    }
}

/// A call to OAuth that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TikTok call {call} failed")]
pub struct OAuthError {
    /// Which call.
    pub call: OAuthCall,
    /// How it failed.
    #[source]
    pub fault: ErrorKind,
}

impl OAuthError {
    /// Tells what to do about it.
    ///
    /// For a refresh, [`Disposition::Reconcile`] means: read the stored pair
    /// again, once. If it is another pair by now, somebody else has refreshed,
    /// and that pair is good; if it is the same, the account must be connected
    /// again. [`Disposition::Retry`] means the same token: if no answer came,
    /// it may be spent, and the next try tells.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match &self.fault {
            ErrorKind::Refused(refusal) => reaction::of(&refusal.code, refusal.http, self.call),
            ErrorKind::InvalidResponse { http, .. } => reaction::of_status(*http),
            ErrorKind::Unreachable(_) | ErrorKind::Unanswered(_) => Disposition::Retry { after: reaction::SOON },
            ErrorKind::TokenUnusable => Disposition::NeedsReconnect,
            ErrorKind::UploadHostRefused => Disposition::GiveUp,
        }
    }

    /// States what is wrong, for people and programs, and what to do about it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match &self.fault {
            ErrorKind::Refused(refusal) => reaction::failure(refusal),
            ErrorKind::Unreachable(_)
            | ErrorKind::Unanswered(_)
            | ErrorKind::InvalidResponse { .. }
            | ErrorKind::TokenUnusable
            | ErrorKind::UploadHostRefused => self.fault.failure(),
        }
    }
}
