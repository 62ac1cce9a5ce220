//! The handler of `notices`: converts a batch of stream records to events, sends them in order, and names to Lambda the
//! record from which on the batch must be repeated.

use domain::failure::error_chain;
use lambda_runtime::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{EventBus, EventEntry, change_of};

/// A batch of stream records, the oldest first. <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
#[derive(Debug, Deserialize)]
pub(crate) struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Value,
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

/// Sends events to an event bus.
pub(crate) struct Publisher {
    pub(crate) bus: EventBus,
    /// The stack's name, which each event contains.
    pub(crate) stack: String,
}

/// The events of a batch, up to the first record that cannot be read.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<EventEntry>,
    /// For each event, the sequence number of its record.
    sequence_numbers: Vec<String>,
    /// The sequence number of the first record that cannot be read.
    unreadable: Option<String>,
}

impl Publisher {
    /// Sends the events of a batch in order. Lambda repeats the first record that fails and all later ones. If it
    /// repeated only the failed one, an event could be sent before an earlier one.
    ///
    /// # Errors
    /// A record has no sequence number, so the payload is not from a stream.
    pub(crate) async fn handle(&self, event: StreamEvent) -> Result<BatchResponse, Error> {
        let batch = Batch::read(&event, &self.stack)?;
        let sent = match self.bus.put(&batch.events).await {
            Ok(()) => batch.events.len(),
            Err(error) => {
                let sent = error.accepted;
                tracing::error!(
                    error = error_chain(&error),
                    events.sent = sent,
                    "events not sent: Lambda repeats them"
                );
                sent
            }
        };
        Ok(batch.response(sent))
    }
}

impl Batch {
    fn read(event: &StreamEvent, stack: &str) -> Result<Self, Error> {
        let mut batch = Self::default();
        for record in &event.records {
            let number = record.dynamodb["SequenceNumber"].as_str().ok_or("a record has no sequence number")?;
            match event_of(&record.dynamodb, stack) {
                Ok(Some(event)) => {
                    batch.events.push(event);
                    batch.sequence_numbers.push(number.to_owned());
                }
                Ok(None) => {}
                Err(error) => {
                    let error = error_chain(&*error);
                    tracing::error!(record.sequence_number = number, error, "record invalid: Lambda repeats it");
                    batch.unreadable = Some(number.to_owned());
                    break;
                }
            }
        }
        Ok(batch)
    }

    /// The response after the first `sent` events were sent.
    fn response(self, sent: usize) -> BatchResponse {
        let failed = self.sequence_numbers.into_iter().nth(sent).or(self.unreadable);
        BatchResponse { failures: failed.into_iter().map(|sequence_number| ItemFailure { sequence_number }).collect() }
    }
}

/// The event of a record; none if the write deleted the post, or changed nothing that an event contains.
fn event_of(record: &Value, stack: &str) -> Result<Option<EventEntry>, Error> {
    let Some((kind, event)) = change_of(record)?.and_then(|change| change.event(stack)) else {
        return Ok(None);
    };
    Ok(Some(EventEntry { kind: kind.as_str(), detail: serde_json::to_string(&event)?, at: event.at() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Three records, with the sequence numbers 100 to 102: a post is created, woken (which makes no event), and
    /// published.
    fn recorded() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/dynamodb-stream-posts.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn read(event: Value) -> Batch {
        Batch::read(&serde_json::from_value(event).unwrap(), "dropcast").unwrap()
    }

    fn failures(response: &BatchResponse) -> Value {
        serde_json::to_value(response).unwrap()
    }

    #[test]
    fn only_changes_that_subscribers_see_become_events() {
        let batch = read(recorded());
        let details: Vec<Value> =
            batch.events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        let states: Vec<_> = details.iter().map(|detail| (&detail["previous_state"], &detail["state"])).collect();
        assert_eq!(states, [(&json!(null), &json!("queued")), (&json!("processing"), &json!("published"))]);
        assert_eq!((&details[0]["sequence"], &details[1]["sequence"]), (&json!(1), &json!(9)));
        assert_eq!(details[1]["share_url"], "https://www.tiktok.com/@anna/video/7678907398077074696");
        assert_eq!(batch.events[1].at.to_string(), "2026-11-22T09:32:00Z");
        assert_eq!(failures(&batch.response(2)), json!({ "batchItemFailures": [] }));
    }

    #[test]
    fn first_unsent_event_names_the_record_to_repeat() {
        for (sent, from) in [(0, "100"), (1, "102")] {
            let expected = json!({ "batchItemFailures": [{ "itemIdentifier": from }] });
            assert_eq!(failures(&read(recorded()).response(sent)), expected, "{sent}");
        }
    }

    #[test]
    fn events_before_an_unreadable_record_are_sent() {
        let mut event = recorded();
        event["Records"][1]["dynamodb"]["NewImage"]["state"] = json!({ "S": "a state of a later version" });
        let batch = read(event);
        assert_eq!(batch.events.len(), 1);
        assert_eq!(failures(&batch.response(1)), json!({ "batchItemFailures": [{ "itemIdentifier": "101" }] }));
    }

    #[test]
    fn deleted_post_makes_no_event() {
        let mut event = recorded();
        event["Records"][0]["dynamodb"].as_object_mut().unwrap().remove("NewImage");
        assert_eq!(read(event).events.len(), 1);
    }

    #[test]
    fn payload_that_is_not_a_stream_batch_is_rejected() {
        let batch = |event| Batch::read(&serde_json::from_value(event).unwrap(), "dropcast");
        assert!(batch(json!({ "Records": [{ "dynamodb": {} }] })).is_err());
        assert!(serde_json::from_value::<StreamEvent>(json!({ "Records": [{}] })).is_err());
    }

    #[test]
    fn events_contain_no_secret_and_no_lease() {
        let details: String = read(recorded()).events.iter().map(|event| event.detail.clone()).collect();
        for hidden in ["upload_url", "c2VhbGVk", "sealed", "lease", "write_token"] {
            assert!(!details.contains(hidden), "{hidden}: {details}");
        }
    }
}
