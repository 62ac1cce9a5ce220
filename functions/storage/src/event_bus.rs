//! EventBridge, where others are told what became of posts.
//!
//! What is told goes in order, a few at once, and ends at the first that was not
//! taken: the caller knows how many were.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use jiff::Timestamp;

use crate::aws::AwsError;

/// Whose events they are: EventBridge's `source`.
const SOURCE: &str = "dropcast";
/// The most that one call takes.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const AT_ONCE: usize = 10;

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventEntry {
    /// What kind of thing it is: EventBridge's `detail-type`.
    pub kind: &'static str,
    /// The thing itself, as JSON.
    pub detail: String,
    /// When it happened.
    pub at: Timestamp,
}

/// Not everything was taken.
#[derive(Debug, thiserror::Error)]
#[error("the event bus took no more than the first {told}")]
pub struct PutEventsError {
    /// How many were taken, from the first on.
    pub told: usize,
    /// What AWS said.
    #[source]
    pub source: AwsError,
}

/// An event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// Takes the bus by its name or ARN. The client is made here, and not among
    /// `Clients`, since one function alone tells.
    #[must_use]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }

    /// Tells everything, in order.
    ///
    /// # Errors
    /// Says how many were taken. Some behind them may have been taken as well.
    pub async fn tell(&self, tellings: &[EventEntry]) -> Result<(), PutEventsError> {
        for (n, few) in tellings.chunks(AT_ONCE).enumerate() {
            self.tell_few(few).await.map_err(|(told, source)| PutEventsError { told: n * AT_ONCE + told, source })?;
        }
        Ok(())
    }

    async fn tell_few(&self, tellings: &[EventEntry]) -> Result<(), (usize, AwsError)> {
        let entries = tellings.iter().map(|telling| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(telling.kind)
                .detail(&telling.detail)
                .time(DateTime::from_secs(telling.at.as_second()))
                .build()
        });
        let put = self.client.put_events().set_entries(Some(entries.collect())).send().await;
        let put = put.map_err(|error| (0, AwsError::of("EventBridge PutEvents", &error)))?;
        // Each is taken, or not, for itself.
        match put.entries().iter().position(|entry| entry.error_code().is_some()) {
            Some(told) => {
                let entry = &put.entries()[told];
                let why =
                    [entry.error_code(), entry.error_message()].into_iter().flatten().collect::<Vec<_>>().join(": ");
                Err((told, AwsError::broken("EventBridge PutEvents", why)))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::{Answer, Request, ScriptedServer, say};
    use serde_json::{Value, json};

    fn tellings(count: usize) -> Vec<EventEntry> {
        let telling =
            |n| EventEntry { kind: "Post Updated", detail: json!({ "n": n }).to_string(), at: Timestamp::UNIX_EPOCH };
        (0..count).map(telling).collect()
    }

    fn taken(count: usize) -> Answer {
        let entries: Vec<_> = (0..count).map(|n| json!({ "EventId": n.to_string() })).collect();
        Answer::new(200, json!({ "FailedEntryCount": 0, "Entries": entries }).to_string())
    }

    fn told(request: &Request) -> Vec<Value> {
        request.json()["Entries"].as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn all_is_told_in_order_ten_at_once() {
        let server = ScriptedServer::start([say(taken(10)), say(taken(2))]).await;
        server.event_bus().tell(&tellings(12)).await.unwrap();
        let [first, second] = &server.requests()[..] else { panic!("two calls") };
        assert_eq!((told(first).len(), told(second).len()), (10, 2));
        let entry = &told(second)[0];
        assert_eq!(entry["Detail"], r#"{"n":10}"#);
        assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("dropcast"), &json!("Post Updated")));
        assert_eq!(entry["EventBusName"], "default");
    }

    #[tokio::test]
    async fn nothing_to_tell_is_no_call() {
        let server = ScriptedServer::start([]).await;
        server.event_bus().tell(&[]).await.unwrap();
    }

    #[tokio::test]
    async fn the_first_that_is_not_taken_is_the_last_that_is_tried() {
        let half = json!({ "FailedEntryCount": 1, "Entries": [
            { "EventId": "1" }, { "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" }, { "EventId": "3" },
        ] });
        let server = ScriptedServer::start([say(taken(10)), say(Answer::new(200, half.to_string()))]).await;
        let untold = server.event_bus().tell(&tellings(23)).await.unwrap_err();
        assert_eq!(untold.told, 11);
        assert!(untold.source.to_string().contains("ThrottlingException: slow down"), "{}", untold.source);
    }

    #[tokio::test]
    async fn a_call_that_fails_says_why() {
        let server = ScriptedServer::start([say(Answer::new(400, r#"{"__type":"AccessDeniedException"}"#))]).await;
        let untold = server.event_bus().tell(&tellings(1)).await.unwrap_err();
        assert_eq!(untold.told, 0);
        assert!(untold.source.to_string().contains("AccessDeniedException"), "{}", untold.source);
    }
}
