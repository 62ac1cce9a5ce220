//! The error of a failed call to OAuth: why it failed, and what the caller should do.

use std::time::Duration;

use domain::failure::{Disposition, Failure};

use super::call::OAuthCall;
use super::error_codes::{self, RETRY_DELAY};
use crate::error::ErrorKind;

/// A failed call to OAuth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TikTok call {call} failed")]
pub struct OAuthError {
    /// The call.
    pub call: OAuthCall,
    /// Why it failed.
    #[source]
    pub fault: ErrorKind,
    /// The wait that the response asks for by its header `Retry-After`, at most a day.
    pub retry_after: Option<Duration>,
}

impl OAuthError {
    /// Creates an error whose response asks for no wait.
    pub fn new(call: OAuthCall, fault: ErrorKind) -> Self {
        Self { call, fault, retry_after: None }
    }

    /// Returns what the caller should do.
    ///
    /// For a refresh, two dispositions have a special meaning (`functions/posting/src/tokens/refresh.rs` acts on them):
    ///
    /// - [`Disposition::Reconcile`]: read the stored tokens again, once. If they have changed, another worker has
    ///   refreshed them, and they are valid. If they have not, the account must be connected again.
    /// - [`Disposition::Retry`]: use the same refresh token again. If no response came, that token may be invalid, and
    ///   the next attempt shows whether it is.
    pub fn disposition(&self) -> Disposition {
        let disposition = match &self.fault {
            ErrorKind::Refused(error) => error_codes::disposition(&error.code, error.http, self.call),
            ErrorKind::InvalidResponse { http, .. } => error_codes::disposition_of_status(*http),
            ErrorKind::Unreachable(_) | ErrorKind::Unanswered(_) => Disposition::Retry { after: RETRY_DELAY },
            // No OAuth call causes these two kinds.
            ErrorKind::TokenUnusable => Disposition::NeedsReconnect,
            ErrorKind::UploadHostRefused => Disposition::GiveUp,
        };
        disposition.at_least(self.retry_after)
    }

    /// Returns the error as a failure with code, message and advice.
    pub fn failure(&self) -> Failure {
        match &self.fault {
            ErrorKind::Refused(error) => error_codes::failure(error),
            ErrorKind::Unreachable(_)
            | ErrorKind::Unanswered(_)
            | ErrorKind::InvalidResponse { .. }
            | ErrorKind::TokenUnusable
            | ErrorKind::UploadHostRefused => self.fault.failure(),
        }
    }
}
