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
    nothing_ended_in_a_dead_letter_queue,
    nobody_was_refused_what_it_asked_for,
];

/// States in which something is still to be done by itself.
const MOVING: [&str; 4] = ["scheduled", "queued", "uploading", "processing"];

pub(crate) type Item = HashMap<String, AttributeValue>;

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

async fn nothing_ended_in_a_dead_letter_queue(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    for queue in [&outputs.dead_letter_queue_url, &outputs.status_dlq_url, &outputs.notices_dlq_url] {
        assert_eq!(waiting(&cloud, queue).await?, "0", "{queue}");
    }
    Ok(())
}

/// How many messages are in a queue.
pub(crate) async fn waiting(cloud: &Cloud, queue: &str) -> Result<String> {
    let count = QueueAttributeName::ApproximateNumberOfMessages;
    let told = cloud.sqs.get_queue_attributes().queue_url(queue).attribute_names(count.clone()).send().await?;
    told.attributes().and_then(|all| all.get(&count)).cloned().context("the queue does not say")
}

/// A function that lacks a permission may get by without it: a bell that is not rung
/// is made good by the next look. What IAM decided says so all the same.
async fn nobody_was_refused_what_it_asked_for(cloud: Arc<Cloud>) -> Result<()> {
    let noted = std::fs::read_to_string(cloud.contract.logs.join("permissions.log")).context("IAM decided nothing")?;
    let decisions: Vec<Value> = noted.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(decisions.iter().any(|fact| fact["decision"] == "Allow"), "nobody asked for anything: this says nothing");
    let refused: Vec<_> = decisions.iter().filter(|fact| fact["decision"] == "ImplicitDeny").collect();
    ensure!(refused.is_empty(), "{refused:#?}");
    Ok(())
}

/// Everything in a table.
pub(crate) async fn items(cloud: &Cloud, table: &str) -> Result<Vec<Item>> {
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
