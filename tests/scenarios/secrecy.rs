//! The judgement of the whole run, second part: nothing that the run has left
//! behind shows a secret. Every token, code and upload URL that the simulator ever
//! issued, and the app's own secret, is looked for in all of it.
//!
//! A search that looks at nothing finds nothing. So each judgement first makes sure
//! that it would have found something else, which is known to be there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tests::{Cloud, Secrets};

use crate::aftermath::{Item, aws, items};
use crate::events::{invoke, recorded};
use crate::harness::stories;

stories![among:
    no_secret_is_in_a_functions_log,
    no_secret_is_in_a_table,
    no_secret_is_with_an_object,
    no_secret_is_in_a_dead_letter,
    no_secret_is_in_what_the_processes_said,
];

/// How many objects are asked about at once.
const AT_ONCE: usize = 16;
/// How often it is looked whether the log of an invocation is there.
const LOOKS: u32 = 40;

/// Something that was left behind, and where.
type Found = (String, Vec<u8>);

async fn no_secret_is_in_a_functions_log(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    // Whatever stories were told, each function has been woken and has said something.
    for (function, event, telltale) in [
        (&outputs.publish_function, recorded("sqs-post-due.json")?, "there is no such post"),
        (&outputs.status_function, json!({}), "due posts worked"),
        (&outputs.api_function, recorded("http-get-health.json")?, "REPORT"),
        (&outputs.notices_function, recorded("dynamodb-stream-posts.json")?, "REPORT"),
    ] {
        invoke(&cloud, function, &event).await?;
        let log = log_of(&cloud, function, telltale).await?;
        judge(&cloud, &log, telltale).await.with_context(|| format!("the log of {function}"))?;
    }
    Ok(())
}

/// A function's log, as soon as it has a certain word.
async fn log_of(cloud: &Cloud, function: &str, telltale: &str) -> Result<Vec<Found>> {
    let group = format!("/aws/lambda/{function}");
    let mut found: Vec<Found> = Vec::new();
    for _ in 0..LOOKS {
        let log = aws(cloud, &["logs", "filter-log-events", "--log-group-name", &group]).await?;
        let lines = log["events"].as_array().context("a log has events")?;
        let lines = lines.iter().filter_map(|event| event["message"].as_str());
        found = lines.map(|line| (group.clone(), line.as_bytes().to_vec())).collect();
        if found.iter().any(|(_, line)| contains(line, telltale)) {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(found)
}

async fn no_secret_is_in_a_table(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    for (table, telltale) in [(&outputs.posts_table, "-intake-"), (&outputs.accounts_table, "open-")] {
        judge(&cloud, &values_in(&cloud, table).await?, telltale).await?;
    }
    let secrets = secrets(&cloud).await?;
    // Not every run connects somebody on TikTok's page, uses a budget, or hears a webhook.
    for table in [&outputs.authorization_requests_table, &outputs.limits_table, &outputs.webhooks_table] {
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

/// Everything in an attribute, as bytes.
fn contents(value: &AttributeValue) -> Vec<Vec<u8>> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => vec![text.clone().into_bytes()],
        AttributeValue::B(bytes) => vec![bytes.clone().into_inner()],
        AttributeValue::Ss(all) | AttributeValue::Ns(all) => all.iter().map(|text| text.clone().into_bytes()).collect(),
        AttributeValue::Bs(all) => all.iter().map(|bytes| bytes.clone().into_inner()).collect(),
        AttributeValue::L(all) => all.iter().flat_map(contents).collect(),
        AttributeValue::M(all) => all.iter().flat_map(|(name, value)| named(name, value)).collect(),
        _ => Vec::new(),
    }
}

fn named(name: &str, value: &AttributeValue) -> Vec<Vec<u8>> {
    [vec![name.to_owned().into_bytes()], contents(value)].concat()
}

async fn no_secret_is_with_an_object(cloud: Arc<Cloud>) -> Result<()> {
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
    let said = stream::iter(versions).map(|(key, version)| said_of(&cloud, key, version)).buffer_unordered(AT_ONCE);
    let found: Vec<_> = said.try_collect().await?;
    judge(&cloud, &found, "dropcast:state").await
}

/// The tags and the metadata of an object's version.
async fn said_of(cloud: &Cloud, key: String, version: String) -> Result<Found> {
    let bucket = &cloud.outputs().intake_bucket;
    let tags = cloud.s3.get_object_tagging().bucket(bucket).key(&key).version_id(&version).send().await?;
    let head = cloud.s3.head_object().bucket(bucket).key(&key).version_id(&version).send().await?;
    let said = format!("{key} {:?} {:?}", tags.tag_set(), head.metadata());
    Ok((format!("version {version} of an object"), said.into_bytes()))
}

async fn no_secret_is_in_a_dead_letter(cloud: Arc<Cloud>) -> Result<()> {
    let (outputs, secrets) = (cloud.outputs(), secrets(&cloud).await?);
    for queue in [&outputs.dead_letter_queue_url, &outputs.status_dlq_url, &outputs.notices_dlq_url] {
        // They stay visible, for whoever counts them.
        let told = cloud
            .sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .visibility_timeout(0)
            .send()
            .await?;
        for letter in told.messages() {
            secrets.ensure_absent(format!("{letter:?}"), "a dead letter")?;
        }
    }
    Ok(())
}

async fn no_secret_is_in_what_the_processes_said(cloud: Arc<Cloud>) -> Result<()> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(&cloud.contract.logs)? {
        let path = file?.path();
        found.push((path.display().to_string(), std::fs::read(&path)?));
    }
    let metrics = aws(&cloud, &["cloudwatch", "list-metrics"]).await?;
    found.push(("the list of metrics".to_owned(), metrics.to_string().into_bytes()));
    judge(&cloud, &found, "listening on").await
}

/// Makes sure that what was found shows no secret, and that it is what was to be
/// looked at: it has a telltale.
async fn judge(cloud: &Cloud, found: &[Found], telltale: &str) -> Result<()> {
    ensure!(found.iter().any(|(_, bytes)| contains(bytes, telltale)), "{telltale:?} is nowhere: this says nothing");
    let secrets = secrets(cloud).await?;
    found.iter().try_for_each(|(place, bytes)| secrets.ensure_absent(bytes, place))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

/// Every secret that TikTok issued, and the app's own.
async fn secrets(cloud: &Cloud) -> Result<Secrets> {
    let mut secrets = cloud.tiktok.secrets().await?;
    ensure!(!secrets.is_empty(), "TikTok issued no secret, so nothing can be looked for");
    let id = &cloud.outputs().app_secret_arn;
    let app = aws(cloud, &["secretsmanager", "get-secret-value", "--secret-id", id]).await?;
    let app: Value = serde_json::from_str(app["SecretString"].as_str().context("the app's secret is text")?)?;
    secrets.push(app["client_secret"].as_str().context("the app has a secret")?.to_owned());
    Secrets::new(&secrets)
}
