//! A fake server of the AWS services other than S3 that a post calls: DynamoDB, KMS,
//! Secrets Manager and SQS. It counts its calls by service and operation.
//!
//! `harness::aws` answers the calls from memory, so that the processor time is
//! left to the program under measurement.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use harness::aws::{self, Aws};
use jiff::Timestamp;

use crate::call_counts::CallCounts;

/// The path that serves the call counters.
pub(crate) const CALLS_PATH: &str = "/_bench/calls";
/// The maximum length of a request body in bytes.
const MAX_BODY_BYTES: usize = 1_000_000;

#[derive(Clone, Default)]
struct AwsServer {
    aws: Arc<Aws>,
    counts: Arc<Mutex<CallCounts>>,
}

/// The routes of the server.
pub(crate) fn routes() -> Router {
    Router::new().route(CALLS_PATH, get(calls)).fallback(serve).with_state(AwsServer::default())
}

async fn calls(State(server): State<AwsServer>) -> Json<CallCounts> {
    Json(server.counts.lock().map(|counts| counts.clone()).unwrap_or_default())
}

async fn serve(State(server): State<AwsServer>, request: Request) -> Response {
    server.answer(request).await.unwrap_or_else(|error| (StatusCode::BAD_REQUEST, error.to_string()).into_response())
}

impl AwsServer {
    async fn answer(&self, request: Request) -> Result<Response> {
        let name = aws::target_of(&request).map_or_else(|| format!("S3 {}", request.method()), operation_name);
        if let Ok(mut counts) = self.counts.lock() {
            *counts.entry(name).or_default() += 1;
        }
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await?;
        Ok(self.aws.answer(&Request::from_parts(parts, body), now()))
    }
}

#[expect(clippy::disallowed_methods, reason = "this server runs on the wall clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Converts an `X-Amz-Target` header to a readable name: `DynamoDB_20120810.GetItem`
/// becomes `DynamoDB GetItem`.
fn operation_name(target: &str) -> String {
    let (service, operation) = target.split_once('.').unwrap_or(("", target));
    let service = match service {
        "TrentService" => "KMS",
        "secretsmanager" => "SecretsManager",
        "AmazonSQS" => "SQS",
        other => other.split('_').next().unwrap_or(other),
    };
    format!("{service} {operation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_header_becomes_service_and_operation() {
        assert_eq!(operation_name("DynamoDB_20120810.UpdateItem"), "DynamoDB UpdateItem");
        assert_eq!(operation_name("TrentService.Decrypt"), "KMS Decrypt");
    }
}
