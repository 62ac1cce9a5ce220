//! Changes of the deployed stack: its parameters, and restarts of the API function after its secret was changed.
//!
//! They affect every creator, so scenarios that use them are exclusive.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_lambda::types::LastUpdateStatus;
use futures::FutureExt as _;
use harness::Cloud;
use serde_json::{Value, json};

use crate::aws_cli::aws;
use crate::runner::poll_until;

/// How long an update may take.
const UPDATE_TIMEOUT: Duration = Duration::from_mins(1);
const READ_INTERVAL: Duration = Duration::from_millis(200);

/// Deploys the stack with other parameters while `scenario` runs. Only for parameters that are empty by default:
/// afterwards each is empty, whatever it was before.
pub(crate) async fn deployed_with(
    cloud: &Cloud,
    parameters: &[(&str, &str)],
    scenario: impl Future<Output = Result<()>>,
) -> Result<()> {
    let defaults: Vec<_> = parameters.iter().map(|(name, _)| (*name, "")).collect();
    let scenario = async {
        update(cloud, parameters).await?;
        scenario.await
    };
    and_restore(scenario, update(cloud, &defaults)).await
}

/// Runs `scenario`, then `restore`, even if the scenario fails or panics.
pub(crate) async fn and_restore<T>(
    scenario: impl Future<Output = Result<T>>,
    restore: impl Future<Output = Result<()>>,
) -> Result<T> {
    let result = AssertUnwindSafe(scenario).catch_unwind().await;
    restore.await?;
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Updates parameters of the stack. Its template stays.
async fn update(cloud: &Cloud, parameters: &[(&str, &str)]) -> Result<()> {
    let stack = ["--stack-name", cloud.outputs().api_function.trim_end_matches("-api")];
    let describe = [&["cloudformation", "describe-stacks"], &stack[..]].concat();
    let current = aws(cloud, &describe).await?;
    let current = current["Stacks"][0]["Parameters"].as_array().context("a stack has parameters")?;
    let updated = current.iter().map(|parameter| {
        let name = parameter["ParameterKey"].as_str().unwrap_or_default();
        match parameters.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => json!({ "ParameterKey": name, "ParameterValue": value }),
            None => json!({ "ParameterKey": name, "UsePreviousValue": true }),
        }
    });
    let updated = Value::Array(updated.collect()).to_string();
    let command = ["cloudformation", "update-stack", "--use-previous-template", "--parameters", &updated];
    let command = [&command[..], &["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"], &stack[..]].concat();
    aws(cloud, &command).await?;
    poll_until("updated stack", UPDATE_TIMEOUT, READ_INTERVAL, async || {
        let now = aws(cloud, &describe).await?;
        match now["Stacks"][0]["StackStatus"].as_str() {
            Some("UPDATE_COMPLETE") => Ok(Some(())),
            Some("UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") => Ok(None),
            other => bail!("the stack's status is {other:?}: {}", now["Stacks"][0]["StackStatusReason"]),
        }
    })
    .await
}

/// Restarts the API function, because a running function reads the secret only every five minutes. A change
/// of its configuration restarts it: its timeout grows by so many seconds. To undo that, call it with the negative number.
pub(crate) async fn restart_api(cloud: &Cloud, seconds: i32) -> Result<()> {
    let function = &cloud.outputs().api_function;
    let configuration = || cloud.lambda.get_function_configuration().function_name(function).send();
    let timeout = configuration().await?.timeout().context("a function has a timeout")? + seconds;
    cloud.lambda.update_function_configuration().function_name(function).timeout(timeout).send().await?;
    poll_until("updated function", UPDATE_TIMEOUT, READ_INTERVAL, async || {
        let status = configuration().await?.last_update_status().cloned();
        Ok((status == Some(LastUpdateStatus::Successful)).then_some(()))
    })
    .await
}
