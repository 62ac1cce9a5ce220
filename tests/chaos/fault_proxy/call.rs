//! A call of a function: which service and operation an HTTP request calls.

use axum::http::{Method, Request};
use bytes::Bytes;
use harness::aws::target_of;
use serde_json::Value;
use simulator::Endpoint;

use super::Moment;

/// The endpoints of TikTok that the functions call. A request to any other path is a call to AWS.
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

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// The service, the operation and, for DynamoDB, the index or table, such as `DynamoDB PutItem posts`.
    pub(crate) name: String,
    pub(crate) service: Service,
}

/// The called service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    DynamoDb,
    S3,
    Sqs,
    Kms,
    Secrets,
    EventBridge,
    TikTok,
    /// TikTok's upload server: a call is one chunk.
    Upload,
}

impl Call {
    /// Identifies a request.
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        if let Some(target) = target_of(request) {
            return Self::of_target(target, request.body());
        }
        if let Some(endpoint) = endpoint_of(request) {
            let service = if endpoint == Endpoint::Upload { Service::Upload } else { Service::TikTok };
            return Self { name: format!("TikTok {endpoint:?}"), service };
        }
        let query = request.uri().query().unwrap_or_default();
        let is_tagging = query.split('&').any(|part| part.starts_with("tagging"));
        let is_multipart = query.contains("uploadId=");
        let is_of_versions = query.split('&').any(|part| part.split('=').next() == Some("versions"));
        let has_key = request.uri().path().trim_matches('/').contains('/');
        let operation = match (request.method(), is_tagging, has_key) {
            (&Method::GET, ..) if is_multipart => "ListParts",
            (&Method::POST, ..) if is_multipart => "CompleteMultipartUpload",
            (&Method::DELETE, ..) if is_multipart => "AbortMultipartUpload",
            (&Method::POST, ..) => "CreateMultipartUpload",
            (&Method::HEAD, ..) => "HeadObject",
            (&Method::GET, true, _) => "GetObjectTagging",
            (&Method::PUT, true, _) => "PutObjectTagging",
            (&Method::GET, false, true) => "GetObject",
            (&Method::GET, false, false) if is_of_versions => "ListObjectVersions",
            (&Method::GET, false, false) => "ListObjectsV2",
            _ => "unknown",
        };
        Self { name: format!("S3 {operation}"), service: Service::S3 }
    }

    /// Identifies a request in AWS's JSON protocol by its `X-Amz-Target` header.
    fn of_target(target: &str, body: &[u8]) -> Self {
        let (prefix, operation) = target.split_once('.').unwrap_or(("", target));
        let (name, service) = match prefix {
            "DynamoDB_20120810" => ("DynamoDB", Service::DynamoDb),
            "AmazonSQS" => ("SQS", Service::Sqs),
            "TrentService" => ("KMS", Service::Kms),
            "AWSEvents" => ("EventBridge", Service::EventBridge),
            _ => ("Secrets Manager", Service::Secrets),
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let table = body["IndexName"].as_str().or(body["TableName"].as_str()).unwrap_or_default();
        Self { name: format!("{name} {operation} {table}").trim_end().to_owned(), service }
    }

    /// Whether the call can change a state. If it cannot, a fault after the call is the same as a fault before it, and
    /// the campaigns omit it. A new kind of write must be added here, or no fault is injected after it.
    pub(crate) fn has_effect(&self) -> bool {
        match self.service {
            Service::DynamoDb => self.name.contains("PutItem") || self.name.contains("DeleteItem"),
            Service::S3 => self.name.contains("Put") || self.name.contains("Multipart"),
            Service::Sqs | Service::EventBridge | Service::Upload => true,
            Service::Kms | Service::Secrets => false,
            Service::TikTok => !self.name.ends_with("StatusFetch") && !self.name.ends_with("VideoQuery"),
        }
    }

    /// The moments of the call at which a fault makes a difference.
    pub(crate) fn moments(&self) -> impl Iterator<Item = Moment> + use<> {
        let after = self.has_effect().then_some(Moment::After);
        std::iter::once(Moment::Before).chain(after)
    }
}

/// The endpoint of TikTok that a request calls; none for AWS.
pub(crate) fn endpoint_of<T>(request: &Request<T>) -> Option<Endpoint> {
    ENDPOINTS.into_iter().find(|endpoint| endpoint.path() == request.uri().path())
}
