//! A door in front of AWS that counts who goes through, by the calls' names.
//!
//! It passes requests on as they are, signatures included: what is signed is
//! the name that the caller knew, and the door keeps it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::serve::serve;
use crate::store::Calls;

/// Where the counted calls are told.
pub(crate) const CALLS: &str = "/_tally/calls";
/// The most that a call to AWS has, in bytes.
const LARGEST: usize = 1_000_000;

#[derive(Clone)]
struct Door {
    to: String,
    http: reqwest::Client,
    calls: Arc<Mutex<Calls>>,
}

/// Opens a door to an endpoint, whose certificate the PEM file vouches for.
pub(crate) async fn open(endpoint: &str, trust: &std::path::Path) -> Result<SocketAddr> {
    let pem = std::fs::read(trust).with_context(|| format!("{} cannot be read", trust.display()))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem)?;
    let http = reqwest::Client::builder().tls_certs_merge(roots).no_proxy().build()?;
    let door = Door { to: endpoint.to_owned(), http, calls: Arc::default() };
    serve(Router::new().route(CALLS, get(calls)).fallback(pass).with_state(door)).await
}

async fn calls(State(door): State<Door>) -> Json<Calls> {
    Json(door.calls.lock().map(|calls| calls.clone()).unwrap_or_default())
}

async fn pass(State(door): State<Door>, request: Request) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let name = target.map_or_else(|| format!("{} {}", request.method(), request.uri().path()), name_of);
    if let Ok(mut calls) = door.calls.lock() {
        *calls.entry(name).or_default() += 1;
    }
    door.forward(request).await.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}

impl Door {
    async fn forward(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.to, parts.uri);
        let body = axum::body::to_bytes(body, LARGEST).await?;
        let answer = self.http.request(parts.method, url).headers(parts.headers).body(body).send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(Body::from(answer.bytes().await?));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
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
