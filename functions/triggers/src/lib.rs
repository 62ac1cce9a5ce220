//! What wakes `publish`, in every form that it comes in: a message of the intake
//! queue, a bare S3 notification, an S3 event of `EventBridge`, our own bell.
//!
//! It reads and does nothing else; it knows no bucket, no queue and no table.
//! Its invariant: whatever the bytes are, it answers, and a call that cannot be
//! read keeps no other from being read.

use aws_lambda_events::s3::{S3Event, S3EventRecord};
use aws_lambda_events::sqs::SqsEvent;
use domain::failure::single_line;
use domain::identity::PostId;
use domain::source::Arrival;
use domain::wake_message;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// How much is said of what is wrong, in characters: it may quote what was sent.
const LONGEST_WHY: usize = 300;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WakeUp {
    /// An object arrived.
    Arrival(Arrival),
    /// A post wants work.
    WakeQueue(PostId),
}

/// What the function was invoked with.
#[derive(Debug)]
pub enum Trigger {
    /// Messages of the intake queue.
    Queue(SqsEvent),
    /// One event, by hand or from a bus.
    Event(WakeUps),
}

/// The calls of an event, each as far as it can be read.
pub type WakeUps = Vec<Result<WakeUp, UnknownEvent>>;

/// Something that is none of the events that the function knows.
#[derive(Debug, thiserror::Error)]
pub enum UnknownEvent {
    /// It is not even JSON.
    #[error("the message is no JSON: expected an S3 notification, an EventBridge S3 event or {{\"post_id\": …}}")]
    NotJson(#[source] serde_json::Error),
    /// It is JSON of another kind.
    #[error("the event is none of: S3 notification, EventBridge S3 event, SQS event, {{\"post_id\": …}}")]
    Kind,
    /// It is of a known kind, and not whole.
    #[error("the {kind} cannot be read: {why}")]
    Malformed {
        /// What it was taken for.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Trigger {
    /// Reads the payload of an invocation.
    ///
    /// # Errors
    /// Says what was expected; of a batch, the messages are still to be read.
    pub fn read(payload: Value) -> Result<Self, UnknownEvent> {
        if payload.pointer("/Records/0/eventSource").and_then(Value::as_str) == Some("aws:sqs") {
            return serde_json::from_value(payload).map(Self::Queue).map_err(|e| malformed("SQS event", &e));
        }
        calls_of(payload).map(Self::Event)
    }
}

/// Reads the body of a message of the intake queue.
///
/// # Errors
/// Says what was expected where the whole message is none of the events.
pub fn read_body(body: &str) -> Result<WakeUps, UnknownEvent> {
    calls_of(serde_json::from_str(body).map_err(UnknownEvent::NotJson)?)
}

fn calls_of(event: Value) -> Result<WakeUps, UnknownEvent> {
    if event.get("post_id").is_some() {
        let id = wake_message::post_of(&event.to_string());
        let id = id.ok_or(UnknownEvent::Malformed { kind: "bell", why: "post_id is no post's id".to_owned() });
        return Ok(vec![id.map(WakeUp::WakeQueue)]);
    }
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        tracing::info!("test event received: the bucket can reach the queue");
        return Ok(vec![]);
    }
    if event.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return of_event_bridge(event);
    }
    if event.get("Records").is_some() {
        let event: S3Event = serde_json::from_value(event).map_err(|e| malformed("S3 notification", &e))?;
        return Ok(event.records.into_iter().filter_map(|record| of_record(record).transpose()).collect());
    }
    Err(UnknownEvent::Kind)
}

fn of_record(record: S3EventRecord) -> Result<Option<WakeUp>, UnknownEvent> {
    let name = record.event_name.unwrap_or_default();
    if !name.starts_with("ObjectCreated:") {
        tracing::info!(event.name = name, "event ignored: nothing was created");
        return Ok(None);
    }
    let missing = |what| UnknownEvent::Malformed { kind: "S3 notification", why: format!("it names no {what}") };
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

/// Notifications encode keys as HTML forms do: `+` is a space.
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

/// EventBridge writes keys as they are.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
fn of_event_bridge(event: Value) -> Result<WakeUps, UnknownEvent> {
    let event: BridgeEvent = serde_json::from_value(event).map_err(|e| malformed("EventBridge S3 event", &e))?;
    if event.detail_type != "Object Created" {
        tracing::info!(event.name = event.detail_type, "event ignored: nothing was created");
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
    UnknownEvent::Malformed { kind, why: single_line(&error.to_string(), LONGEST_WHY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> Value {
        let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect(&path)
    }

    fn calls(name: &str) -> Vec<WakeUp> {
        let calls: WakeUps = match Trigger::read(recorded(name)).unwrap() {
            Trigger::Event(calls) => calls,
            Trigger::Queue(event) => {
                let bodies = event.records.iter().map(|m| m.body.as_deref().unwrap_or_default());
                bodies.flat_map(|body| read_body(body).unwrap()).collect()
            }
        };
        calls.into_iter().map(Result::unwrap).collect()
    }

    fn keys(name: &str) -> Vec<String> {
        let key = |call| match call {
            WakeUp::Arrival(arrival) => arrival.key,
            WakeUp::WakeQueue(id) => id.to_string(),
        };
        calls(name).into_iter().map(key).collect()
    }

    #[test]
    fn every_recorded_drop_is_understood() {
        for name in ["s3-put.json", "sqs-s3-put.json", "eventbridge-s3-object-created.json"] {
            let calls = calls(name);
            let [WakeUp::Arrival(arrival)] = calls.as_slice() else { panic!("{name}: {calls:?}") };
            assert!(arrival.key.starts_with("drop/"), "{name}: {arrival:?}");
            assert!(!arrival.key.contains(['%', '+']), "{name}: the key is decoded: {}", arrival.key);
            let at = arrival.at.map(|at| at.to_string());
            assert!(at.is_some_and(|at| at.starts_with("2026-11-22T09:30:12")), "{name}: {:?}", arrival.at);
            assert!(arrival.version_id.is_some() && arrival.etag.is_some() && arrival.bytes.is_some(), "{name}");
        }
    }

    #[test]
    fn several_records_are_several_calls_and_their_keys_are_decoded() {
        let keys = keys("sqs-several-records.json");
        assert!(keys.len() > 1, "{keys:?}");
        assert!(keys.iter().any(|key| !key.is_ascii()), "{keys:?}");
    }

    #[test]
    fn a_test_event_is_nothing_to_do_and_no_fault() {
        assert_eq!(calls("sqs-s3-test.json"), vec![]);
    }

    #[test]
    fn a_bell_names_its_post() {
        let calls = calls("sqs-post-due.json");
        assert!(matches!(calls.as_slice(), [WakeUp::WakeQueue(_)]), "{calls:?}");
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_was_expected() {
        for body in ["", "hello", "{}", "[]", "null", r#"{"post_id":"short"}"#, r#"{"Records":[{}]}"#] {
            let read = read_body(body).and_then(|calls| calls.into_iter().collect::<Result<Vec<_>, _>>());
            let error = read.unwrap_err().to_string();
            assert!(error.contains("S3 notification") || error.contains("bell"), "{body}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_short_line_whatever_was_sent() {
        let mut event = recorded("eventbridge-s3-object-created.json");
        event["detail"]["object"]["size"] = "x\n".repeat(60_000).into();
        let error = calls_of(event).unwrap_err().to_string();
        assert!(error.len() < 500 && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_removal_is_nothing_to_do() {
        let mut event = recorded("s3-put.json");
        event["Records"][0]["eventName"] = "ObjectRemoved:Delete".into();
        assert!(calls_of(event).unwrap().is_empty());
    }

    #[test]
    fn a_record_that_cannot_be_read_keeps_no_other_from_being_read() {
        let mut event = recorded("s3-put.json");
        let mut broken = event["Records"][0].clone();
        broken["s3"]["object"]["key"] = "drop/%FF.mp4".into();
        event["Records"].as_array_mut().unwrap().insert(0, broken);
        let calls = calls_of(event).unwrap();
        assert!(calls[0].is_err() && calls[1].is_ok(), "{calls:?}");
    }

    #[test]
    fn a_key_is_decoded_as_forms_are() {
        assert_eq!(decoded("drop/a+b%2Bc%C3%BC%201.mp4").unwrap(), "drop/a b+cü 1.mp4");
        assert!(decoded("drop/%FF.mp4").is_err());
    }
}
