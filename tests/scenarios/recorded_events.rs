//! The recorded events in `events/`, changed to the names of a drop, and the invocation of functions with them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use aws_sdk_lambda::primitives::Blob;
use harness::{Cloud, Dropped};
use serde_json::{Value, json};

/// Reads a recorded event.
pub(crate) fn recorded(name: &str) -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{name} is not JSON"))
}

/// Invokes a function, and returns its response.
pub(crate) async fn invoke(cloud: &Cloud, function: &str, event: &Value) -> Result<Value> {
    let payload = Blob::new(event.to_string());
    let invoked = cloud.lambda.invoke().function_name(function).payload(payload).send().await?;
    let response = invoked.payload().map(|payload| payload.as_ref().to_vec()).unwrap_or_default();
    if let Some(kind) = invoked.function_error() {
        bail!("{function} failed ({kind}): {}", String::from_utf8_lossy(&response));
    }
    Ok(serde_json::from_slice(&response)?)
}

/// Invokes `publish`, and returns its response.
pub(crate) async fn publish(cloud: &Cloud, event: &Value) -> Result<Value> {
    invoke(cloud, &cloud.outputs().publish_function, event).await
}

/// Invokes `publish` with a batch of messages, and checks which of them it returns to the queue.
pub(crate) async fn publish_batch(cloud: &Cloud, messages: &Value, failed: &[&str]) -> Result<()> {
    let response = publish(cloud, messages).await?;
    let failed: Vec<_> = failed.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    assert_eq!(response["batchItemFailures"], json!(failed));
    Ok(())
}

/// Changes a record of an S3 notification so that it names a drop's object.
pub(crate) fn about(mut record: Value, dropped: &Dropped) -> Result<Value> {
    record["s3"]["bucket"]["name"] = json!(dropped.source.bucket);
    record["s3"]["object"]["key"] = json!(form_encoded(&dropped.source.key));
    record["s3"]["object"]["versionId"] = json!(dropped.version()?);
    record["s3"]["object"]["size"] = json!(dropped.video.bytes);
    Ok(record)
}

/// Encodes a key as S3 notifications do: like an HTML form.
fn form_encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_*".contains(&byte);
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    key.bytes().map(encode).collect()
}

/// The S3 notification about a drop.
pub(crate) fn notification(dropped: &Dropped) -> Result<Value> {
    let mut event = recorded("s3-put.json")?;
    event["Records"][0] = about(event["Records"][0].clone(), dropped)?;
    Ok(event)
}

/// The `EventBridge` event about a drop. The key is not encoded in it.
pub(crate) fn bridged(dropped: &Dropped) -> Result<Value> {
    let mut event = recorded("eventbridge-s3-object-created.json")?;
    event["detail"]["bucket"]["name"] = json!(dropped.source.bucket);
    event["detail"]["object"]["key"] = json!(dropped.source.key);
    event["detail"]["object"]["version-id"] = json!(dropped.version()?);
    event["detail"]["object"]["size"] = json!(dropped.video.bytes);
    Ok(event)
}

/// A message of the intake queue with this id and body.
pub(crate) fn message(id: &str, body: &str) -> Result<Value> {
    let mut message = recorded("sqs-s3-put.json")?["Records"][0].clone();
    message["messageId"] = json!(id);
    message["body"] = json!(body);
    Ok(message)
}
