//! SQS: the intake queue with its dead letters, by the stage's clock.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

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
