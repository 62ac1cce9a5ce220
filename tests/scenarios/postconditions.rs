//! Postconditions: checks of the whole cloud after every run, whichever scenarios ran.

mod metric_schema;
mod secret_leaks;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use harness::Cloud;
use serde_json::Value;
use simulator::Publication;

use crate::aws_cli::queue_length;
use crate::runner::scenarios;

scenarios![concurrent:
    no_tiktok_rule_was_violated,
    no_direct_post_was_published_twice,
    every_unfinished_post_is_due,
    no_dead_letters_remain,
    no_permission_was_denied;
    secret_leaks, metric_schema
];

/// States in which Dropcast still has something to do.
const UNFINISHED: [&str; 4] = ["scheduled", "queued", "uploading", "processing"];

type Item = HashMap<String, AttributeValue>;

async fn no_tiktok_rule_was_violated(cloud: Arc<Cloud>) -> Result<()> {
    let violations = cloud.tiktok.ledger().await?.violations;
    ensure!(violations.is_empty(), "{violations:#?}");
    Ok(())
}

/// Each test video is unique, so two equal publications of one user are a duplicate.
async fn no_direct_post_was_published_twice(cloud: Arc<Cloud>) -> Result<()> {
    let ledger = cloud.tiktok.ledger().await?;
    for publication in &ledger.publications {
        let equal = |other: &&Publication| other.user == publication.user && other.sha256 == publication.sha256;
        let times = ledger.publications.iter().filter(equal).count();
        ensure!(times == 1, "{times} times: {publication:?}");
    }
    Ok(())
}

async fn every_unfinished_post_is_due(cloud: Arc<Cloud>) -> Result<()> {
    for item in items(&cloud, &cloud.outputs().posts_table).await? {
        let state = item.get("state").and_then(|state| state.as_s().ok()).context("a post has a state")?;
        let due = item.contains_key("due_at") && item.contains_key("due_shard");
        ensure!(due || !UNFINISHED.contains(&state.as_str()), "it is {state}, but never due: {:?}", item.get("id"));
    }
    Ok(())
}

async fn no_dead_letters_remain(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    for queue in [&outputs.dead_letter_queue_url, &outputs.status_dlq_url, &outputs.notices_dlq_url] {
        assert_eq!(queue_length(&cloud, queue).await?, 0, "{queue}");
    }
    Ok(())
}

/// A function without a permission can still seem to work: `status` wakes a post later if a wake message could not be
/// sent. The decisions that the local cloud's IAM recorded show the denial.
async fn no_permission_was_denied(cloud: Arc<Cloud>) -> Result<()> {
    let log = std::fs::read_to_string(cloud.contract.logs.join("permissions.log")).context("IAM decided nothing")?;
    let decisions: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(decisions.iter().any(|fact| fact["decision"] == "Allow"), "the log is empty, so this check proves nothing");
    let denied: Vec<_> = decisions.iter().filter(|fact| fact["decision"] == "ImplicitDeny").collect();
    ensure!(denied.is_empty(), "{denied:#?}");
    Ok(())
}

/// Every item of a table.
async fn items(cloud: &Cloud, table: &str) -> Result<Vec<Item>> {
    let pages = cloud.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items();
    let mut pages = pages.send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item?);
    }
    Ok(items)
}
