//! A fake of AWS in this process's memory, limited to the calls that Dropcast's functions make.
//!
//! The scenarios use MiniStack as AWS, which answers a few hundred calls per second. This fake is for tests that
//! interrupt thousands of posts at each of their calls, and for benchmarks.
//!
//! It implements exactly the calls and expressions of the crate `storage`. It rejects and records every other one, and
//! the test run then fails ([`Aws::unsupported_calls`]). `tests/chaos/conformance.rs` compares its answers with
//! MiniStack's.
//!
//! It checks neither signatures nor permissions; the scenarios do. It opens no socket: its owner passes each request to
//! [`Aws::answer`].

mod bucket;
mod config;
mod expression;
mod keys;
mod multipart;
mod queue;
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};

pub use bucket::{BUCKET, Bucket};
pub use config::{cloud_json, variables};
pub use queue::{Message, Queue};
pub use tables::{Item, TableSchema, Tables, table_schemas};

/// The table of posts.
pub const POSTS: &str = "posts";
/// The table of accounts.
pub const ACCOUNTS: &str = "accounts";
/// The table of TikTok's rate limits and upload quotas.
pub const LIMITS: &str = "limits";
/// The table that lists the posts of each video.
pub const REPOST_GUARD: &str = "repost-guard";
/// The table of OAuth authorization requests.
pub const AUTHORIZATION_REQUESTS: &str = "authorization-requests";
/// The table of received webhooks.
pub const WEBHOOKS: &str = "webhooks";

/// The client key of the TikTok app: this fake's secret contains it, and a simulator beside it must be started with it.
pub const CLIENT_KEY: &str = "test";
/// The client secret of the TikTok app, used likewise.
pub const CLIENT_SECRET: &str = "test";

/// AWS's HTTP response.
pub type Answer = Response<Body>;

/// The fake of AWS, with its stored data.
#[derive(Default)]
pub struct Aws {
    state: Mutex<State>,
}

/// The stored data of every service.
#[derive(Default)]
pub struct State {
    /// DynamoDB: the stack's tables.
    pub tables: Tables,
    /// S3: the intake bucket.
    pub bucket: Bucket,
    /// SQS: the intake queue.
    pub queue: Queue,
    unsupported_calls: Vec<String>,
}

/// An error response of AWS.
pub struct AwsError {
    /// The HTTP status.
    pub status: u16,
    /// AWS's error code.
    pub code: &'static str,
    /// The error message.
    pub message: String,
    /// The item that failed a condition, if the request asked for that item.
    pub item: Option<Value>,
}

impl AwsError {
    /// An error with the most common HTTP status: 400.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), item: None }
    }

    /// The response of a service with a JSON protocol.
    #[must_use]
    pub fn json(&self) -> Answer {
        let mut body = json!({ "__type": self.code, "message": self.message });
        if let Some(item) = &self.item {
            body["Item"] = item.clone();
        }
        reply(self.status, "application/x-amz-json-1.0", body.to_string())
    }

    /// The response of S3.
    #[must_use]
    pub fn xml(&self) -> Answer {
        let body = format!("<Error><Code>{}</Code><Message>{}</Message></Error>", self.code, self.message);
        reply(self.status, "application/xml", body)
    }
}

/// Builds an answer.
pub fn reply(status: u16, content_type: &str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = content_type.parse() {
        answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    answer
}

impl Aws {
    /// Locks the stored data. [`Aws::answer`] blocks until the guard is dropped.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes all stored data.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// The calls that this fake does not implement, with their request bodies.
    pub fn unsupported_calls(&self) -> Vec<String> {
        self.state().unsupported_calls.clone()
    }

    /// Answers a call. `now` is the time from which a message that the call puts into the queue is visible.
    pub fn answer(&self, request: &Request<Bytes>, now: jiff::Timestamp) -> Answer {
        let mut state = self.state();
        let Some(target) = target_of(request) else {
            let answer = bucket::answer(&mut state.bucket, request, now).unwrap_or_else(|error| {
                state.record_unsupported(&error, "");
                error.xml()
            });
            state.send_created_events(now);
            return answer;
        };
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let result = match target.split_once('.').unwrap_or_default() {
            ("DynamoDB_20120810", operation) => state.tables.answer(operation, &body),
            ("AmazonSQS", "SendMessage") => Ok(state.queue.send(&body, header_of(request, "x-amzn-trace-id"), now)),
            ("TrentService", operation) => keys::answer(operation, &body),
            ("secretsmanager", "GetSecretValue") => Ok(keys::secret()),
            ("AWSEvents", "PutEvents") => Ok(accept_events(&body)),
            _ => Err(unsupported(target)),
        };
        match result {
            Ok(answer) => reply(200, "application/x-amz-json-1.0", answer.to_string()),
            Err(error) => {
                state.record_unsupported(&error, &body.to_string());
                error.json()
            }
        }
    }
}

impl State {
    /// Sends the S3 events of completed multipart uploads to the queue. An event that cannot be built counts as an
    /// unsupported call, so that the test run fails.
    fn send_created_events(&mut self, now: jiff::Timestamp) {
        for created in std::mem::take(&mut self.bucket.created) {
            let sent = self.queue.put_object_created(&created.key, &created.version, created.bytes, now);
            self.unsupported_calls.extend(sent.err().map(|error| format!("the event of {}: {error:#}", created.key)));
        }
    }

    /// Records a call that this fake does not implement.
    fn record_unsupported(&mut self, error: &AwsError, body: &str) {
        if error.code == UNSUPPORTED {
            self.unsupported_calls.push(format!("{}: {body}", error.message));
        }
    }
}

/// EventBridge's answer if it accepts every event. The events themselves are not kept.
fn accept_events(body: &Value) -> Value {
    let count = body["Entries"].as_array().map_or(0, Vec::len);
    json!({ "FailedEntryCount": 0, "Entries": vec![json!({ "EventId": "event" }); count] })
}

const UNSUPPORTED: &str = "UnknownOperationException";

/// The error for a call that this fake does not implement.
pub(crate) fn unsupported(what: impl Into<String>) -> AwsError {
    AwsError::new(UNSUPPORTED, what)
}

/// The `X-Amz-Target` header, which names the operation in AWS's JSON protocols. A call to S3 has no such header.
pub fn target_of<T>(request: &Request<T>) -> Option<&str> {
    header_of(request, "x-amz-target")
}

fn header_of<'a, T>(request: &'a Request<T>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
