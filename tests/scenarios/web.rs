//! The HTTP API from outside: signed, as its operator calls it; unsigned, as a
//! browser does that TikTok sent; and TikTok's page, answered without a browser.

use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::Value;
use simulator::OpenId;
use tests::Cloud;

/// A client that follows no redirect, so that each step is seen.
pub(crate) fn client() -> Result<Client> {
    Ok(Client::builder().redirect(Policy::none()).build()?)
}

/// Calls the API as a user of the AWS account.
pub(crate) async fn signed(cloud: &Cloud, method: Method, path: &str, accept: &str) -> Result<Response> {
    signed_with(cloud, method, path, &[("accept", accept)], Vec::new()).await
}

/// The same, with something to say.
pub(crate) async fn signed_with(
    cloud: &Cloud,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Response> {
    let url = format!("{}{path}", cloud.outputs().api_url);
    let mut request = client()?.request(method.clone(), &url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    for (name, value) in signature(cloud, "execute-api", &method, &url, &body)? {
        request = request.header(name, value);
    }
    Ok(request.body(body).send().await?)
}

/// Calls the API as a program does: the status, and what is answered.
pub(crate) async fn call(cloud: &Cloud, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    call_saying(cloud, method, path, &[], body.into_bytes()).await
}

/// The same with headers of one's own, and a body that need not be JSON.
pub(crate) async fn call_saying(
    cloud: &Cloud,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<(u16, Value)> {
    let headers = [&[("accept", "application/json")][..], headers].concat();
    let answer = signed_with(cloud, method.clone(), path, &headers, body).await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    let answer = serde_json::from_str(&text).with_context(|| format!("{method} {path}: {status} {text}"))?;
    Ok((status, answer))
}

/// The headers of a signed request: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
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

/// Asks where the user of an account is to consent.
pub(crate) async fn ask(cloud: &Cloud, alias: &str) -> Result<String> {
    let answer = signed(cloud, Method::GET, &format!("/connect?alias={alias}"), "application/json").await?;
    ensure!(answer.status() == 200, "no address: {}", answer.text().await?);
    let answer: Value = answer.json().await?;
    Ok(answer["authorize_url"].as_str().context("an address is text")?.to_owned())
}

/// Allows so much on TikTok's page; returns where the browser is sent.
pub(crate) async fn allow(address: &str, user: &OpenId, scopes: &[&str]) -> Result<String> {
    let mut form = vec![("user", user.as_str()), ("decision", "allow")];
    form.extend(scopes.iter().map(|scope| ("granted", *scope)));
    decide(address, &form).await
}

/// Denies everything on TikTok's page; returns where the browser is sent.
pub(crate) async fn deny(address: &str, user: &OpenId) -> Result<String> {
    decide(address, &[("user", user.as_str()), ("decision", "deny")]).await
}

async fn decide(address: &str, form: &[(&str, &str)]) -> Result<String> {
    let answer = client()?.post(address).form(form).send().await?;
    let location = answer.headers().get("location").context("TikTok sends the browser on")?;
    Ok(location.to_str()?.to_owned())
}

/// Takes the answer to the API; returns the status and what a program is told.
pub(crate) async fn come_back(address: &str) -> Result<(u16, Value)> {
    let answer = client()?.get(address).header("accept", "application/json").send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// Takes the answer to the API as a browser does; returns the status and the page.
pub(crate) async fn come_back_as_a_person(address: &str) -> Result<(u16, String)> {
    let answer = client()?.get(address).header("accept", "text/html").send().await?;
    let policy = answer.headers().get("content-security-policy").context("a page has a policy")?;
    ensure!(policy.to_str()?.starts_with("default-src 'none'"), "{policy:?}");
    Ok((answer.status().as_u16(), answer.text().await?))
}
