//! The judgement of the whole run: what must hold whatever was told.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use tests::Cloud;
use tokio::process::Command;

use crate::harness::stories;

stories![among:
    no_rule_of_tiktoks_was_broken,
    no_direct_post_was_published_twice,
    no_post_is_forgotten,
    nothing_ended_in_the_dead_letter_queue,
    no_secret_is_in_a_log,
    no_secret_is_in_a_table,
];

/// States in which something is still to be done by itself.
const MOVING: [&str; 4] = ["scheduled", "queued", "uploading", "processing"];
/// Shorter ones could stand anywhere by chance.
const SHORTEST_SECRET: usize = 16;

type Item = HashMap<String, AttributeValue>;

async fn no_rule_of_tiktoks_was_broken(cloud: Arc<Cloud>) -> Result<()> {
    let broken = cloud.tiktok.ledger().await?.violations;
    ensure!(broken.is_empty(), "{broken:#?}");
    Ok(())
}

async fn no_direct_post_was_published_twice(cloud: Arc<Cloud>) -> Result<()> {
    let ledger = cloud.tiktok.ledger().await?;
    for publication in &ledger.publications {
        let same =
            |other: &&simulator::Publication| other.user == publication.user && other.sha256 == publication.sha256;
        let times = ledger.publications.iter().filter(same).count();
        ensure!(times == 1, "{times} times: {publication:?}");
    }
    Ok(())
}

async fn no_post_is_forgotten(cloud: Arc<Cloud>) -> Result<()> {
    for item in items(&cloud, &cloud.outputs().posts_table).await? {
        let state = item.get("state").and_then(|state| state.as_s().ok()).context("a post has a state")?;
        let due = item.contains_key("due_at") && item.contains_key("due_shard");
        ensure!(due || !MOVING.contains(&state.as_str()), "it is {state}, and never due: {:?}", item.get("id"));
    }
    Ok(())
}

async fn nothing_ended_in_the_dead_letter_queue(cloud: Arc<Cloud>) -> Result<()> {
    let count = QueueAttributeName::ApproximateNumberOfMessages;
    let ask = cloud.sqs.get_queue_attributes().queue_url(&cloud.outputs().dead_letter_queue_url);
    let told = ask.attribute_names(count.clone()).send().await?;
    let waiting = told.attributes().and_then(|all| all.get(&count)).context("the queue does not say")?;
    assert_eq!(waiting, "0");
    Ok(())
}

async fn no_secret_is_in_a_log(cloud: Arc<Cloud>) -> Result<()> {
    let secrets = secrets(&cloud).await?;
    let outputs = cloud.outputs();
    for function in [&outputs.publish_function, &outputs.status_function, &outputs.api_function] {
        let group = format!("/aws/lambda/{function}");
        let log = aws(&cloud, &["logs", "filter-log-events", "--log-group-name", &group]).await?;
        let lines = log["events"].as_array().context("a log has events")?;
        if *function == outputs.publish_function {
            ensure!(lines.len() > 3, "the log of {function} is too short to say anything");
        }
        for line in lines.iter().filter_map(|event| event["message"].as_str()) {
            ensure!(!secrets.iter().any(|secret| line.contains(secret)), "the log of {function} shows a secret");
            ensure!(!line.contains("upload_token="), "the log of {function} shows an upload URL");
        }
    }
    Ok(())
}

async fn no_secret_is_in_a_table(cloud: Arc<Cloud>) -> Result<()> {
    let secrets = secrets(&cloud).await?;
    let outputs = cloud.outputs();
    for table in [&outputs.posts_table, &outputs.accounts_table, &outputs.budgets_table] {
        let items = items(&cloud, table).await?;
        // Not every story comes as far as to use a budget.
        ensure!(!items.is_empty() || *table == outputs.budgets_table, "{table} is empty, which says nothing");
        for text in items.iter().flat_map(Item::values).flat_map(texts) {
            ensure!(!secrets.iter().any(|secret| text.contains(secret)), "{table} shows a secret");
        }
    }
    Ok(())
}

/// Every text in an attribute; bytes as if they were one.
fn texts(value: &AttributeValue) -> Vec<String> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => vec![text.clone()],
        AttributeValue::B(bytes) => vec![String::from_utf8_lossy(bytes.as_ref()).into_owned()],
        AttributeValue::Ss(all) | AttributeValue::Ns(all) => all.clone(),
        AttributeValue::L(all) => all.iter().flat_map(texts).collect(),
        AttributeValue::M(all) => all.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Every secret that TikTok issued, and the app's own.
async fn secrets(cloud: &Cloud) -> Result<Vec<String>> {
    let mut secrets = cloud.tiktok.secrets().await?;
    let app =
        aws(cloud, &["secretsmanager", "get-secret-value", "--secret-id", &cloud.outputs().app_secret_arn]).await?;
    let app: Value = serde_json::from_str(app["SecretString"].as_str().context("the app's secret is text")?)?;
    secrets.extend(app["client_secret"].as_str().map(str::to_owned));
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    ensure!(secrets.len() > 1, "TikTok issued no secret, so nothing can be looked for");
    Ok(secrets)
}

async fn items(cloud: &Cloud, table: &str) -> Result<Vec<Item>> {
    let pages = cloud.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items();
    let mut pages = pages.send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item?);
    }
    Ok(items)
}

/// Asks the AWS CLI for what no other part of the tests needs a client for.
pub(crate) async fn aws(cloud: &Cloud, arguments: &[&str]) -> Result<Value> {
    let mut command = Command::new(&cloud.contract.aws_cli);
    command.args(arguments).args(["--output", "json"]).envs(cloud.contract.cli_environment());
    let done = command.stdin(Stdio::null()).output().await.context("the AWS CLI cannot be run")?;
    ensure!(done.status.success(), "aws {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    let said = done.stdout.trim_ascii();
    if said.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(said)?) }
}
