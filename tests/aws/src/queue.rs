//! SQS: the intake queue with its dead letters, by the stage's clock.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::BUCKET;

/// For how long a message that was handed out is hidden, as the template has it.
const HIDDEN_FOR: Duration = Duration::from_mins(16);
/// How often a message is handed out, as the template has it.
const MOST_TRIES: u32 = 5;

/// The queue.
#[derive(Default)]
pub struct Queue {
    messages: Vec<Message>,
    given: u64,
    /// What was handed out too often.
    pub dead: Vec<Message>,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// What it says.
    pub body: String,
    visible_at: Timestamp,
    tries: u32,
}

impl Queue {
    /// Answers `SendMessage`.
    pub(crate) fn send(&mut self, asked: &Value, now: Timestamp) -> Value {
        let id = self.put(asked["MessageBody"].as_str().unwrap_or_default(), now);
        json!({ "MessageId": id })
    }

    /// Adds a message, as the bucket does.
    pub fn put(&mut self, body: &str, now: Timestamp) -> String {
        self.given += 1;
        let id = format!("message-{}", self.given);
        self.messages.push(Message { id: id.clone(), body: body.to_owned(), visible_at: now, tries: 0 });
        id
    }

    /// Adds the bucket's event of an object, as S3 does once or more often.
    ///
    /// # Errors
    /// The recorded event has changed.
    pub fn tell_of(&mut self, key: &str, version: &str, bytes: u64, now: Timestamp) -> Result<()> {
        let recorded: Value = serde_json::from_str(include_str!("../../../events/sqs-s3-put.json"))?;
        let body = recorded["Records"][0]["body"].as_str().context("the recorded event has a body")?;
        let mut body: Value = serde_json::from_str(body)?;
        let record = &mut body["Records"][0];
        record["eventTime"] = now.to_string().into();
        record["s3"]["bucket"]["name"] = BUCKET.into();
        let object = &mut record["s3"]["object"];
        object["key"] = key.into();
        object["size"] = bytes.into();
        object["eTag"] = version.into();
        object["versionId"] = version.into();
        self.put(&body.to_string(), now);
        Ok(())
    }

    /// Hands the oldest visible message out; it is hidden until it is taken
    /// away or its time is over.
    pub fn next(&mut self, now: Timestamp) -> Option<Message> {
        while let Some(at) = self.messages.iter().position(|message| message.visible_at <= now) {
            if self.messages[at].tries >= MOST_TRIES {
                let dead = self.messages.remove(at);
                self.dead.push(dead);
                continue;
            }
            let message = &mut self.messages[at];
            message.tries += 1;
            message.visible_at = now + HIDDEN_FOR;
            return Some(message.clone());
        }
        None
    }

    /// Takes a message away that was handled.
    pub fn remove(&mut self, id: &str) {
        self.messages.retain(|message| message.id != id);
    }

    /// When the next message becomes visible.
    #[must_use]
    pub fn next_visible(&self) -> Option<Timestamp> {
        self.messages.iter().map(|message| message.visible_at).min()
    }
}
