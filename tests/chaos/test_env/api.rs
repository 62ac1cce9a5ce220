//! Requests to `api` as API Gateway's events: commands of a person, requests of a program, and TikTok's webhooks.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use domain::identity::{Alias, PostId};
use serde_json::{Value, json};
use simulator::Ledger;

use super::Lambda;

/// The timeout of `api`. It must equal `Timeout` in template.yaml.
const API_TIMEOUT: Duration = Duration::from_secs(29);
/// How often a request without a response is sent.
const MAX_REQUESTS: u32 = 10;
/// The seconds between these attempts, by the shifted clock.
const RETRY_AFTER_S: u64 = 5;
/// How often the test environment waits 5 ms for due webhooks (20 s in all), before the run ends with an error.
const MAX_WEBHOOK_WAITS: u32 = 4000;

/// A request to `api`.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    header: Option<(&'static str, String)>,
    body: String,
}

/// A response of `api`.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// A person's command about a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    Approve,
    Cancel,
    Retry,
    /// Changes the title to [`UPDATED_TITLE`].
    UpdateOptions,
}

/// The title that [`Command::UpdateOptions`] gives a post.
pub(crate) const UPDATED_TITLE: &str = "Updated title";

/// A command and its response, for the [model](crate::model).
#[derive(Debug, Clone)]
pub(crate) struct CommandRecord {
    pub(crate) command: Command,
    pub(crate) post: PostId,
    /// The post's state before the command; none if it was not stored.
    pub(crate) before: Option<String>,
    /// The post's state after the command.
    pub(crate) after: Option<String>,
    /// The status of the response; none without a response.
    pub(crate) status: Option<u16>,
    /// TikTok's ledger after the command.
    pub(crate) ledger: Ledger,
}

impl Command {
    /// The name in the report. Except for `UpdateOptions`, it is also the last segment of the command's path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::UpdateOptions => "update options",
        }
    }
}

impl Request {
    /// A POST with an `Idempotency-Key`.
    pub(crate) fn idempotent(path: &str, key: &str, body: &Value) -> Self {
        let header = Some(("idempotency-key", key.to_owned()));
        Self { header, body: body.to_string(), ..Self::without_body("POST", path.to_owned()) }
    }

    /// A webhook with this signature.
    pub(crate) fn webhook(signature: String, body: &str) -> Self {
        let header = Some(("tiktok-signature", signature));
        Self { header, body: body.to_owned(), ..Self::without_body("POST", "/webhooks/tiktok".to_owned()) }
    }

    /// Completes the multipart upload of a post's video.
    pub(crate) fn complete(post: &PostId) -> Self {
        Self::without_body("POST", format!("/uploads/{post}/complete"))
    }

    /// Disconnects an account.
    pub(crate) fn disconnect(alias: &Alias) -> Self {
        Self::without_body("DELETE", format!("/accounts/{alias}"))
    }

    fn command(command: Command, post: &PostId) -> Self {
        if command == Command::UpdateOptions {
            let body = json!({ "title": UPDATED_TITLE }).to_string();
            return Self { body, ..Self::without_body("PATCH", format!("/posts/{post}")) };
        }
        Self::without_body("POST", format!("/posts/{post}/{}", command.name()))
    }

    fn without_body(method: &'static str, path: String) -> Self {
        Self { method, path, header: None, body: String::new() }
    }

    /// The path of the route in API Gateway that matches, with `{id}` or `{alias}` as the second segment.
    fn route(&self) -> String {
        let mut segments: Vec<_> = self.path.split('/').collect();
        let parameter = match segments.get(1) {
            Some(&("posts" | "uploads")) => "{id}",
            Some(&"accounts") => "{alias}",
            _ => return self.path.clone(),
        };
        if let Some(segment) = segments.get_mut(2) {
            *segment = parameter;
        }
        segments.join("/")
    }

    /// The event of API Gateway: a recorded one with this request in it.
    fn event(&self) -> Result<Value> {
        let mut event: Value = serde_json::from_str(include_str!("../../../events/http-post-webhook.json"))?;
        event["routeKey"] = json!(format!("{} {}", self.method, self.route()));
        event["rawPath"] = json!(self.path);
        event["requestContext"]["routeKey"] = event["routeKey"].clone();
        event["requestContext"]["http"]["method"] = json!(self.method);
        event["requestContext"]["http"]["path"] = json!(self.path);
        event["body"] = json!(BASE64.encode(self.body.as_bytes()));
        let headers = event["headers"].as_object_mut().context("the recorded event has no headers")?;
        headers.remove("tiktok-signature");
        headers.insert("content-length".to_owned(), json!(self.body.len().to_string()));
        if let Some((name, value)) = &self.header {
            headers.insert((*name).to_owned(), json!(value));
        }
        Ok(event)
    }
}

impl Response {
    fn parse(response: &Value) -> Result<Self> {
        let status = response["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let body = serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
        Ok(Self { status: status.context("the response of `api` has no status")?, body })
    }
}

impl Lambda<'_> {
    /// Sends a request once. Returns no response if `api` fails or is killed.
    pub(crate) async fn request(&mut self, request: &Request) -> Result<Option<Response>> {
        let response = self.invoke("api", request.event()?, API_TIMEOUT).await?;
        response.as_ref().map(Response::parse).transpose()
    }

    /// Repeats a request, with the same `Idempotency-Key` if it has one, until the response's status is below 500.
    pub(crate) async fn request_until_answered(&mut self, request: &Request) -> Result<Response> {
        for _ in 0..MAX_REQUESTS {
            if let Some(response) = self.request(request).await?.filter(|response| response.status < 500) {
                return Ok(response);
            }
            self.env.advance(RETRY_AFTER_S)?;
        }
        bail!("{} got no response", request.path)
    }

    /// Sends a command once and records it. Returns the status of the response, if there is one.
    pub(crate) async fn command(&mut self, command: Command, post: &PostId) -> Result<Option<u16>> {
        let before = self.env.state_of(post);
        let status = self.request(&Request::command(command, post)).await?.map(|response| response.status);
        let (after, ledger) = (self.env.state_of(post), self.env.tiktok.ledger());
        self.commands.push(CommandRecord { command, post: post.clone(), before, after, status, ledger });
        Ok(status)
    }

    /// Passes all due webhooks to `api`, and returns their number.
    pub(crate) async fn deliver_webhooks(&mut self) -> Result<usize> {
        let (mut delivered, mut waits) = (0, 0);
        while self.env.has_due_webhook() {
            waits += 1;
            ensure!(waits < MAX_WEBHOOK_WAITS, "webhooks are still due after {waits} waits");
            let Some(webhook) = self.env.receive_webhook().await else { continue };
            let response = self.request(&Request::webhook(webhook.signature.clone(), &webhook.body)).await?;
            // If `api` does not respond, API Gateway responds with 500.
            let status = response.map_or(500, |response| response.status);
            if status == 200 {
                let error = self.env.check_accepted_webhook(&webhook).err();
                self.forbidden.extend(error.map(|error| format!("{error:#}")));
            }
            // The simulator may have reached its timeout and ended the connection.
            let _ = webhook.respond.send(status);
            delivered += 1;
        }
        Ok(delivered)
    }
}
