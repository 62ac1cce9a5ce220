//! An HTTP client of the API: signed requests, as a user of the AWS account sends them, and unsigned ones.

use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use harness::Cloud;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

/// A client that follows no redirect.
pub(crate) fn client() -> Result<Client> {
    Ok(Client::builder().redirect(Policy::none()).build()?)
}

/// A JSON response of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    request: String,
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Reads a response; `request` describes its request.
    pub(crate) async fn read(response: Response, request: String) -> Result<Self> {
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).with_context(|| format!("{request}: {status} {text}"))?;
        Ok(Self { request, status, body })
    }

    /// Checks the status, and returns the body.
    pub(crate) fn with_status(self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "{} should be answered with {status}: {self:?}", self.request);
        Ok(self.body)
    }

    /// Checks the status and the code of a problem document, and returns the document.
    pub(crate) fn problem(self, status: u16, code: &str) -> Result<Value> {
        ensure!(self.body["code"] == json!(code), "{} should be rejected with {code}: {self:?}", self.request);
        ensure!(self.body["title"].is_string() && self.body["type"].is_string(), "{self:?}");
        self.with_status(status)
    }
}

/// Sends a signed GET request.
pub(crate) async fn get(cloud: &Cloud, path: &str) -> Result<Answer> {
    send(cloud, Method::GET, path, &[], Vec::new()).await
}

/// Sends a signed POST request with a JSON body; null stands for no body.
pub(crate) async fn post(cloud: &Cloud, path: &str, body: &Value) -> Result<Answer> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(cloud, Method::POST, path, &[], body.into_bytes()).await
}

/// Sends a signed PATCH request with a JSON body.
pub(crate) async fn patch(cloud: &Cloud, path: &str, body: &Value) -> Result<Answer> {
    send(cloud, Method::PATCH, path, &[], body.to_string().into_bytes()).await
}

/// Sends a signed DELETE request.
pub(crate) async fn delete(cloud: &Cloud, path: &str) -> Result<Answer> {
    send(cloud, Method::DELETE, path, &[], Vec::new()).await
}

/// Sends a signed POST request with a JSON body and an `Idempotency-Key`.
pub(crate) async fn post_with_key(cloud: &Cloud, path: &str, key: &str, body: &Value) -> Result<Answer> {
    send(cloud, Method::POST, path, &[("idempotency-key", key)], body.to_string().into_bytes()).await
}

/// Sends a signed request whose body need not be JSON.
pub(crate) async fn send(
    cloud: &Cloud,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer> {
    let response = signed(cloud, &method, path, headers, body).await?;
    Answer::read(response, format!("{method} {path}")).await
}

/// Sends a signed request. The response need not be JSON.
pub(crate) async fn signed(
    cloud: &Cloud,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Response> {
    let url = format!("{}{path}", cloud.outputs().api_url);
    let mut request = client()?.request(method.clone(), &url).header("accept", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    for (name, value) in signature(cloud, "execute-api", method, &url, &body)? {
        request = request.header(name, value);
    }
    Ok(request.body(body).send().await?)
}

/// The headers that sign a request: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
pub(crate) fn signature(
    cloud: &Cloud,
    service: &str,
    method: &Method,
    url: &str,
    body: &[u8],
) -> Result<Vec<(String, String)>> {
    let identity = cloud.contract.credentials().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&cloud.contract.region)
        .name(service)
        .time(SystemTime::from(runtime::clock::now()))
        .settings(SigningSettings::default())
        .build()?;
    let request = SignableRequest::new(method.as_str(), url, std::iter::empty(), SignableBody::Bytes(body))?;
    let (instructions, _) = sign(request, &parameters.into())?.into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers.into_iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect())
}
