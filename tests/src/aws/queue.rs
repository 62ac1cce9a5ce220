//! A fake of SQS in memory: the intake queue and its dead-letter queue. It reads no clock: the caller passes the time.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::BUCKET;

/// The intake queue's `VisibilityTimeout`. It must stay equal to the one in `template.yaml` (960 seconds).
const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(16);
/// The intake queue's `maxReceiveCount`. It must stay equal to the one in `template.yaml`.
const MAX_RECEIVE_COUNT: u32 = 5;

/// The intake queue and its dead-letter queue.
#[derive(Default)]
pub struct Queue {
    messages: Vec<Message>,
    /// The number of messages sent so far, which numbers the next message id.
    sent: u64,
    /// Messages that were received 5 times (`MAX_RECEIVE_COUNT`) and not removed.
    pub dead_letters: Vec<Message>,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// The message id.
    pub id: String,
    /// The message body.
    pub body: String,
    /// The sender's `X-Amzn-Trace-Id` header. SQS delivers it as the attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
    visible_at: Timestamp,
    receive_count: u32,
}

impl Queue {
    /// Answers `SendMessage`.
    pub(crate) fn send(&mut self, request: &Value, trace_header: Option<&str>, now: Timestamp) -> Value {
        let id = self.add(request["MessageBody"].as_str().unwrap_or_default(), trace_header, now);
        json!({ "MessageId": id })
    }

    /// Adds a message without a trace and returns its id.
    pub fn put(&mut self, body: &str, now: Timestamp) -> String {
        self.add(body, None, now)
    }

    fn add(&mut self, body: &str, trace_header: Option<&str>, now: Timestamp) -> String {
        self.sent += 1;
        let id = format!("message-{}", self.sent);
        let (body, trace_header) = (body.to_owned(), trace_header.map(str::to_owned));
        self.messages.push(Message { id: id.clone(), body, trace_header, visible_at: now, receive_count: 0 });
        id
    }

    /// Adds S3's `ObjectCreated` event of an object. `key` must be encoded as S3 encodes it in events: like an HTML
    /// form. S3 sends an event at least once, so a test may call this more than once for the same object.
    ///
    /// # Errors
    /// The recorded event in `events` does not have the expected structure.
    pub fn put_object_created(&mut self, key: &str, version: &str, bytes: u64, now: Timestamp) -> Result<()> {
        let recorded: Value = serde_json::from_str(include_str!("../../../events/sqs-s3-put.json"))?;
        let body = recorded["Records"][0]["body"].as_str().context("the recorded event has no body")?;
        let mut body: Value = serde_json::from_str(body)?;
        let record = &mut body["Records"][0];
        record["eventTime"] = now.to_string().into();
        record["s3"]["bucket"]["name"] = BUCKET.into();
        let object = &mut record["s3"]["object"];
        object["key"] = key.into();
        object["size"] = bytes.into();
        // Both are meant: in this fake, the ETag of an object is its version id (`etag` in `bucket.rs`).
        object["eTag"] = version.into();
        object["versionId"] = version.into();
        self.put(&body.to_string(), now);
        Ok(())
    }

    /// Receives the visible message that was sent first. It is then invisible for 16 minutes (`VISIBILITY_TIMEOUT`),
    /// and visible again unless it is removed before.
    pub fn receive(&mut self, now: Timestamp) -> Option<Message> {
        while let Some(index) = self.messages.iter().position(|message| message.visible_at <= now) {
            if self.messages[index].receive_count >= MAX_RECEIVE_COUNT {
                let message = self.messages.remove(index);
                self.dead_letters.push(message);
                continue;
            }
            let message = &mut self.messages[index];
            message.receive_count += 1;
            message.visible_at = now + VISIBILITY_TIMEOUT;
            return Some(message.clone());
        }
        None
    }

    /// Removes a message, as Lambda does after a successful invocation.
    pub fn remove(&mut self, id: &str) {
        self.messages.retain(|message| message.id != id);
    }

    /// The earliest time at which some message is visible; none if the queue is empty.
    #[must_use]
    pub fn next_visible(&self) -> Option<Timestamp> {
        self.messages.iter().map(|message| message.visible_at).min()
    }
}
