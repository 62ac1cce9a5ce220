//! From the stream's records to what is told, and from what was not taken to the
//! answer that has Lambda repeat it.

use domain::failure::error_chain;
use lambda_runtime::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{EventBus, EventEntry, change_of};

/// A batch of the stream's records, oldest first.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
#[derive(Debug, Deserialize)]
pub(crate) struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Value,
}

/// The record from which on Lambda repeats; none, where all were taken.
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

/// Who tells, and in whose name.
pub(crate) struct Publisher {
    pub(crate) bus: EventBus,
    pub(crate) stack: String,
}

/// What a batch is worth telling, as far as it can be read.
#[derive(Debug, Default)]
struct Batch {
    tellings: Vec<EventEntry>,
    /// The sequence number of the record that each comes from.
    numbers: Vec<String>,
    /// The sequence number of the first that cannot be read.
    unread: Option<String>,
}

impl Publisher {
    /// Tells what a batch of records is worth, in order. From the first that could
    /// not be told on, all come again: nothing is told before what came before it.
    ///
    /// # Errors
    /// A record has no sequence number: the event is none of a stream.
    pub(crate) async fn handle(&self, event: StreamEvent) -> Result<BatchResponse, Error> {
        let batch = Batch::read(&event, &self.stack)?;
        let told = match self.bus.tell(&batch.tellings).await {
            Ok(()) => batch.tellings.len(),
            Err(untold) => {
                let error = error_chain(&untold);
                tracing::error!(error, notices.told = untold.told, "notices not taken: they come again");
                untold.told
            }
        };
        Ok(batch.answer(told))
    }
}

impl Batch {
    fn read(event: &StreamEvent, stack: &str) -> Result<Self, Error> {
        let mut batch = Self::default();
        for record in &event.records {
            let number = record.dynamodb["SequenceNumber"].as_str().ok_or("a record has no sequence number")?;
            match telling(&record.dynamodb, stack) {
                Ok(Some(telling)) => {
                    batch.tellings.push(telling);
                    batch.numbers.push(number.to_owned());
                }
                Ok(None) => {}
                Err(error) => {
                    let error = error_chain(&*error);
                    tracing::error!(record.sequence_number = number, error, "a change cannot be read: it comes again");
                    batch.unread = Some(number.to_owned());
                    break;
                }
            }
        }
        Ok(batch)
    }

    /// The answer where so many were told, from the first on.
    fn answer(self, told: usize) -> BatchResponse {
        let failed = self.numbers.into_iter().nth(told).or(self.unread);
        BatchResponse { failures: failed.into_iter().map(|sequence_number| ItemFailure { sequence_number }).collect() }
    }
}

/// What a record is worth telling, if anything.
fn telling(record: &Value, stack: &str) -> Result<Option<EventEntry>, Error> {
    let Some((kind, notice)) = change_of(record)?.and_then(|change| change.notice(stack)) else {
        return Ok(None);
    };
    Ok(Some(EventEntry { kind: kind.as_str(), detail: serde_json::to_string(&notice)?, at: notice.at() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A post is stored, its bell is rung, which is nobody's concern, and it is published.
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
    fn the_recorded_changes_are_told_as_far_as_they_concern_anybody() {
        let batch = read(recorded());
        let told: Vec<Value> = batch.tellings.iter().map(|t| serde_json::from_str(&t.detail).unwrap()).collect();
        let states: Vec<_> = told.iter().map(|detail| (&detail["previous_state"], &detail["state"])).collect();
        assert_eq!(states, [(&json!(null), &json!("queued")), (&json!("processing"), &json!("published"))]);
        assert_eq!((&told[0]["sequence"], &told[1]["sequence"]), (&json!(1), &json!(9)));
        assert_eq!(told[1]["share_url"], "https://www.tiktok.com/@anna/video/7678907398077074696");
        assert_eq!(batch.tellings[1].at.to_string(), "2026-11-22T09:32:00Z");
        assert_eq!(failures(&batch.answer(2)), json!({ "batchItemFailures": [] }));
    }

    #[test]
    fn from_the_first_that_was_not_taken_on_all_come_again() {
        for (told, from) in [(0, "100"), (1, "102")] {
            let expected = json!({ "batchItemFailures": [{ "itemIdentifier": from }] });
            assert_eq!(failures(&read(recorded()).answer(told)), expected, "{told}");
        }
    }

    #[test]
    fn what_cannot_be_read_comes_again_with_all_behind_it_and_what_came_before_is_told() {
        let mut event = recorded();
        event["Records"][1]["dynamodb"]["NewImage"]["state"] = json!({ "S": "a state of a later version" });
        let batch = read(event);
        assert_eq!(batch.tellings.len(), 1);
        assert_eq!(failures(&batch.answer(1)), json!({ "batchItemFailures": [{ "itemIdentifier": "101" }] }));
    }

    #[test]
    fn a_post_that_was_deleted_is_nobodys_concern() {
        let mut event = recorded();
        event["Records"][0]["dynamodb"].as_object_mut().unwrap().remove("NewImage");
        assert_eq!(read(event).tellings.len(), 1);
    }

    #[test]
    fn what_is_no_batch_of_a_stream_is_refused() {
        let batch = |event| Batch::read(&serde_json::from_value(event).unwrap(), "dropcast");
        assert!(batch(json!({ "Records": [{ "dynamodb": {} }] })).is_err());
        assert!(serde_json::from_value::<StreamEvent>(json!({ "Records": [{}] })).is_err());
    }

    #[test]
    fn nothing_that_is_told_shows_a_secret_or_who_works() {
        let told: String = read(recorded()).tellings.iter().map(|telling| telling.detail.clone()).collect();
        for hidden in ["upload_url", "c2VhbGVk", "sealed", "lease", "write_token"] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
    }
}
