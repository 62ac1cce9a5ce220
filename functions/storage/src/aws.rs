//! What AWS says of a call that failed, without what was asked and answered.
//!
//! The SDK's own errors hold the raw answer, and some answers hold secrets. So
//! they end here: an [`AwsError`] keeps the service's code, its message and the
//! request's id, and in one place ([`kind_of`]) says what such an error means.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

/// The least wait before a call that AWS could not serve is repeated, on top of
/// the SDK's own retries.
pub(crate) const AFTER_OUTAGE: Duration = Duration::from_secs(2);

/// What a failed call means, whichever service it was made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Throttled, an error of AWS's own, no answer, or a broken one.
    Unavailable,
    /// The role lacks a permission, or a policy forbids the call.
    Denied,
    /// What the call is about does not exist.
    Missing,
    /// The call's condition does not hold.
    Condition,
    /// Anything else: the call will not succeed as it is.
    Refused,
}

/// A call to AWS that failed: what AWS said of it.
#[derive(Debug, Clone)]
pub struct AwsError(Box<Said>);

#[derive(Debug, Clone)]
struct Said {
    call: &'static str,
    kind: Kind,
    status: Option<u16>,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl AwsError {
    /// Keeps of an SDK's error what may be shown.
    pub(crate) fn of<E>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
        let kind = match error {
            // It was never sent, and never could be.
            SdkError::ConstructionFailure(_) => Kind::Refused,
            _ => kind_of(status, code.as_deref()),
        };
        let message = message_of(error);
        let request_id = error.raw_response().and_then(|answer| answer.headers().request_id()).map(str::to_owned);
        Self(Box::new(Said { call, kind, status, code, message, request_id }))
    }

    /// States that an answer was cut off, or is none that the service could give.
    pub(crate) fn broken(call: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let kind = Kind::Unavailable;
        Self(Box::new(Said { call, kind, status: None, code: None, message, request_id: None }))
    }

    /// What it means.
    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The service's own word for it, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The HTTP status, where there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = &self.0;
        write!(f, "{}: ", said.call)?;
        if let Some(code) = &said.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&said.message)?;
        match (said.status, &said.request_id) {
            (Some(status), Some(id)) => write!(f, " (status {status}, request id {id})"),
            (Some(status), None) => write!(f, " (status {status})"),
            (None, _) => Ok(()),
        }
    }
}

impl Error for AwsError {}

/// Reads an error's meaning. The code decides, since DynamoDB and KMS answer
/// with status 400 whatever happened; the status does where there is no code,
/// as in an answer to a `HEAD`.
fn kind_of(status: Option<u16>, code: Option<&str>) -> Kind {
    let Some(status) = status else { return Kind::Unavailable };
    match code.map(|code| code.rsplit(['#', '.']).next().unwrap_or(code)) {
        Some(
            "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "TooManyRequestsException"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "DependencyTimeoutException"
            | "KeyUnavailableException"
            | "KMSInternalException"
            | "InternalServiceError"
            | "InternalServerError"
            | "TransactionConflictException"
            | "ReplicatedWriteConflictException",
        ) => Kind::Unavailable,
        Some(
            "AccessDenied"
            | "AccessDeniedException"
            | "UnauthorizedOperation"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "KmsAccessDenied",
        ) => Kind::Denied,
        Some(
            "ResourceNotFoundException"
            | "NotFoundException"
            | "NoSuchKey"
            | "NoSuchVersion"
            | "NoSuchBucket"
            | "NotFound"
            | "QueueDoesNotExist"
            | "NonExistentQueue",
        ) => Kind::Missing,
        Some("ConditionalCheckFailedException" | "PreconditionFailed") => Kind::Condition,
        Some("InvalidObjectState") => Kind::Refused,
        _ => match status {
            403 => Kind::Denied,
            404 => Kind::Missing,
            412 => Kind::Condition,
            // Below 300: an answer of success that could not be read.
            ..300 | 408 | 429 | 500.. => Kind::Unavailable,
            _ => Kind::Refused,
        },
    }
}

fn message_of<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(said) => match (said.err().message(), said.err().code()) {
            (Some(message), _) => message.to_owned(),
            (None, Some(_)) => "the service said no more".to_owned(),
            (None, None) => "the service gave no reason".to_owned(),
        },
        // What could not be read may hold what must not be shown.
        SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
        SdkError::TimeoutError(_) => "there was no answer in time".to_owned(),
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => chain(error),
        _ => "the call failed".to_owned(),
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_before_the_status_does() {
        let table = [
            (400, Some("ThrottlingException"), Kind::Unavailable),
            (400, Some("com.amazonaws.dynamodb.v20120810#AccessDeniedException"), Kind::Denied),
            (400, Some("ResourceNotFoundException"), Kind::Missing),
            (400, Some("ConditionalCheckFailedException"), Kind::Condition),
            (400, Some("AWS.SimpleQueueService.NonExistentQueue"), Kind::Missing),
            (400, Some("ValidationException"), Kind::Refused),
            (403, Some("InvalidObjectState"), Kind::Refused),
            (503, Some("SlowDown"), Kind::Unavailable),
        ];
        for (status, code, kind) in table {
            assert_eq!(kind_of(Some(status), code), kind, "{code:?}");
        }
    }

    #[test]
    fn without_a_code_the_status_decides() {
        let table = [
            (403, Kind::Denied),
            (404, Kind::Missing),
            (412, Kind::Condition),
            (400, Kind::Refused),
            (429, Kind::Unavailable),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
        ];
        for (status, kind) in table {
            assert_eq!(kind_of(Some(status), None), kind, "{status}");
        }
        assert_eq!(kind_of(None, None), Kind::Unavailable, "no answer at all");
    }
}
