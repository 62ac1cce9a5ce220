//! Batches of recorded stream records, with scripted answers of EventBridge and SQS.

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::sdk_config::{RetryConfig, SharedCredentialsProvider};
use scripted_server::{Reply, Request, ScriptedServer, Step, reply};
use serde_json::json;

use super::*;

/// Three records, with the sequence numbers 100 to 102: a post is created, woken (which makes no event), and
/// published.
fn recorded() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/dynamodb-stream-posts.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The recorded batch, in which a newer version of Dropcast has written the second record.
fn with_newer_state() -> Value {
    let mut event = recorded();
    event["Records"][1]["dynamodb"]["NewImage"]["state"] = json!({ "S": "a state of a later version" });
    event
}

fn pending(event: Value) -> Vec<PendingRecord> {
    read(serde_json::from_value(event).unwrap(), "dropcast").unwrap()
}

fn events(event: Value) -> Vec<EventEntry> {
    let event_of = |record: PendingRecord| match record.content {
        Content::Event(event) => Some(event),
        Content::Unreadable(_) => None,
    };
    pending(event).into_iter().filter_map(event_of).collect()
}

fn accepted(count: usize) -> Step {
    let entries = vec![json!({ "EventId": "e" }); count];
    reply(Reply::new(200, json!({ "FailedEntryCount": 0, "Entries": entries }).to_string()))
}

/// EventBridge's answer if it accepts all events but the last.
fn last_rejected(count: usize, code: &str) -> Step {
    let mut entries = vec![json!({ "EventId": "e" }); count - 1];
    entries.push(json!({ "ErrorCode": code, "ErrorMessage": "no" }));
    reply(Reply::new(200, json!({ "FailedEntryCount": 1, "Entries": entries }).to_string()))
}

fn stored() -> Step {
    reply(Reply::new(200, r#"{"MessageId":"m-1"}"#))
}

fn unavailable() -> Step {
    reply(Reply::new(500, "{}"))
}

/// Handles a batch with these answers of AWS, in order. Returns the response and the requests.
async fn handle(event: Value, script: impl IntoIterator<Item = Step>) -> (Value, Vec<Request>) {
    let server = ScriptedServer::start(script).await;
    // A configuration of its own: the environment's would name the endpoint of the local cloud.
    let mut config = SdkConfig::builder();
    config.set_behavior_version(runtime::aws::config().await.behavior_version());
    let config = config
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(server.url(""))
        .build();
    let bus = EventBus::new(&config, "default");
    let publisher =
        Publisher { bus, dead_letters: DeadLetterQueue::new(&config, "http://queue/dlq"), stack: "dropcast".into() };
    let response = publisher.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    (serde_json::to_value(response).unwrap(), server.requests())
}

fn failures(sequence_number: &str) -> Value {
    json!({ "batchItemFailures": [{ "itemIdentifier": sequence_number }] })
}

fn no_failures() -> Value {
    json!({ "batchItemFailures": [] })
}

/// The message that a request sent to the dead-letter queue.
fn dead_letter_of(request: &Request) -> Value {
    let message = request.json();
    assert_eq!(message["QueueUrl"], "http://queue/dlq");
    serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap()
}

#[test]
fn only_changes_that_subscribers_see_become_events() {
    let events = events(recorded());
    let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
    let states: Vec<_> = details.iter().map(|detail| (&detail["previous_state"], &detail["state"])).collect();
    assert_eq!(states, [(&json!(null), &json!("queued")), (&json!("processing"), &json!("published"))]);
    assert_eq!((&details[0]["sequence"], &details[1]["sequence"]), (&json!(1), &json!(9)));
    assert_eq!(details[1]["share_url"], "https://www.tiktok.com/@anna/video/7678907398077074696");
    assert_eq!(events[1].at.to_string(), "2026-11-22T09:32:00Z");
}

#[tokio::test]
async fn sent_batch_has_no_failures() {
    let (response, requests) = handle(recorded(), [accepted(2)]).await;
    assert_eq!((response, requests.len()), (no_failures(), 1));
}

#[tokio::test]
async fn first_unsent_event_names_the_record_to_repeat() {
    assert_eq!(handle(recorded(), [unavailable()]).await.0, failures("100"));
    assert_eq!(handle(recorded(), [last_rejected(2, "ThrottlingException")]).await.0, failures("102"));
}

#[tokio::test]
async fn unreadable_record_is_set_aside_and_later_events_are_sent() {
    let (response, requests) = handle(with_newer_state(), [accepted(1), stored(), accepted(1)]).await;
    assert_eq!(response, no_failures());
    let letter = dead_letter_of(&requests[1]);
    assert_eq!(letter["record"], with_newer_state()["Records"][1], "the whole record can be recovered");
    assert!(letter["error"].as_str().unwrap().contains("a state of a later version"), "{letter}");
    let later: Value = serde_json::from_str(requests[2].json()["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(later["state"], "published");
}

#[tokio::test]
async fn event_that_eventbridge_calls_invalid_is_set_aside() {
    let script = [last_rejected(1, "MalformedDetail"), stored(), stored(), accepted(1)];
    let (response, requests) = handle(with_newer_state(), script).await;
    assert_eq!(response, no_failures());
    assert_eq!(dead_letter_of(&requests[1])["record"], recorded()["Records"][0]);
}

#[tokio::test]
async fn record_is_repeated_if_the_dead_letter_queue_fails() {
    assert_eq!(handle(with_newer_state(), [accepted(1), unavailable()]).await.0, failures("101"));
    assert_eq!(handle(recorded(), [last_rejected(2, "MalformedDetail"), unavailable()]).await.0, failures("102"));
}

#[test]
fn too_large_record_is_set_aside_without_its_images() {
    let mut record = recorded()["Records"][0].clone();
    record["dynamodb"]["NewImage"]["title"] = json!({ "S": "x".repeat(DeadLetterQueue::MAX_MESSAGE) });
    let letter: Value = serde_json::from_str(&dead_letter(&record, "no")).unwrap();
    let change = &letter["record"]["dynamodb"];
    assert_eq!((&change["Keys"], &change["NewImage"]), (&record["dynamodb"]["Keys"], &Value::Null));
    assert_eq!(change["SequenceNumber"], "100");
}

#[test]
fn deleted_post_makes_no_event() {
    let mut event = recorded();
    event["Records"][0]["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    assert_eq!(events(event).len(), 1);
}

#[test]
fn payload_that_is_not_a_stream_batch_is_rejected() {
    for records in [json!([{ "dynamodb": {} }]), json!([{}])] {
        let event = serde_json::from_value(json!({ "Records": records })).unwrap();
        assert!(read(event, "dropcast").is_err(), "{records}");
    }
    assert!(serde_json::from_value::<StreamEvent>(json!({})).is_err());
}

#[test]
fn events_contain_no_secret_and_no_lease() {
    let details: String = events(recorded()).iter().map(|event| event.detail.clone()).collect();
    for hidden in ["upload_url", "c2VhbGVk", "sealed", "lease", "write_token"] {
        assert!(!details.contains(hidden), "{hidden}: {details}");
    }
}
