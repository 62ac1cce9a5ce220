//! The AWS CLI of the local cloud, for calls that need no SDK client elsewhere.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use harness::Cloud;
use serde_json::Value;
use tokio::process::Command;

/// Runs the AWS CLI, and returns its JSON output; null if it prints nothing.
pub(crate) async fn aws(cloud: &Cloud, arguments: &[&str]) -> Result<Value> {
    let mut command = Command::new(&cloud.contract.aws_cli);
    command.args(arguments).args(["--output", "json"]).envs(cloud.contract.cli_environment());
    let done = command.stdin(Stdio::null()).output().await.context("the AWS CLI cannot be run")?;
    ensure!(done.status.success(), "aws {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    let output = done.stdout.trim_ascii();
    if output.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(output)?) }
}

/// Reads the secret with the TikTok app's credentials.
pub(crate) async fn app_secret(cloud: &Cloud) -> Result<Value> {
    let id = &cloud.outputs().app_secret_arn;
    let secret = aws(cloud, &["secretsmanager", "get-secret-value", "--secret-id", id]).await?;
    Ok(serde_json::from_str(text(&secret, "SecretString")?)?)
}

/// Writes the secret with the TikTok app's credentials, and returns the new version's id.
pub(crate) async fn put_app_secret(cloud: &Cloud, secret: &Value) -> Result<String> {
    let (id, secret) = (&cloud.outputs().app_secret_arn, secret.to_string());
    let put = ["secretsmanager", "put-secret-value", "--secret-id", id, "--secret-string", &secret];
    Ok(text(&aws(cloud, &put).await?, "VersionId")?.to_owned())
}

/// A text field of a JSON object.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("there is no text {field} in {value}"))
}

/// The approximate number of messages in a queue.
pub(crate) async fn queue_length(cloud: &Cloud, queue: &str) -> Result<u32> {
    let count = QueueAttributeName::ApproximateNumberOfMessages;
    let read = cloud.sqs.get_queue_attributes().queue_url(queue).attribute_names(count.clone()).send().await?;
    let length = read.attributes().and_then(|attributes| attributes.get(&count));
    Ok(length.context("the queue has no length")?.parse()?)
}
