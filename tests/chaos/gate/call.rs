//! A call that a function makes, by its name.

use aws::target_of;
use axum::http::{Method, Request};
use bytes::Bytes;
use serde_json::Value;
use simulator::Endpoint;

/// The endpoints of TikTok that are used.
const ENDPOINTS: [Endpoint; 10] = [
    Endpoint::Token,
    Endpoint::Revoke,
    Endpoint::UserInfo,
    Endpoint::CreatorInfo,
    Endpoint::DirectInit,
    Endpoint::InboxInit,
    Endpoint::Upload,
    Endpoint::StatusFetch,
    Endpoint::Cancel,
    Endpoint::VideoQuery,
];

/// Who is called, and for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// The service, the operation, and the table where there is one.
    pub(crate) name: String,
    pub(crate) to: Service,
}

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    DynamoDb,
    S3,
    Sqs,
    Kms,
    Secrets,
    TikTok,
    Upload,
}

impl Call {
    /// Tells what a request is.
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        if let Some(target) = target_of(request) {
            return Self::of_target(target, request.body());
        }
        if let Some(endpoint) = endpoint_of(request) {
            let to = if endpoint == Endpoint::Upload { Service::Upload } else { Service::TikTok };
            return Self { name: format!("TikTok {endpoint:?}"), to };
        }
        let tagging =
            request.uri().query().is_some_and(|query| query.split('&').any(|part| part.starts_with("tagging")));
        let in_parts = request.uri().query().is_some_and(|query| query.contains("uploadId="));
        let key = request.uri().path().trim_matches('/').contains('/');
        let operation = match (request.method(), tagging, key) {
            (&Method::GET, ..) if in_parts => "ListParts",
            (&Method::POST, ..) if in_parts => "CompleteMultipartUpload",
            (&Method::DELETE, ..) if in_parts => "AbortMultipartUpload",
            (&Method::POST, ..) => "CreateMultipartUpload",
            (&Method::HEAD, ..) => "HeadObject",
            (&Method::GET, true, _) => "GetObjectTagging",
            (&Method::PUT, true, _) => "PutObjectTagging",
            (&Method::GET, false, true) => "GetObject",
            (&Method::GET, false, false) => "ListObjectsV2",
            _ => "unknown",
        };
        Self { name: format!("S3 {operation}"), to: Service::S3 }
    }

    fn of_target(target: &str, body: &[u8]) -> Self {
        let (service, operation) = target.split_once('.').unwrap_or(("", target));
        let (service, to) = match service {
            "DynamoDB_20120810" => ("DynamoDB", Service::DynamoDb),
            "AmazonSQS" => ("SQS", Service::Sqs),
            "TrentService" => ("KMS", Service::Kms),
            _ => ("Secrets Manager", Service::Secrets),
        };
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let of = asked["IndexName"].as_str().or(asked["TableName"].as_str()).unwrap_or_default();
        Self { name: format!("{service} {operation} {of}").trim_end().to_owned(), to }
    }

    /// Whether somebody is different afterwards: else it makes no difference
    /// whether the answer was lost or never made.
    pub(crate) fn acts(&self) -> bool {
        match self.to {
            Service::DynamoDb => self.name.contains("PutItem") || self.name.contains("DeleteItem"),
            Service::S3 => self.name.contains("Put") || self.name.contains("Multipart"),
            Service::Sqs | Service::Upload => true,
            Service::Kms | Service::Secrets => false,
            Service::TikTok => !self.name.ends_with("StatusFetch") && !self.name.ends_with("VideoQuery"),
        }
    }
}

/// The endpoint of TikTok that a request is for.
pub(crate) fn endpoint_of<T>(request: &Request<T>) -> Option<Endpoint> {
    ENDPOINTS.into_iter().find(|endpoint| endpoint.path() == request.uri().path())
}
