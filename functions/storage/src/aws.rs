//! The error of every call to AWS.
//!
//! An [`AwsError`] names the operation, the resource and the permission that the operation needs. Of the
//! response it keeps the error code, the message and the request id. It does not keep the SDK's own error,
//! because that contains the raw response, and some responses contain secrets.
//!
//! [`Kind::of`] is the only code that interprets error codes, and [`AwsError::disposition`] is the only code that
//! decides what a failed call permits. The errors of the other modules contain an [`AwsError`].

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use domain::failure::{Disposition, error_chain};

/// The minimum wait before the caller repeats a failed call. The SDK has then made its own retries (`MAX_ATTEMPTS` in
/// `runtime/src/aws.rs`) already.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Why a call failed, for every service alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// AWS throttled the call, had an internal error, sent no response, or sent one that cannot be used. The call
    /// may have taken effect.
    Unavailable,
    /// The function's role lacks a permission, or a policy forbids the call.
    Denied,
    /// The resource does not exist.
    NotFound,
    /// The resource exists but cannot be used: it is disabled, scheduled for deletion, or made for another use.
    Disabled,
    /// The condition of the call does not hold.
    ConditionFailed,
    /// AWS rejected the call for another reason. The same call cannot succeed.
    Rejected,
}

/// A call to AWS that failed.
#[derive(Debug, Clone)]
pub struct AwsError(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    operation: &'static str,
    resource: String,
    permission: String,
    kind: Kind,
    status: Option<u16>,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl AwsError {
    /// Takes the parts of an SDK error that contain no secret.
    ///
    /// `operation` is the service and operation, for example `DynamoDB GetItem`. `permission` completes the
    /// sentence "grant the function's role …".
    pub(crate) fn of<E>(
        operation: &'static str,
        resource: &str,
        permission: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
        let kind = match error {
            // The SDK could not build the request, so the same call cannot succeed.
            SdkError::ConstructionFailure(_) => Kind::Rejected,
            _ => Kind::of(status, code.as_deref()),
        };
        Self(Box::new(Details {
            operation,
            resource: resource.to_owned(),
            permission: permission.to_owned(),
            kind,
            status,
            code,
            message: message_of(error),
            request_id: error.raw_response().and_then(|response| response.headers().request_id()).map(str::to_owned),
        }))
    }

    /// Makes an error of kind [`Kind::Unavailable`], for example if a body ended early.
    pub(crate) fn unavailable(operation: &'static str, resource: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, operation, resource, message)
    }

    /// Makes an error that does not come from the SDK.
    pub(crate) fn new(kind: Kind, operation: &'static str, resource: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            operation,
            resource: resource.to_owned(),
            permission: String::new(),
            kind,
            status: None,
            code: None,
            message: message.into(),
            request_id: None,
        }))
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The service's error code, if the response has one.
    pub(crate) fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// AWS's message, or what happened instead of a response.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// What AWS answered, without our interpretation: operation, code, message, status and request id.
    pub(crate) fn answer(&self) -> String {
        let Details { operation, status, code, message, request_id, .. } = &*self.0;
        let code = code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
        let status = status.map(|status| format!("; status {status}")).unwrap_or_default();
        let request_id = request_id.as_ref().map(|id| format!("; request id {id}")).unwrap_or_default();
        format!("{operation}: {code}{message}{status}{request_id}")
    }

    /// What the call was for.
    pub(crate) fn resource(&self) -> &str {
        &self.0.resource
    }

    /// Whether AWS's message names an S3 permission that is missing.
    pub(crate) fn names_s3_permission(&self) -> bool {
        self.message().contains("s3:")
    }

    /// The HTTP status, if there was a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the caller may do after the failure.
    pub fn disposition(&self) -> Disposition {
        match self.kind() {
            Kind::Unavailable => Disposition::Retry { after: RETRY_DELAY },
            Kind::Denied | Kind::NotFound | Kind::Disabled => Disposition::NeedsUser,
            Kind::ConditionFailed | Kind::Rejected => Disposition::GiveUp,
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { resource, permission, kind, .. } = &*self.0;
        match kind {
            Kind::Unavailable => write!(f, "{resource} is unavailable")?,
            Kind::Denied => write!(f, "access to {resource} is denied: grant the function's role {permission}")?,
            Kind::NotFound => write!(f, "{resource} does not exist: deploy the stack, or correct the configured name")?,
            Kind::Disabled => write!(f, "{resource} cannot be used: enable it, or cancel its deletion")?,
            Kind::ConditionFailed => write!(f, "the condition of a call to {resource} does not hold")?,
            Kind::Rejected => write!(f, "AWS rejected a call to {resource}")?,
        }
        write!(f, " ({})", self.answer())
    }
}

impl Error for AwsError {}

impl Kind {
    /// Interprets a response. A known error code takes precedence over the status, because DynamoDB and KMS send
    /// status 400 for most errors. Without a known code, the status decides: a response to `HEAD` has no code.
    fn of(status: Option<u16>, code: Option<&str>) -> Self {
        let Some(status) = status else { return Self::Unavailable };
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
            ) => Self::Unavailable,
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
            ) => Self::Denied,
            Some(
                "ResourceNotFoundException"
                | "NotFoundException"
                | "NoSuchKey"
                | "NoSuchVersion"
                | "NoSuchBucket"
                | "NotFound"
                | "QueueDoesNotExist"
                | "NonExistentQueue",
            ) => Self::NotFound,
            Some("DisabledException" | "KMSInvalidStateException" | "InvalidKeyUsageException") => Self::Disabled,
            Some("ConditionalCheckFailedException" | "PreconditionFailed") => Self::ConditionFailed,
            // S3 sends this with status 403 for an archived object.
            Some("InvalidObjectState") => Self::Rejected,
            _ => match status {
                403 => Self::Denied,
                404 => Self::NotFound,
                412 => Self::ConditionFailed,
                // Below 300: a successful response that the SDK could not parse.
                ..300 | 408 | 429 | 500.. => Self::Unavailable,
                _ => Self::Rejected,
            },
        }
    }
}

fn message_of<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => service.err().message().unwrap_or("no message").to_owned(),
        // The SDK's text may quote the response, which may contain a secret.
        SdkError::ResponseError(_) => "the response could not be parsed".to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => error_chain(error),
        _ => "the call failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_code_decides_before_status() {
        let table = [
            (400, Some("ThrottlingException"), Kind::Unavailable),
            (400, Some("com.amazonaws.dynamodb.v20120810#AccessDeniedException"), Kind::Denied),
            (400, Some("ResourceNotFoundException"), Kind::NotFound),
            (400, Some("ConditionalCheckFailedException"), Kind::ConditionFailed),
            (400, Some("AWS.SimpleQueueService.NonExistentQueue"), Kind::NotFound),
            (400, Some("DisabledException"), Kind::Disabled),
            (400, Some("ValidationException"), Kind::Rejected),
            (403, Some("InvalidObjectState"), Kind::Rejected),
            (503, Some("SlowDown"), Kind::Unavailable),
        ];
        for (status, code, kind) in table {
            assert_eq!(Kind::of(Some(status), code), kind, "{code:?}");
        }
    }

    #[test]
    fn status_decides_without_error_code() {
        let table = [
            (403, Kind::Denied),
            (404, Kind::NotFound),
            (412, Kind::ConditionFailed),
            (400, Kind::Rejected),
            (429, Kind::Unavailable),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
        ];
        for (status, kind) in table {
            assert_eq!(Kind::of(Some(status), None), kind, "{status}");
        }
        assert_eq!(Kind::of(None, None), Kind::Unavailable, "no response");
    }

    #[test]
    fn display_names_resource_and_operation() {
        let error = AwsError::unavailable("S3 GetObject", "s3://b/k", "the body ended early");
        assert_eq!(error.to_string(), "s3://b/k is unavailable (S3 GetObject: the body ended early)");
        assert_eq!(error.disposition(), Disposition::Retry { after: RETRY_DELAY });
    }
}
