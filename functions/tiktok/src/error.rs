//! How a call to TikTok ends badly, and what that asks for.
//!
//! It knows nothing of how often a call was tried: [`Error::disposition`] is
//! the same each time, and whoever repeats keeps the count.

use std::time::Duration;

use domain::failure::{Disposition, Failure};

use crate::api_error::ApiError;
use crate::endpoint::Endpoint;
use crate::reaction;

/// The wait after an answer that did not come, or was none.
pub(crate) const SHORTLY: Duration = Duration::from_secs(2);

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TikTok call {call} failed")]
pub struct Error {
    /// Which call.
    pub call: Endpoint,
    /// How it failed.
    #[source]
    pub fault: ErrorKind,
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// TikTok answered, and refused; what follows stands in [`reaction`].
    #[error("refused: {0}")]
    Refused(ApiError),
    /// No connection: nothing was sent. Retried.
    #[error("TikTok cannot be reached: {0}")]
    Unreachable(String),
    /// It was sent, and no answer came: it may have taken effect. Retried,
    /// because every call of this API is harmless to repeat: an init without
    /// bytes publishes nothing.
    #[error("TikTok did not answer: {0}")]
    Unanswered(String),
    /// What came was not TikTok's envelope. Treated by its status.
    #[error("the answer (HTTP {http}) cannot be read: {why}")]
    InvalidResponse {
        /// The answer's HTTP status.
        http: u16,
        /// What is wrong with it.
        why: InvalidResponse,
    },
    /// A token holds what no HTTP header can carry. Never retried.
    #[error("the access token is no text that could be a token")]
    TokenUnusable,
    /// The init's answer named a host that no video may be sent to. Never retried.
    #[error("the upload URL names a host, port or scheme that is not among the upload hosts")]
    UploadHostRefused,
}

/// What is wrong with an answer. Its bytes are not kept: they may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// More than an answer of this API can have.
    #[error("it is larger than 1 MiB")]
    TooLarge,
    /// The connection ended within it.
    #[error("it ends in the middle")]
    CutOff,
    /// It is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// It is JSON without anything of the envelope.
    #[error("it has neither data nor error")]
    NoEnvelope,
    /// It says that all is well, under a status that says otherwise.
    #[error("it says ok under a status of failure")]
    Contradiction,
    /// It succeeds without saying what was asked for.
    #[error("its field {0} is missing or malformed")]
    Missing(&'static str),
}

impl Error {
    /// Tells what to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        self.fault.disposition()
    }

    /// States what is wrong, for people and programs, and what to do about it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        self.fault.failure()
    }

    /// TikTok's refusal, where there was one.
    #[must_use]
    pub fn refusal(&self) -> Option<&ApiError> {
        match &self.fault {
            ErrorKind::Refused(refusal) => Some(refusal),
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
            Self::Refused(refusal) => reaction::of(&refusal.code, refusal.http),
            Self::Unreachable(_) | Self::Unanswered(_) => Disposition::Retry { after: SHORTLY },
            Self::InvalidResponse { http, .. } => reaction::of_status(*http),
            Self::TokenUnusable => Disposition::NeedsReconnect,
            Self::UploadHostRefused => Disposition::GiveUp,
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure(),
            Self::Unreachable(_) => {
                Failure::new("tiktok_unreachable", self.to_string(), "Dropcast tries again by itself.")
            }
            Self::Unanswered(_) => Failure::new("tiktok_timeout", self.to_string(), "Dropcast tries again by itself."),
            Self::InvalidResponse { http, .. } => {
                Failure::new("tiktok_invalid_response", self.to_string(), reaction::advice_of_status(*http))
            }
            Self::TokenUnusable => {
                Failure::new("access_token_unusable", self.to_string(), "Connect the account again.")
            }
            Self::UploadHostRefused => Failure::new(
                "upload_host_not_allowed",
                self.to_string(),
                "If this host is meant, name it in the stack's TikTokUploadHosts; then drop the video again.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fault: ErrorKind) -> Error {
        Error { call: Endpoint::DirectInit, fault }
    }

    #[test]
    fn what_got_no_answer_is_tried_again() {
        for fault in [ErrorKind::Unreachable("refused".into()), ErrorKind::Unanswered("reset".into())] {
            assert_eq!(error(fault).disposition(), Disposition::Retry { after: SHORTLY });
        }
    }

    #[test]
    fn a_garbled_answer_is_treated_by_its_status() {
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
    fn every_fault_is_stated_with_a_code_and_advice() {
        let refusal = ApiError { http: 400, code: "invalid_params".into(), message: "no".into(), log_id: None };
        for (fault, code) in [
            (ErrorKind::Refused(refusal), "invalid_params"),
            (ErrorKind::Unreachable("refused".into()), "tiktok_unreachable"),
            (ErrorKind::Unanswered("reset".into()), "tiktok_timeout"),
            (ErrorKind::InvalidResponse { http: 502, why: InvalidResponse::CutOff }, "tiktok_invalid_response"),
            (ErrorKind::TokenUnusable, "access_token_unusable"),
            (ErrorKind::UploadHostRefused, "upload_host_not_allowed"),
        ] {
            let failure = error(fault).failure();
            assert_eq!(failure.code, code);
            assert!(!failure.message.is_empty() && failure.advice.ends_with('.'), "{failure}");
        }
    }

    #[test]
    fn what_only_a_person_can_change_is_not_tried_again() {
        assert_eq!(error(ErrorKind::TokenUnusable).disposition(), Disposition::NeedsReconnect);
        assert_eq!(error(ErrorKind::UploadHostRefused).disposition(), Disposition::GiveUp);
    }
}
