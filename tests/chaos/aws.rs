//! AWS, as far as the functions use it, in this process's memory.
//!
//! MiniStack plays AWS for the scenarios, and is asked a few hundred things a
//! second; here, thousands of posts are broken off at each of their calls. What
//! is played is exactly what `storage` asks: a call or an expression that is not
//! known is refused and remembered, and fails the run ([`Aws::unknown`]).
//!
//! It checks no signature and no permission: that is the scenarios' part.

mod bucket;
mod expression;
mod film;
mod keys;
mod queue;
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};

pub(crate) use bucket::{BUCKET, Bucket};
pub(crate) use film::Film;
pub(crate) use queue::Queue;
pub(crate) use tables::{Form, Item, Tables, forms};

/// What the functions call the tables, and the rest.
pub(crate) const POSTS: &str = "posts";
pub(crate) const ACCOUNTS: &str = "accounts";
pub(crate) const BUDGETS: &str = "budgets";
pub(crate) const CONSENTS: &str = "consents";
pub(crate) const INBOX: &str = "inbox";

/// The app that TikTok and the stack both know.
pub(crate) const CLIENT_KEY: &str = "chaos";
pub(crate) const CLIENT_SECRET: &str = "chaos";

/// An answer of AWS.
pub(crate) type Answer = Response<Body>;

/// Everything that AWS keeps.
#[derive(Default)]
pub(crate) struct Aws {
    kept: Mutex<Kept>,
}

/// What is kept, behind the lock.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) tables: Tables,
    pub(crate) bucket: Bucket,
    pub(crate) queue: Queue,
    unknown: Vec<String>,
}

/// Why a call is not answered as asked: a status, AWS's code, and a sentence.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) item: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), item: None }
    }

    /// As the services that speak JSON say it.
    pub(crate) fn json(&self) -> Answer {
        let mut body = json!({ "__type": self.code, "message": self.message });
        if let Some(item) = &self.item {
            body["Item"] = item.clone();
        }
        reply(self.status, "application/x-amz-json-1.0", body.to_string())
    }

    /// As S3 says it.
    pub(crate) fn xml(&self) -> Answer {
        let body = format!("<Error><Code>{}</Code><Message>{}</Message></Error>", self.code, self.message);
        reply(self.status, "application/xml", body)
    }
}

/// Makes an answer.
pub(crate) fn reply(status: u16, content_type: &str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = content_type.parse() {
        answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    answer
}

impl Aws {
    /// Takes what is kept.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts over.
    pub(crate) fn clear(&self) {
        *self.kept() = Kept::default();
    }

    /// The calls that nobody here can play.
    pub(crate) fn unknown(&self) -> Vec<String> {
        self.kept().unknown.clone()
    }

    /// Answers a call; `now` is the queue's time.
    pub(crate) fn answer(&self, request: &Request<Bytes>, now: jiff::Timestamp) -> Answer {
        let mut kept = self.kept();
        let Some(target) = target_of(request) else {
            return bucket::answer(&mut kept.bucket, request).unwrap_or_else(|refusal| {
                kept.note(&refusal, "");
                refusal.xml()
            });
        };
        let asked: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let answered = match target.split_once('.').unwrap_or_default() {
            ("DynamoDB_20120810", operation) => kept.tables.answer(operation, &asked),
            ("AmazonSQS", "SendMessage") => Ok(kept.queue.send(&asked, now)),
            ("TrentService", operation) => keys::answer(operation, &asked),
            ("secretsmanager", "GetSecretValue") => Ok(keys::secret()),
            _ => Err(unknown(target)),
        };
        match answered {
            Ok(answer) => reply(200, "application/x-amz-json-1.0", answer.to_string()),
            Err(refusal) => {
                kept.note(&refusal, &asked.to_string());
                refusal.json()
            }
        }
    }
}

impl Kept {
    /// Remembers what nobody here could play.
    fn note(&mut self, refusal: &Refusal, asked: &str) {
        if refusal.code == UNKNOWN {
            self.unknown.push(format!("{}: {asked}", refusal.message));
        }
    }
}

const UNKNOWN: &str = "UnknownOperationException";

/// Refuses what nobody here can play.
pub(crate) fn unknown(what: impl Into<String>) -> Refusal {
    Refusal::new(UNKNOWN, what)
}

/// The operation that a call to a service that speaks JSON names.
pub(crate) fn target_of<T>(request: &Request<T>) -> Option<&str> {
    request.headers().get("x-amz-target")?.to_str().ok()
}
