//! What an operator changes of a deployed stack: its parameters, and the app's secret.
//!
//! Each of these is everybody's, so the stories that do so are told alone.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_lambda::types::LastUpdateStatus;
use futures::FutureExt as _;
use serde_json::{Value, json};
use tests::Cloud;

use crate::aftermath::aws;

/// The pause between two looks at the stack, and how many there are.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 300;

/// Gives the stack other parameters while something is told.
pub(crate) async fn deployed_with(
    cloud: &Cloud,
    parameters: &[(&str, &str)],
    told: impl Future<Output = Result<()>>,
) -> Result<()> {
    let nobody: Vec<_> = parameters.iter().map(|(name, _)| (*name, "")).collect();
    let told = async {
        update(cloud, parameters).await?;
        told.await
    };
    and_put_back(told, update(cloud, &nobody)).await
}

/// Tells something, and puts back what was changed for it, whatever comes of it.
pub(crate) async fn and_put_back(
    told: impl Future<Output = Result<()>>,
    put_back: impl Future<Output = Result<()>>,
) -> Result<()> {
    let told = AssertUnwindSafe(told).catch_unwind().await;
    put_back.await?;
    told.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Updates the stack, which is deployed from the project's own template.
async fn update(cloud: &Cloud, parameters: &[(&str, &str)]) -> Result<()> {
    let stack = ["--stack-name", cloud.outputs().api_function.trim_end_matches("-api")];
    let describe = [&["cloudformation", "describe-stacks"], &stack[..]].concat();
    let known = aws(cloud, &describe).await?;
    let known = known["Stacks"][0]["Parameters"].as_array().context("a stack has parameters")?;
    let wanted = known.iter().map(|parameter| {
        let name = parameter["ParameterKey"].as_str().unwrap_or_default();
        match parameters.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => json!({ "ParameterKey": name, "ParameterValue": value }),
            None => json!({ "ParameterKey": name, "UsePreviousValue": true }),
        }
    });
    let wanted = Value::Array(wanted.collect()).to_string();
    let order = ["cloudformation", "update-stack", "--use-previous-template", "--parameters", &wanted];
    let order = [&order[..], &["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"], &stack[..]].concat();
    aws(cloud, &order).await?;
    for _ in 0..LOOKS {
        let now = aws(cloud, &describe).await?;
        match now["Stacks"][0]["StackStatus"].as_str() {
            Some("UPDATE_COMPLETE") => return Ok(()),
            Some("UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") => tokio::time::sleep(LOOK).await,
            other => bail!("the stack is {other:?}: {}", now["Stacks"][0]["StackStatusReason"]),
        }
    }
    bail!("the stack was not updated in time")
}

/// The app's secret, as its operator finds it.
pub(crate) struct Secret<'a> {
    cloud: &'a Cloud,
    text: Value,
}

impl<'a> Secret<'a> {
    pub(crate) async fn read(cloud: &'a Cloud) -> Result<Self> {
        let id = &cloud.outputs().app_secret_arn;
        let known = aws(cloud, &["secretsmanager", "get-secret-value", "--secret-id", id]).await?;
        let text = serde_json::from_str(known["SecretString"].as_str().context("the secret is text")?)?;
        Ok(Self { cloud, text })
    }

    /// Puts it in, as the runbook says, with the one before beside it or without.
    pub(crate) async fn put(&self, before: Option<&str>) -> Result<()> {
        let mut text = self.text.clone();
        if let Some(before) = before {
            text["previous_client_secret"] = json!(before);
        }
        let (id, text) = (&self.cloud.outputs().app_secret_arn, text.to_string());
        let put = ["secretsmanager", "put-secret-value", "--secret-id", id, "--secret-string", &text];
        aws(self.cloud, &put).await.map(drop)
    }
}

/// Has the function begin anew, as any change of it does: what is there reads the
/// secret every five minutes, which is long in a test.
pub(crate) async fn renew(cloud: &Cloud, seconds: i32) -> Result<()> {
    let function = &cloud.outputs().api_function;
    let known = cloud.lambda.get_function_configuration().function_name(function).send().await?;
    let timeout = known.timeout().context("a function has a timeout")? + seconds;
    cloud.lambda.update_function_configuration().function_name(function).timeout(timeout).send().await?;
    for _ in 0..LOOKS {
        let now = cloud.lambda.get_function_configuration().function_name(function).send().await?;
        if now.last_update_status() == Some(&LastUpdateStatus::Successful) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("the function was not renewed in time")
}
