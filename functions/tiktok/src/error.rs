//! The error of a failed call to TikTok's v2 API: why it failed, and what the caller should do. A failed call to OAuth
//! is an [`OAuthError`](crate::OAuthError), with the same [`ErrorKind`] and other dispositions.
//!
//! An error does not know how often its call was tried: [`Error::disposition`] is the same each time. The caller
//! counts its retries.

use std::time::Duration;

use domain::failure::{Disposition, Failure};
use domain::reason::Reason;

use crate::api_error::ApiError;
use crate::endpoint::Endpoint;
use crate::error_codes::{self, RETRY_DELAY};

/// A failed call to the v2 API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TikTok call {call} failed")]
pub struct Error {
    /// The call.
    pub call: Endpoint,
    /// Why it failed.
    #[source]
    pub fault: ErrorKind,
    /// The wait that the response asks for by its header `Retry-After`, at most a day.
    pub retry_after: Option<Duration>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// TikTok responded with an error. The table [`error_codes`] (or `oauth::error_codes`) states what to do.
    #[error("TikTok responded with an error: {0}")]
    Refused(ApiError),
    /// No connection was made, so nothing was sent. The caller retries.
    #[error("TikTok cannot be reached: {0}")]
    Unreachable(String),
    /// The request was sent and no response came, so the call may have taken effect. The caller retries: every call of
    /// the v2 API can be repeated without harm, because an init without bytes publishes nothing. For OAuth calls, see
    /// [`OAuthError::disposition`](crate::OAuthError::disposition).
    #[error("TikTok did not respond: {0}")]
    Unanswered(String),
    /// The response is not TikTok's envelope. Its HTTP status decides what to do.
    #[error("TikTok's response (HTTP {http}) is invalid: {why}")]
    InvalidResponse {
        /// The response's HTTP status.
        http: u16,
        /// What is wrong with the response.
        why: InvalidResponse,
    },
    /// The access token contains characters that no HTTP header can carry. The account must be connected again.
    #[error("the access token contains characters that no HTTP header can carry")]
    TokenUnusable,
    /// An upload URL, from an init's response or from storage, has a host that is not allowed. Not retried.
    #[error("the upload URL has a host, port or scheme that is not among the allowed upload hosts")]
    UploadHostRefused,
}

/// What is wrong with a response. Its bytes are not kept, because they may contain secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// It is larger than any response of this API.
    #[error("it is larger than 1 MiB")]
    TooLarge,
    /// The connection ended before the whole body was received.
    #[error("it ends in the middle")]
    CutOff,
    /// It is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// It is JSON without any field of the envelope.
    #[error("it has neither data nor error")]
    NoEnvelope,
    /// Its error code is `ok`, but its HTTP status is not 2xx.
    #[error("its error code is ok under an HTTP status that is not a success")]
    Contradiction,
    /// It is a success without a field that the call needs.
    #[error("its field {0} is missing or malformed")]
    Missing(&'static str),
}

impl Error {
    /// Creates an error whose response asks for no wait.
    pub fn new(call: Endpoint, fault: ErrorKind) -> Self {
        Self { call, fault, retry_after: None }
    }

    /// Returns what the caller should do. A wait that TikTok asks for counts if it is the longer one.
    pub fn disposition(&self) -> Disposition {
        self.fault.disposition().at_least(self.retry_after)
    }

    /// Tells whether the call surely created nothing at TikTok: it was not sent, or its response is no success. It may
    /// have created something if no response came, or if a response is a success that cannot be read.
    pub fn created_nothing(&self) -> bool {
        match &self.fault {
            ErrorKind::Refused(_) | ErrorKind::Unreachable(_) | ErrorKind::TokenUnusable => true,
            ErrorKind::InvalidResponse { http, .. } => !(200..300).contains(http),
            // The init succeeded, and its upload URL is not used.
            ErrorKind::Unanswered(_) | ErrorKind::UploadHostRefused => false,
        }
    }

    /// Returns the error as a failure with code, message and advice.
    pub fn failure(&self) -> Failure {
        self.fault.failure()
    }

    /// Returns TikTok's own error, if TikTok responded with one.
    pub fn api_error(&self) -> Option<&ApiError> {
        match &self.fault {
            ErrorKind::Refused(error) => Some(error),
            ErrorKind::Unreachable(_)
            | ErrorKind::Unanswered(_)
            | ErrorKind::InvalidResponse { .. }
            | ErrorKind::TokenUnusable
            | ErrorKind::UploadHostRefused => None,
        }
    }
}

impl ErrorKind {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Refused(error) => error_codes::disposition(&error.code, error.http),
            Self::Unreachable(_) | Self::Unanswered(_) => Disposition::Retry { after: RETRY_DELAY },
            Self::InvalidResponse { http, .. } => error_codes::disposition_of_status(*http),
            Self::TokenUnusable => Disposition::NeedsReconnect,
            Self::UploadHostRefused => Disposition::GiveUp,
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        let reason = match self {
            Self::Refused(error) => return error.failure(),
            Self::Unreachable(_) => Reason::TikTokUnreachable,
            Self::Unanswered(_) => Reason::TikTokTimeout,
            Self::InvalidResponse { .. } => Reason::TikTokInvalidResponse,
            Self::TokenUnusable => Reason::AccessTokenUnusable,
            Self::UploadHostRefused => Reason::UploadHostNotAllowed,
        };
        Failure::of(reason, self.to_string())
    }

    /// Removes these secrets from TikTok's own texts.
    pub(crate) fn sanitized(self, secrets: &[&str]) -> Self {
        match self {
            Self::Refused(error) => Self::Refused(error.sanitized(secrets)),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fault: ErrorKind) -> Error {
        Error::new(Endpoint::DirectInit, fault)
    }

    #[test]
    fn missing_response_is_retried() {
        for fault in [ErrorKind::Unreachable("refused".into()), ErrorKind::Unanswered("reset".into())] {
            assert_eq!(error(fault).disposition(), Disposition::Retry { after: RETRY_DELAY });
        }
    }

    #[test]
    fn only_missing_or_unreadable_success_may_have_created_something() {
        let refused = |http| {
            ErrorKind::Refused(ApiError { http, code: "internal_error".into(), message: String::new(), log_id: None })
        };
        let invalid = |http| ErrorKind::InvalidResponse { http, why: InvalidResponse::CutOff };
        for fault in [
            refused(503),
            refused(403),
            refused(200),
            invalid(502),
            invalid(302),
            invalid(429),
            ErrorKind::Unreachable("refused".into()),
            ErrorKind::TokenUnusable,
        ] {
            assert!(error(fault.clone()).created_nothing(), "{fault}");
        }
        for fault in [ErrorKind::Unanswered("reset".into()), invalid(200), ErrorKind::UploadHostRefused] {
            assert!(!error(fault.clone()).created_nothing(), "{fault}");
        }
    }

    #[test]
    fn longer_retry_after_extends_the_wait() {
        let hour = Duration::from_hours(1);
        let asked = |retry_after| Error { retry_after: Some(retry_after), ..error(ErrorKind::Unreachable("x".into())) };
        assert_eq!(asked(hour).disposition(), Disposition::Retry { after: hour });
        assert_eq!(asked(Duration::ZERO).disposition(), Disposition::Retry { after: RETRY_DELAY });
        let fatal = Error { retry_after: Some(hour), ..error(ErrorKind::UploadHostRefused) };
        assert_eq!(fatal.disposition(), Disposition::GiveUp, "a wait makes no final error temporary");
    }

    #[test]
    fn invalid_response_is_handled_by_status() {
        let invalid_response =
            |http| error(ErrorKind::InvalidResponse { http, why: InvalidResponse::NotJson }).disposition();
        assert_eq!(invalid_response(401), Disposition::Refresh);
        assert_eq!(invalid_response(404), Disposition::GiveUp);
        assert!(matches!(invalid_response(429), Disposition::Defer { .. }));
        for http in [200, 302, 408, 500, 503] {
            assert!(matches!(invalid_response(http), Disposition::Retry { .. }), "{http}");
        }
    }

    #[test]
    fn every_error_kind_has_code_and_advice() {
        let api_error = ApiError { http: 400, code: "invalid_params".into(), message: "no".into(), log_id: None };
        for (fault, code) in [
            (ErrorKind::Refused(api_error), "invalid_params"),
            (ErrorKind::Unreachable("refused".into()), "tiktok_unreachable"),
            (ErrorKind::Unanswered("reset".into()), "tiktok_timeout"),
            (ErrorKind::InvalidResponse { http: 502, why: InvalidResponse::CutOff }, "tiktok_invalid_response"),
            (ErrorKind::TokenUnusable, "access_token_unusable"),
            (ErrorKind::UploadHostRefused, "upload_host_not_allowed"),
        ] {
            let failure = error(fault).failure();
            assert_eq!(failure.reason.code(), code);
            assert!(!failure.message.is_empty() && failure.advice.ends_with('.'), "{failure}");
        }
    }

    #[test]
    fn error_that_only_a_person_can_fix_is_not_retried() {
        assert_eq!(error(ErrorKind::TokenUnusable).disposition(), Disposition::NeedsReconnect);
        assert_eq!(error(ErrorKind::UploadHostRefused).disposition(), Disposition::GiveUp);
    }
}
