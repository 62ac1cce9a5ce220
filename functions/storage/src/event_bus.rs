//! An EventBridge event bus, to which the function `notices` sends the events about posts.
//!
//! Events are sent in order, in batches, up to the first one that EventBridge does not accept. The caller learns
//! how many were accepted.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use jiff::Timestamp;

use crate::aws::AwsError;
use crate::clients::Lazy;

/// EventBridge's `source` of every event.
const SOURCE: &str = "dropcast";
/// How many events one call accepts at most.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const MAX_BATCH: usize = 10;
const OPERATION: &str = "EventBridge PutEvents";

/// An event to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventEntry {
    /// EventBridge's `detail-type`.
    pub kind: &'static str,
    /// EventBridge's `detail`, as JSON.
    pub detail: String,
    /// When the event happened.
    pub at: Timestamp,
}

/// EventBridge did not accept all events.
#[derive(Debug, thiserror::Error)]
#[error("EventBridge accepted only the first {accepted} events")]
pub struct PutEventsError {
    /// How many events before the first rejected one were accepted. Later events of the same
    /// batch may have been accepted as well. `notices` sends these again, and subscribers recognize the repetition.
    pub accepted: usize,
    /// Whether EventBridge will never accept the next event, so that repeating it would block all later events.
    pub is_permanent: bool,
    /// Why the next event was not accepted.
    #[source]
    pub source: AwsError,
}

/// EventBridge's codes for an entry that is invalid itself. Its other codes concern the bus, a permission or a limit.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
const INVALID_ENTRY: [&str; 2] = ["InvalidArgument", "MalformedDetail"];

/// An event of a batch that was not accepted.
struct Rejected {
    /// How many events of the batch were accepted before it.
    accepted: usize,
    is_permanent: bool,
    source: AwsError,
}

/// An event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Lazy<Client>,
    name: String,
}

impl EventBus {
    /// Uses the bus with this name or ARN. The client is not part of [`Clients`](crate::Clients), because only the
    /// functions `notices` and `publish` send events. It is created on first use: `publish` sends few.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Lazy::from_config(config, Client::new), name: name.into() }
    }

    /// Sends events in order.
    ///
    /// # Errors
    /// EventBridge did not accept an event. No batch after this event's batch was sent.
    pub async fn put(&self, events: &[EventEntry]) -> Result<(), PutEventsError> {
        for (n, batch) in events.chunks(MAX_BATCH).enumerate() {
            self.put_batch(batch).await.map_err(|Rejected { accepted, is_permanent, source }| PutEventsError {
                accepted: n * MAX_BATCH + accepted,
                is_permanent,
                source,
            })?;
        }
        Ok(())
    }

    async fn put_batch(&self, events: &[EventEntry]) -> Result<(), Rejected> {
        let resource = format!("event bus {}", self.name);
        let entries = events.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(event.kind)
                .detail(&event.detail)
                .time(DateTime::from_secs(event.at.as_second()))
                .build()
        });
        let put = self.client.put_events().set_entries(Some(entries.collect())).send().await;
        let put = put.map_err(|error| {
            let source = AwsError::of(OPERATION, &resource, "events:PutEvents on the event bus", &error);
            Rejected { accepted: 0, is_permanent: false, source }
        })?;
        // EventBridge accepts or rejects each entry on its own.
        let Some(accepted) = put.entries().iter().position(|entry| entry.error_code().is_some()) else { return Ok(()) };
        let rejected = &put.entries()[accepted];
        let parts = [rejected.error_code(), rejected.error_message()];
        let message = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let is_permanent = rejected.error_code().is_some_and(|code| INVALID_ENTRY.contains(&code));
        Err(Rejected { accepted, is_permanent, source: AwsError::unavailable(OPERATION, &resource, message) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_aws::{Reply, Request, ScriptedAws, ScriptedServer, reply};
    use serde_json::{Value, json};

    fn events(count: usize) -> Vec<EventEntry> {
        let event =
            |n| EventEntry { kind: "Post Updated", detail: json!({ "n": n }).to_string(), at: Timestamp::UNIX_EPOCH };
        (0..count).map(event).collect()
    }

    fn accepted(count: usize) -> Reply {
        let entries: Vec<_> = (0..count).map(|n| json!({ "EventId": n.to_string() })).collect();
        Reply::new(200, json!({ "FailedEntryCount": 0, "Entries": entries }).to_string())
    }

    fn entries(request: &Request) -> Vec<Value> {
        request.json()["Entries"].as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn events_are_sent_in_order_in_batches_of_ten() {
        let server = ScriptedServer::start([reply(accepted(10)), reply(accepted(2))]).await;
        server.event_bus().put(&events(12)).await.unwrap();
        let [first, second] = &server.requests()[..] else { panic!("two calls") };
        assert_eq!((entries(first).len(), entries(second).len()), (10, 2));
        let entry = &entries(second)[0];
        assert_eq!(entry["Detail"], r#"{"n":10}"#);
        assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("dropcast"), &json!("Post Updated")));
        assert_eq!(entry["EventBusName"], "default");
    }

    #[tokio::test]
    async fn no_events_make_no_call() {
        let server = ScriptedServer::start([]).await;
        server.event_bus().put(&[]).await.unwrap();
    }

    #[tokio::test]
    async fn rejected_event_stops_the_later_batches() {
        let partial = json!({ "FailedEntryCount": 1, "Entries": [
            { "EventId": "1" }, { "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" }, { "EventId": "3" },
        ] });
        let script = [reply(accepted(10)), reply(Reply::new(200, partial.to_string()))];
        let server = ScriptedServer::start(script).await;
        let error = server.event_bus().put(&events(23)).await.unwrap_err();
        assert_eq!(error.accepted, 11);
        assert!(error.source.to_string().contains("ThrottlingException: slow down"), "{}", error.source);
        assert!(!error.is_permanent);
    }

    #[tokio::test]
    async fn invalid_event_is_a_permanent_error() {
        let partial =
            json!({ "FailedEntryCount": 1, "Entries": [{ "EventId": "1" }, { "ErrorCode": "MalformedDetail" }] });
        let script = [Reply::new(200, partial.to_string()), Reply::new(400, r#"{"__type":"AccessDeniedException"}"#)];
        let server = ScriptedServer::start(script.map(reply)).await;
        for (accepted, is_permanent) in [(1, true), (0, false)] {
            let error = server.event_bus().put(&events(2)).await.unwrap_err();
            assert_eq!((error.accepted, error.is_permanent), (accepted, is_permanent), "{error}");
        }
    }

    #[tokio::test]
    async fn failed_call_names_its_cause() {
        let denied = Reply::new(400, r#"{"__type":"AccessDeniedException"}"#);
        let server = ScriptedServer::start([reply(denied)]).await;
        let error = server.event_bus().put(&events(1)).await.unwrap_err();
        assert_eq!(error.accepted, 0);
        assert!(error.source.to_string().contains("AccessDeniedException"), "{}", error.source);
    }
}
