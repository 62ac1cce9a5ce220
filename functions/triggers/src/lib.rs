//! The parser of the events that invoke the function `publish`.
//!
//! An event is an SQS batch of the intake queue, or a bare event. Each message and each bare event is an S3
//! notification, an EventBridge S3 event or a wake message ([`domain::wake_message`]), by which `api`, `publish` and
//! `status` ask for work on a post.
//!
//! This crate only parses. It knows no bucket, queue or table. Invariant: no input makes it panic, and an invalid
//! record of an S3 notification does not prevent the other records from being read. One event could otherwise lose the
//! videos of its valid records.

use aws_lambda_events::s3::S3EventRecord;
use aws_lambda_events::sqs::SqsEvent;
use domain::failure::single_line;
use domain::identity::PostId;
use domain::source::Arrival;
use domain::wake_message::WakeMessage;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The longest reason in [`EventError::Malformed`], in characters. The reason may quote the input.
const MAX_REASON: usize = 300;

const S3_NOTIFICATION: &str = "S3 notification";

/// One piece of work for `publish`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WakeUp {
    /// Submit an object that was put into the bucket.
    Arrival(Arrival),
    /// Continue a post that is stored.
    Post(PostId),
}

/// The parsed payload of an invocation.
#[derive(Debug)]
pub enum Trigger {
    /// An SQS batch of the intake queue. Its messages are not parsed yet: [`read_body`] parses one.
    Queue(SqsEvent),
    /// A bare event: an EventBridge rule or a person invoked the function directly.
    Event(WakeUps),
}

/// The work that one message or bare event asks for. A record that cannot be parsed is an error beside the work of the
/// other records.
pub type WakeUps = Vec<Result<WakeUp, EventError>>;

/// A message, bare event or record that cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The message is not JSON.
    #[error("the message is not JSON: expected an S3 notification, an EventBridge S3 event or {{\"post_id\": …}}")]
    NotJson(#[source] serde_json::Error),
    /// The JSON is of none of the known kinds.
    #[error("unknown event: expected an S3 notification, an EventBridge S3 event, an SQS event or {{\"post_id\": …}}")]
    UnknownKind,
    /// The event or record is of a known kind, but its fields are invalid.
    #[error("invalid {kind}: {why}")]
    Malformed {
        /// The kind of the event.
        kind: &'static str,
        /// Why it is invalid.
        why: String,
    },
}

impl Trigger {
    /// Parses the payload of an invocation, but not the messages of an SQS batch.
    ///
    /// # Errors
    /// The payload is an invalid SQS batch, or [`read_body`] rejects it as a bare event.
    pub fn read(payload: Value) -> Result<Self, EventError> {
        if payload.pointer("/Records/0/eventSource").and_then(Value::as_str) == Some("aws:sqs") {
            return serde_json::from_value(payload).map(Self::Queue).map_err(|e| malformed("SQS event", &e));
        }
        wake_ups_of(payload).map(Self::Event)
    }
}

/// Parses the body of a message of the intake queue.
///
/// # Errors
/// The whole body cannot be parsed. An invalid record of an S3 notification is an error in [`WakeUps`] instead.
pub fn read_body(body: &str) -> Result<WakeUps, EventError> {
    wake_ups_of(serde_json::from_str(body).map_err(EventError::NotJson)?)
}

/// Parses a bare event or the body of a message.
fn wake_ups_of(mut event: Value) -> Result<WakeUps, EventError> {
    if event.get("post_id").is_some() {
        let message = serde_json::from_value(event).map_err(|e| malformed("wake message", &e));
        return Ok(vec![message.map(|WakeMessage { post_id }| WakeUp::Post(post_id))]);
    }
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        tracing::info!("S3 test event received: the bucket can send to the queue");
        return Ok(vec![]);
    }
    if event.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return event_bridge_wake_ups(event);
    }
    if let Some(records) = event.get_mut("Records") {
        let records: Vec<Value> = serde_json::from_value(records.take()).map_err(|e| malformed(S3_NOTIFICATION, &e))?;
        return Ok(records.into_iter().filter_map(|record| record_wake_up(record).transpose()).collect());
    }
    Err(EventError::UnknownKind)
}

/// Parses one record of an S3 notification; none if the record does not report a created object.
///
/// The trace stays empty, because the record has none: the handler (`functions/publish/src/handler.rs`) adds the
/// trace of the message's sender.
fn record_wake_up(record: Value) -> Result<Option<WakeUp>, EventError> {
    let record: S3EventRecord = serde_json::from_value(record).map_err(|e| malformed(S3_NOTIFICATION, &e))?;
    let name = record.event_name.unwrap_or_default();
    if !name.starts_with("ObjectCreated:") {
        tracing::info!(event.name = name, "event ignored: no object was created");
        return Ok(None);
    }
    let missing = |what| EventError::Malformed { kind: S3_NOTIFICATION, why: format!("it has no {what}") };
    let at = record.event_time.timestamp_millis();
    let object = record.s3.object;
    let key = object.key.ok_or_else(|| missing("key"))?;
    Ok(Some(WakeUp::Arrival(Arrival {
        bucket: record.s3.bucket.name.ok_or_else(|| missing("bucket"))?,
        key: decoded(&key)?,
        version_id: object.version_id,
        etag: object.e_tag,
        bytes: object.size.and_then(|size| u64::try_from(size).ok()),
        at: Timestamp::from_millisecond(at).ok(),
        trace: None,
    })))
}

/// Decodes a key of an S3 notification, which is encoded as in an HTML form: `+` is a space.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
fn decoded(key: &str) -> Result<String, EventError> {
    let spaced = key.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| EventError::Malformed { kind: S3_NOTIFICATION, why: "its key is not UTF-8".into() })
}

#[derive(Deserialize)]
struct EventBridgeEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Option<String>,
    detail: EventBridgeDetail,
}

#[derive(Deserialize)]
struct EventBridgeDetail {
    bucket: EventBridgeBucket,
    object: EventBridgeObject,
}

#[derive(Deserialize)]
struct EventBridgeBucket {
    name: String,
}

#[derive(Deserialize)]
struct EventBridgeObject {
    key: String,
    size: Option<u64>,
    etag: Option<String>,
    #[serde(rename = "version-id")]
    version_id: Option<String>,
}

/// Parses an EventBridge S3 event; no wake-up if it does not report a created object. Its key is not encoded. As in
/// [`record_wake_up`], the handler adds the trace.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
fn event_bridge_wake_ups(event: Value) -> Result<WakeUps, EventError> {
    let event: EventBridgeEvent = serde_json::from_value(event).map_err(|e| malformed("EventBridge S3 event", &e))?;
    if event.detail_type != "Object Created" {
        tracing::info!(event.name = event.detail_type, "event ignored: no object was created");
        return Ok(vec![]);
    }
    let EventBridgeDetail { bucket, object } = event.detail;
    Ok(vec![Ok(WakeUp::Arrival(Arrival {
        bucket: bucket.name,
        key: object.key,
        version_id: object.version_id,
        etag: object.etag,
        bytes: object.size,
        at: event.time.as_deref().and_then(|time| time.parse().ok()),
        trace: None,
    }))])
}

fn malformed(kind: &'static str, error: &serde_json::Error) -> EventError {
    EventError::Malformed { kind, why: single_line(&error.to_string(), MAX_REASON) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The event that `events/{name}` contains.
    fn recorded(name: &str) -> Value {
        let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect(&path)
    }

    fn wake_ups(name: &str) -> Vec<WakeUp> {
        let wake_ups: WakeUps = match Trigger::read(recorded(name)).unwrap() {
            Trigger::Event(wake_ups) => wake_ups,
            Trigger::Queue(event) => {
                let bodies = event.records.iter().map(|m| m.body.as_deref().unwrap_or_default());
                bodies.flat_map(|body| read_body(body).unwrap()).collect()
            }
        };
        wake_ups.into_iter().map(Result::unwrap).collect()
    }

    fn keys(name: &str) -> Vec<String> {
        let key = |wake_up| match wake_up {
            WakeUp::Arrival(arrival) => arrival.key,
            WakeUp::Post(id) => id.to_string(),
        };
        wake_ups(name).into_iter().map(key).collect()
    }

    #[test]
    fn recorded_s3_events_are_parsed() {
        for name in ["s3-put.json", "sqs-s3-put.json", "eventbridge-s3-object-created.json"] {
            let wake_ups = wake_ups(name);
            let [WakeUp::Arrival(arrival)] = wake_ups.as_slice() else { panic!("{name}: {wake_ups:?}") };
            assert!(arrival.key.starts_with("drop/"), "{name}: {arrival:?}");
            assert!(!arrival.key.contains(['%', '+']), "{name}: the key is decoded: {}", arrival.key);
            let at = arrival.at.map(|at| at.to_string());
            assert!(at.is_some_and(|at| at.starts_with("2026-11-22T09:30:12")), "{name}: {:?}", arrival.at);
            assert!(arrival.version_id.is_some() && arrival.etag.is_some() && arrival.bytes.is_some(), "{name}");
        }
    }

    #[test]
    fn each_record_becomes_a_wake_up_with_decoded_key() {
        let keys = keys("sqs-several-records.json");
        assert!(keys.len() > 1, "{keys:?}");
        assert!(keys.iter().any(|key| !key.is_ascii()), "{keys:?}");
    }

    #[test]
    fn test_event_asks_for_no_work() {
        assert_eq!(wake_ups("sqs-s3-test.json"), vec![]);
    }

    #[test]
    fn wake_message_names_its_post() {
        let wake_ups = wake_ups("sqs-post-due.json");
        assert!(matches!(wake_ups.as_slice(), [WakeUp::Post(_)]), "{wake_ups:?}");
    }

    #[test]
    fn unknown_event_is_rejected_with_the_expected_kinds() {
        for body in ["", "hello", "{}", "[]", "null", r#"{"post_id":"short"}"#, r#"{"Records":[{}]}"#] {
            let read = read_body(body).and_then(|wake_ups| wake_ups.into_iter().collect::<Result<Vec<_>, _>>());
            let error = read.unwrap_err().to_string();
            assert!(error.contains("S3 notification") || error.contains("wake message"), "{body}: {error}");
        }
    }

    #[test]
    fn error_is_one_short_line_for_any_input() {
        let mut event = recorded("eventbridge-s3-object-created.json");
        event["detail"]["object"]["size"] = "x\n".repeat(60_000).into();
        let error = wake_ups_of(event).unwrap_err().to_string();
        assert!(error.len() < 500 && !error.contains('\n'), "{error}");
    }

    #[test]
    fn removed_object_asks_for_no_work() {
        let mut event = recorded("s3-put.json");
        event["Records"][0]["eventName"] = "ObjectRemoved:Delete".into();
        assert!(wake_ups_of(event).unwrap().is_empty());
    }

    #[test]
    fn invalid_record_does_not_hide_other_records() {
        let event = recorded("s3-put.json");
        let valid = &event["Records"][0];
        let mut wrong_key = valid.clone();
        wrong_key["s3"]["object"]["key"] = "drop/%FF.mp4".into();
        let mut wrong_size = valid.clone();
        wrong_size["s3"]["object"]["size"] = "1024".into();
        let mut without_time = valid.clone();
        without_time.as_object_mut().unwrap().remove("eventTime");
        for invalid in [wrong_key, wrong_size, without_time, Value::Null] {
            let wake_ups = wake_ups_of(serde_json::json!({ "Records": [invalid, valid] })).unwrap();
            assert!(wake_ups[0].is_err() && wake_ups[1].is_ok(), "{invalid}: {wake_ups:?}");
        }
    }

    #[test]
    fn key_is_decoded_like_a_form() {
        assert_eq!(decoded("drop/a+b%2Bc%C3%BC%201.mp4").unwrap(), "drop/a b+cü 1.mp4");
        assert!(decoded("drop/%FF.mp4").is_err());
    }
}
