//! The handler of `notices`: converts a batch of stream records to events and sends them in order. If the event bus does
//! not accept an event now, Lambda repeats the batch from that record on. A record that can never be published is sent
//! to the dead-letter queue instead, so that it does not block the records behind it.

use domain::failure::error_chain;
use lambda_runtime::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::{AwsError, DeadLetterQueue, EventBus, EventEntry, change_of};

/// A batch of stream records, the oldest first. <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
#[derive(Debug, Deserialize)]
pub(crate) struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// The first record that failed: Lambda repeats it and all later records of its shard, for the six hours that
/// `template.yaml` sets, and then gives the record up. Empty if the whole batch succeeded.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BatchResponse {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    sequence_number: String,
}

/// Sends events to an event bus, and records that cannot be published to a dead-letter queue.
pub(crate) struct Publisher {
    pub(crate) bus: EventBus,
    pub(crate) dead_letters: DeadLetterQueue,
    /// The stack's name, which each event contains.
    pub(crate) stack: String,
}

/// A record of which something must be sent.
#[derive(Debug)]
struct PendingRecord {
    sequence_number: String,
    record: Value,
    content: Content,
}

/// What a record contains.
#[derive(Debug)]
enum Content {
    Event(EventEntry),
    /// The record cannot be read, for example because a newer version of Dropcast wrote the post. Why, for people.
    Unreadable(String),
}

impl Publisher {
    /// Sends the events of a batch in order. Lambda repeats the first record that fails and all later ones. If it
    /// repeated only the failed one, an event could be sent before an earlier one.
    ///
    /// # Errors
    /// A record has no sequence number, so the payload is not from a stream.
    pub(crate) async fn handle(&self, event: StreamEvent) -> Result<BatchResponse, Error> {
        let pending = read(event, &self.stack)?;
        let mut done = 0;
        while let Some(next) = pending.get(done) {
            let sent = match &next.content {
                Content::Unreadable(why) => self.set_aside(next, why).await.map(|()| 1),
                Content::Event(_) => self.send_events(&pending[done..]).await,
            };
            match sent {
                Ok(count) => done += count,
                Err(Unsent { after, error }) => {
                    let failed = pending[done + after].sequence_number.clone();
                    let error = error_chain(&error);
                    tracing::error!(record.sequence_number = failed, error, "record not sent: Lambda repeats it");
                    return Ok(BatchResponse { failures: vec![ItemFailure { sequence_number: failed }] });
                }
            }
        }
        Ok(BatchResponse::default())
    }

    /// Sends the events of the first records, up to the first unreadable one. Returns how many records are done.
    async fn send_events(&self, pending: &[PendingRecord]) -> Result<usize, Unsent> {
        let events = pending.iter().map_while(|record| match &record.content {
            Content::Event(event) => Some(event.clone()),
            Content::Unreadable(_) => None,
        });
        let events: Vec<_> = events.collect();
        let Err(error) = self.bus.put(&events).await else { return Ok(events.len()) };
        let after = error.accepted;
        if !error.is_permanent {
            return Err(Unsent { after, error: error.source });
        }
        let set_aside = self.set_aside(&pending[after], &error_chain(&error)).await;
        set_aside.map(|()| after + 1).map_err(|unsent| Unsent { after, ..unsent })
    }

    /// Sends a record that cannot be published to the dead-letter queue, with the reason. `infra/operate.py
    /// republish` passes the record to this function again.
    async fn set_aside(&self, pending: &PendingRecord, why: &str) -> Result<(), Unsent> {
        let post = pending.record["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap_or_default();
        tracing::error!(
            post.id = post,
            record.sequence_number = pending.sequence_number,
            error = why,
            "record cannot be published: sent to the dead-letter queue"
        );
        let sent = self.dead_letters.send(&dead_letter(&pending.record, why)).await;
        sent.map_err(|error| Unsent { after: 0, error })
    }
}

/// A record that could not be sent now.
struct Unsent {
    /// How many records before it were sent.
    after: usize,
    error: AwsError,
}

/// Reads the records of a batch, and drops those of which nothing is published.
fn read(event: StreamEvent, stack: &str) -> Result<Vec<PendingRecord>, Error> {
    let mut pending = Vec::new();
    for record in event.records {
        let change = &record["dynamodb"];
        let sequence_number = change["SequenceNumber"].as_str().ok_or("a record has no sequence number")?.to_owned();
        let content = match event_of(change, stack) {
            Ok(Some(event)) => Content::Event(event),
            Ok(None) => continue,
            Err(error) => Content::Unreadable(error_chain(&*error)),
        };
        pending.push(PendingRecord { sequence_number, record, content });
    }
    Ok(pending)
}

/// The event of a record; none if the write deleted the post, or changed nothing that an event contains.
fn event_of(record: &Value, stack: &str) -> Result<Option<EventEntry>, Error> {
    let Some((kind, event)) = change_of(record)?.and_then(|change| change.event(stack)) else {
        return Ok(None);
    };
    Ok(Some(EventEntry { kind: kind.as_str(), detail: serde_json::to_string(&event)?, at: event.at() }))
}

/// The message about a record in the dead-letter queue: the record, without its images if it would be too large. The key
/// of the post always remains. An upload URL in an image is encrypted, as in the table.
fn dead_letter(record: &Value, why: &str) -> String {
    let whole = json!({ "error": why, "record": record }).to_string();
    if whole.len() <= DeadLetterQueue::MAX_MESSAGE {
        return whole;
    }
    let mut record = record.clone();
    if let Some(change) = record["dynamodb"].as_object_mut() {
        change.retain(|field, _| !field.ends_with("Image"));
    }
    json!({ "error": why, "record": record }).to_string()
}

#[cfg(test)]
mod tests;
