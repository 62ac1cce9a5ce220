//! What a post asks of AWS besides its bytes: DynamoDB, KMS, Secrets Manager and SQS,
//! answered from memory, so that the processors are left to what is measured. It
//! counts its calls by their names.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use aws::Aws;
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;

use crate::store::Calls;

/// Where the counted calls are told.
pub(crate) const CALLS: &str = "/_amazon/calls";
/// The most that a call to AWS has, in bytes.
const LARGEST: usize = 1_000_000;

#[derive(Clone, Default)]
struct Amazon {
    aws: Arc<Aws>,
    calls: Arc<Mutex<Calls>>,
}

/// The routes.
pub(crate) fn routes() -> Router {
    Router::new().route(CALLS, get(calls)).fallback(serve).with_state(Amazon::default())
}

async fn calls(State(amazon): State<Amazon>) -> Json<Calls> {
    Json(amazon.calls.lock().map(|calls| calls.clone()).unwrap_or_default())
}

async fn serve(State(amazon): State<Amazon>, request: Request) -> Response {
    amazon.answer(request).await.unwrap_or_else(|error| (StatusCode::BAD_REQUEST, error.to_string()).into_response())
}

impl Amazon {
    async fn answer(&self, request: Request) -> Result<Response> {
        let name = aws::target_of(&request).map_or_else(|| format!("S3 {}", request.method()), name_of);
        if let Ok(mut calls) = self.calls.lock() {
            *calls.entry(name).or_default() += 1;
        }
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, LARGEST).await?;
        Ok(self.aws.answer(&Request::from_parts(parts, body), now()))
    }
}

#[expect(clippy::disallowed_methods, reason = "a server of this machine, by its clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// `DynamoDB GetItem` of `DynamoDB_20120810.GetItem`, and so on.
fn name_of(target: &str) -> String {
    let (service, call) = target.split_once('.').unwrap_or(("", target));
    let service = match service {
        "TrentService" => "KMS",
        "secretsmanager" => "SecretsManager",
        "AmazonSQS" => "SQS",
        other => other.split('_').next().unwrap_or(other),
    };
    format!("{service} {call}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_as_people_know_them() {
        assert_eq!(name_of("DynamoDB_20120810.UpdateItem"), "DynamoDB UpdateItem");
        assert_eq!(name_of("TrentService.Decrypt"), "KMS Decrypt");
    }
}
