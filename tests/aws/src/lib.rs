//! AWS, as far as the functions use it, in this process's memory.
//!
//! MiniStack plays AWS for the scenarios, and answers a few hundred calls a second;
//! this is for where thousands of posts are broken off at each of their calls, and
//! for where time is measured. What is played is exactly what `storage` asks: a
//! call or an expression that is not known is refused and remembered, and fails the
//! run ([`Aws::unknown`]). It is held against MiniStack by a test of `tests/chaos`.
//!
//! It checks no signature and no permission: that is the scenarios' part. It listens
//! nowhere: whoever has it hands it requests.

mod bucket;
mod contract;
mod expression;
mod film;
mod keys;
mod parts;
mod queue;
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};

pub use bucket::{BUCKET, Bucket};
pub use contract::{contract, variables};
pub use film::Film;
pub use queue::{Message, Queue};
pub use tables::{Form, Item, Tables, forms};

/// The table of posts.
pub const POSTS: &str = "posts";
/// The table of accounts.
pub const ACCOUNTS: &str = "accounts";
/// The table of what limits have left.
pub const BUDGETS: &str = "budgets";
/// The table of requests for consent.
pub const CONSENTS: &str = "consents";
/// The table of webhooks.
pub const INBOX: &str = "inbox";

/// The app that TikTok and the stack both know.
pub const CLIENT_KEY: &str = "played";
/// Its secret.
pub const CLIENT_SECRET: &str = "played";

/// An answer of AWS.
pub type Answer = Response<Body>;

/// AWS, with everything that it keeps.
#[derive(Default)]
pub struct Aws {
    kept: Mutex<Versioned>,
}

/// What is kept, behind the lock.
#[derive(Default)]
pub struct Versioned {
    /// DynamoDB's.
    pub tables: Tables,
    /// S3's.
    pub bucket: Bucket,
    /// SQS's.
    pub queue: Queue,
    unknown: Vec<String>,
}

/// Why a call is not answered as asked: a status, AWS's code, and a sentence.
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// AWS's word for it.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The item that a condition did not hold for, where that was asked.
    pub item: Option<Value>,
}

impl Refusal {
    /// A refusal with the status that most have: 400.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), item: None }
    }

    /// As the services that speak JSON say it.
    #[must_use]
    pub fn json(&self) -> Answer {
        let mut body = json!({ "__type": self.code, "message": self.message });
        if let Some(item) = &self.item {
            body["Item"] = item.clone();
        }
        reply(self.status, "application/x-amz-json-1.0", body.to_string())
    }

    /// As S3 says it.
    #[must_use]
    pub fn xml(&self) -> Answer {
        let body = format!("<Error><Code>{}</Code><Message>{}</Message></Error>", self.code, self.message);
        reply(self.status, "application/xml", body)
    }
}

/// Makes an answer.
pub fn reply(status: u16, content_type: &str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = content_type.parse() {
        answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    answer
}

impl Aws {
    /// Takes what is kept.
    pub fn kept(&self) -> MutexGuard<'_, Versioned> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts over.
    pub fn clear(&self) {
        *self.kept() = Versioned::default();
    }

    /// The calls that nobody here can play.
    pub fn unknown(&self) -> Vec<String> {
        self.kept().unknown.clone()
    }

    /// Answers a call; `now` is the queue's time.
    pub fn answer(&self, request: &Request<Bytes>, now: jiff::Timestamp) -> Answer {
        let mut kept = self.kept();
        let Some(target) = target_of(request) else {
            let answer = bucket::answer(&mut kept.bucket, request).unwrap_or_else(|refusal| {
                kept.note(&refusal, "");
                refusal.xml()
            });
            kept.tell(now);
            return answer;
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

impl Versioned {
    /// Has the bucket tell the queue of what came to be there.
    fn tell(&mut self, now: jiff::Timestamp) {
        for created in std::mem::take(&mut self.bucket.created) {
            let told = self.queue.tell_of(&created.key, &created.version, created.bytes, now);
            self.unknown.extend(told.err().map(|error| format!("an event of {}: {error:#}", created.key)));
        }
    }

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
pub fn target_of<T>(request: &Request<T>) -> Option<&str> {
    request.headers().get("x-amz-target")?.to_str().ok()
}
