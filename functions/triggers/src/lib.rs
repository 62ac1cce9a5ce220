//! Parses the events that invoke `publish`.
//!
//! They are messages of the intake queue, S3 notifications, S3 events of EventBridge, and wake messages
//! ([`domain::wake_message`]), with which the functions ask for work on a post.
//!
//! This crate only parses. It knows no bucket, queue or table. Invariant: no input makes it panic, and an invalid
//! record does not prevent the other records of its event from being read.

use aws_lambda_events::s3::{S3Event, S3EventRecord};
use aws_lambda_events::sqs::SqsEvent;
use domain::failure::single_line;
use domain::identity::PostId;
use domain::source::Arrival;
use domain::wake_message;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The longest explanation in an error, in characters. The explanation may quote the input.
const MAX_EXPLANATION: usize = 300;

/// Work for `publish`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WakeUp {
    /// An object was put into the bucket.
    Arrival(Arrival),
    /// A post is to be worked on.
    Post(PostId),
}

/// The payload of an invocation.
#[derive(Debug)]
pub enum Trigger {
    /// A batch of messages of the intake queue. [`read_body`] parses each.
    Queue(SqsEvent),
    /// One event, from EventBridge or from a person who invokes the function.
    Event(WakeUps),
}

/// The work that an event asks for. A record that cannot be parsed is an error of its own.
pub type WakeUps = Vec<Result<WakeUp, UnknownEvent>>;

/// A payload that is not one of the known events, or an invalid record.
#[derive(Debug, thiserror::Error)]
pub enum UnknownEvent {
    /// The message is not JSON.
    #[error("the message is not JSON: expected an S3 notification, an EventBridge S3 event or {{\"post_id\": …}}")]
    NotJson(#[source] serde_json::Error),
    /// The JSON is not one of the known events.
    #[error("unknown event: expected an S3 notification, an EventBridge S3 event, an SQS event or {{\"post_id\": …}}")]
    Kind,
    /// The event is of a known kind, and invalid.
    #[error("invalid {kind}: {why}")]
    Malformed {
        /// The kind of the event.
        kind: &'static str,
        /// Why it is invalid.
        why: String,
    },
}

impl Trigger {
    /// Parses the payload of an invocation. The messages of a batch are not parsed yet.
    ///
    /// # Errors
    /// The payload is not one of the known events.
    pub fn read(payload: Value) -> Result<Self, UnknownEvent> {
        if payload.pointer("/Records/0/eventSource").and_then(Value::as_str) == Some("aws:sqs") {
            return serde_json::from_value(payload).map(Self::Queue).map_err(|e| malformed("SQS event", &e));
        }
        wake_ups_of(payload).map(Self::Event)
    }
}

/// Parses the body of a message of the intake queue.
///
/// # Errors
/// The body is not one of the known events.
pub fn read_body(body: &str) -> Result<WakeUps, UnknownEvent> {
    wake_ups_of(serde_json::from_str(body).map_err(UnknownEvent::NotJson)?)
}

fn wake_ups_of(event: Value) -> Result<WakeUps, UnknownEvent> {
    if event.get("post_id").is_some() {
        let id = wake_message::post_of(&event.to_string());
        let id = id
            .ok_or(UnknownEvent::Malformed { kind: "wake message", why: "post_id is not the id of a post".to_owned() });
        return Ok(vec![id.map(WakeUp::Post)]);
    }
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        tracing::info!("S3 test event received: the bucket can send to the queue");
        return Ok(vec![]);
    }
    if event.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return event_bridge_wake_ups(event);
    }
    if event.get("Records").is_some() {
        let event: S3Event = serde_json::from_value(event).map_err(|e| malformed("S3 notification", &e))?;
        return Ok(event.records.into_iter().filter_map(|record| record_wake_up(record).transpose()).collect());
    }
    Err(UnknownEvent::Kind)
}

/// Parses a record of an S3 notification; none if no object was created.
fn record_wake_up(record: S3EventRecord) -> Result<Option<WakeUp>, UnknownEvent> {
    let name = record.event_name.unwrap_or_default();
    if !name.starts_with("ObjectCreated:") {
        tracing::info!(event.name = name, "event ignored: no object was created");
        return Ok(None);
    }
    let missing = |what| UnknownEvent::Malformed { kind: "S3 notification", why: format!("it has no {what}") };
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
fn decoded(key: &str) -> Result<String, UnknownEvent> {
    let spaced = key.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| UnknownEvent::Malformed { kind: "S3 notification", why: "its key is not UTF-8".into() })
}

#[derive(Deserialize)]
struct BridgeEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Option<String>,
    detail: BridgeDetail,
}

#[derive(Deserialize)]
struct BridgeDetail {
    bucket: BridgeBucket,
    object: BridgeObject,
}

#[derive(Deserialize)]
struct BridgeBucket {
    name: String,
}

#[derive(Deserialize)]
struct BridgeObject {
    key: String,
    size: Option<u64>,
    etag: Option<String>,
    #[serde(rename = "version-id")]
    version_id: Option<String>,
}

/// Parses an S3 event of EventBridge, whose keys are not encoded.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
fn event_bridge_wake_ups(event: Value) -> Result<WakeUps, UnknownEvent> {
    let event: BridgeEvent = serde_json::from_value(event).map_err(|e| malformed("EventBridge S3 event", &e))?;
    if event.detail_type != "Object Created" {
        tracing::info!(event.name = event.detail_type, "event ignored: no object was created");
        return Ok(vec![]);
    }
    let BridgeDetail { bucket, object } = event.detail;
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

fn malformed(kind: &'static str, error: &serde_json::Error) -> UnknownEvent {
    UnknownEvent::Malformed { kind, why: single_line(&error.to_string(), MAX_EXPLANATION) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut event = recorded("s3-put.json");
        let mut broken = event["Records"][0].clone();
        broken["s3"]["object"]["key"] = "drop/%FF.mp4".into();
        event["Records"].as_array_mut().unwrap().insert(0, broken);
        let wake_ups = wake_ups_of(event).unwrap();
        assert!(wake_ups[0].is_err() && wake_ups[1].is_ok(), "{wake_ups:?}");
    }

    #[test]
    fn key_is_decoded_like_a_form() {
        assert_eq!(decoded("drop/a+b%2Bc%C3%BC%201.mp4").unwrap(), "drop/a b+cü 1.mp4");
        assert!(decoded("drop/%FF.mp4").is_err());
    }
}
