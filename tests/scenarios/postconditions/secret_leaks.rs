//! No secret is in anything that the run leaves behind. Secrets are every token, code and upload URL that the simulator
//! issued, and the app's own secret.
//!
//! A search in an empty place finds nothing. Therefore each check first looks for another text that must be there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use harness::{Cloud, Secrets};
use serde_json::json;

use super::{Item, items};
use crate::aws_cli::{app_secret, aws, text};
use crate::observability::log_of;
use crate::recorded_events::{invoke, recorded};
use crate::runner::{poll_until, scenarios};

scenarios![concurrent:
    logs_contain_no_secret,
    tables_contain_no_secret,
    objects_have_no_secret,
    dead_letters_contain_no_secret,
    process_output_contains_no_secret,
];

/// The number of objects that are read concurrently.
const CONCURRENT_READS: usize = 16;

/// A place and its content.
type Found = (String, Vec<u8>);

async fn logs_contain_no_secret(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    // Each function is invoked once, so that it has logged something in every run.
    for (function, event, expected) in [
        (&outputs.publish_function, recorded("sqs-post-due.json")?, "message ignored: post not found"),
        (&outputs.status_function, json!({}), "due posts worked"),
        (&outputs.api_function, recorded("http-get-health.json")?, "REPORT"),
        (&outputs.notices_function, recorded("dynamodb-stream-posts.json")?, "REPORT"),
    ] {
        invoke(&cloud, function, &event).await?;
        let log = poll_until("log line", Duration::from_secs(10), Duration::from_millis(250), async || {
            let log = log_of(&cloud, function, None).await?;
            Ok(log.iter().any(|line| line.contains(expected)).then_some(log))
        })
        .await
        .with_context(|| format!("{expected:?} in the log of {function}"))?;
        let log: Vec<Found> = log.into_iter().map(|line| (function.clone(), line.into_bytes())).collect();
        ensure_no_secret(&cloud, &log, expected).await.with_context(|| format!("the log of {function}"))?;
    }
    Ok(())
}

async fn tables_contain_no_secret(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    // Each post contains its bucket's name, and each account the user's `open_id`.
    for (table, expected) in [(&outputs.posts_table, "-intake-"), (&outputs.accounts_table, "open-")] {
        ensure_no_secret(&cloud, &values_in(&cloud, table).await?, expected).await?;
    }
    let secrets = secrets(&cloud).await?;
    // These tables can be empty after a run.
    let others = [&outputs.authorization_requests_table, &outputs.limits_table, &outputs.webhooks_table];
    for table in others.into_iter().chain([&outputs.repost_guard_table]) {
        let values = values_in(&cloud, table).await?;
        values.iter().try_for_each(|(place, content)| secrets.ensure_absent(content, place))?;
    }
    Ok(())
}

async fn values_in(cloud: &Cloud, table: &str) -> Result<Vec<Found>> {
    let items = items(cloud, table).await?;
    let values = items.iter().flat_map(Item::values).flat_map(contents);
    Ok(values.map(|content| (table.to_owned(), content)).collect())
}

/// Every value in an attribute, as bytes.
fn contents(value: &AttributeValue) -> Vec<Vec<u8>> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => vec![text.clone().into_bytes()],
        AttributeValue::B(bytes) => vec![bytes.clone().into_inner()],
        AttributeValue::Ss(all) | AttributeValue::Ns(all) => all.iter().map(|text| text.clone().into_bytes()).collect(),
        AttributeValue::Bs(all) => all.iter().map(|bytes| bytes.clone().into_inner()).collect(),
        AttributeValue::L(all) => all.iter().flat_map(contents).collect(),
        AttributeValue::M(all) => {
            let named = |(name, value): (&String, &AttributeValue)| {
                std::iter::once(name.clone().into_bytes()).chain(contents(value)).collect::<Vec<_>>()
            };
            all.iter().flat_map(named).collect()
        }
        _ => Vec::new(),
    }
}

async fn objects_have_no_secret(cloud: Arc<Cloud>) -> Result<()> {
    let bucket = &cloud.outputs().intake_bucket;
    let mut versions = Vec::new();
    let mut after: Option<(String, String)> = None;
    loop {
        let (key, version) = after.take().unzip();
        let list = cloud.s3.list_object_versions().bucket(bucket).set_key_marker(key).set_version_id_marker(version);
        let page = list.send().await?;
        versions.extend(page.versions().iter().filter_map(|v| Some((v.key()?.to_owned(), v.version_id()?.to_owned()))));
        match (page.next_key_marker, page.next_version_id_marker) {
            (Some(key), Some(version)) if page.is_truncated == Some(true) => after = Some((key, version)),
            _ => break,
        }
    }
    let read = stream::iter(versions).map(|(key, version)| attributes_of(&cloud, key, version));
    let found: Vec<_> = read.buffer_unordered(CONCURRENT_READS).try_collect().await?;
    ensure_no_secret(&cloud, &found, "dropcast:state").await
}

/// The tags and the metadata of an object's version.
async fn attributes_of(cloud: &Cloud, key: String, version: String) -> Result<Found> {
    let bucket = &cloud.outputs().intake_bucket;
    let tags = cloud.s3.get_object_tagging().bucket(bucket).key(&key).version_id(&version).send().await?;
    let head = cloud.s3.head_object().bucket(bucket).key(&key).version_id(&version).send().await?;
    let attributes = format!("{key} {:?} {:?}", tags.tag_set(), head.metadata());
    Ok((format!("version {version} of an object"), attributes.into_bytes()))
}

async fn dead_letters_contain_no_secret(cloud: Arc<Cloud>) -> Result<()> {
    let (outputs, secrets) = (cloud.outputs(), secrets(&cloud).await?);
    for queue in [&outputs.dead_letter_queue_url, &outputs.status_dlq_url, &outputs.notices_dlq_url] {
        // The messages stay visible, so that another postcondition can count them.
        let receive = cloud.sqs.receive_message().queue_url(queue).max_number_of_messages(10).visibility_timeout(0);
        for message in receive.send().await?.messages() {
            secrets.ensure_absent(format!("{message:?}"), "a dead letter")?;
        }
    }
    Ok(())
}

async fn process_output_contains_no_secret(cloud: Arc<Cloud>) -> Result<()> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(&cloud.contract.logs)? {
        let path = file?.path();
        found.push((path.display().to_string(), std::fs::read(&path)?));
    }
    let metrics = aws(&cloud, &["cloudwatch", "list-metrics"]).await?;
    found.push(("the list of metrics".to_owned(), metrics.to_string().into_bytes()));
    // The simulator prints this when it starts.
    ensure_no_secret(&cloud, &found, "listening on").await
}

/// Checks that these places contain the expected text and no secret.
async fn ensure_no_secret(cloud: &Cloud, found: &[Found], expected: &str) -> Result<()> {
    let contains = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(expected);
    ensure!(found.iter().any(|(_, bytes)| contains(bytes)), "{expected:?} is missing, so this check proves nothing");
    let secrets = secrets(cloud).await?;
    found.iter().try_for_each(|(place, bytes)| secrets.ensure_absent(bytes, place))
}

/// Every secret that TikTok issued, and the app's own.
async fn secrets(cloud: &Cloud) -> Result<Secrets> {
    let mut secrets = cloud.tiktok.secrets().await?;
    ensure!(!secrets.is_empty(), "TikTok issued no secret, so this check proves nothing");
    secrets.push(text(&app_secret(cloud).await?, "client_secret")?.to_owned());
    Secrets::new(&secrets)
}
