//! Events: however they come, how often, and what is wrong with them.
//!
//! The recorded events of `events/` are sent as they are, but for the names of
//! the bucket and the object.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_lambda::primitives::Blob;
use domain::post::StateName;
use serde_json::{Value, json};
use tests::{Cloud, Creator, Dropped, Footage};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    the_same_event_many_times_at_once_is_one_post,
    every_recorded_kind_of_event_is_taken_by_publish,
    an_event_of_any_kind_makes_its_post_by_itself,
    an_event_that_names_no_version_is_no_other_post,
    a_recorded_schedule_event_is_taken_by_status,
    a_message_about_several_objects_posts_each_of_them,
    exactly_the_message_that_is_not_understood_comes_again,
    an_object_that_is_gone_fails_its_post_with_that_reason,
    a_bell_for_a_post_that_nobody_knows_is_nothing,
    a_drop_for_an_account_that_nobody_connected_says_so,
];

/// Reads a recorded event.
pub(crate) fn recorded(name: &str) -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{name} is no JSON"))
}

/// Invokes a function and returns what it answered.
pub(crate) async fn invoke(cloud: &Cloud, function: &str, event: &Value) -> Result<Value> {
    let payload = Blob::new(event.to_string());
    let answer = cloud.lambda.invoke().function_name(function).payload(payload).send().await?;
    let said = answer.payload().map(|said| said.as_ref().to_vec()).unwrap_or_default();
    if let Some(kind) = answer.function_error() {
        bail!("{function} failed ({kind}): {}", String::from_utf8_lossy(&said));
    }
    Ok(serde_json::from_slice(&said)?)
}

/// Makes an S3 notification's record be about a dropped object.
fn about(mut record: Value, dropped: &Dropped) -> Result<Value> {
    let domain::source::ObjectVersion::Id(version) = &dropped.source.version else {
        bail!("the bucket keeps versions");
    };
    let encoded = form_encoded(&dropped.source.key);
    record["s3"]["bucket"]["name"] = json!(dropped.source.bucket);
    record["s3"]["object"]["key"] = json!(encoded);
    record["s3"]["object"]["versionId"] = json!(version);
    record["s3"]["object"]["size"] = json!(dropped.footage.bytes.len());
    Ok(record)
}

/// Keys in notifications are encoded as forms are.
fn form_encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_*".contains(&byte);
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    key.bytes().map(encode).collect()
}

/// The notification about one dropped object.
pub(crate) fn notification(dropped: &Dropped) -> Result<Value> {
    let mut event = recorded("s3-put.json")?;
    event["Records"][0] = about(event["Records"][0].clone(), dropped)?;
    Ok(event)
}

/// EventBridge's event about one dropped object, whose key is not encoded there.
fn bridged(dropped: &Dropped) -> Result<Value> {
    let domain::source::ObjectVersion::Id(version) = &dropped.source.version else {
        bail!("the bucket keeps versions");
    };
    let mut event = recorded("eventbridge-s3-object-created.json")?;
    event["detail"]["bucket"]["name"] = json!(dropped.source.bucket);
    event["detail"]["object"]["key"] = json!(dropped.source.key);
    event["detail"]["object"]["version-id"] = json!(version);
    event["detail"]["object"]["size"] = json!(dropped.footage.bytes.len());
    Ok(event)
}

/// A message of the intake queue with this body.
pub(crate) fn message(id: &str, body: &str) -> Result<Value> {
    let mut message = recorded("sqs-s3-put.json")?["Records"][0].clone();
    message["messageId"] = json!(id);
    message["body"] = json!(body);
    Ok(message)
}

async fn the_same_event_many_times_at_once_is_one_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(11_000_000)?).await?;
    let event = notification(&dropped)?;
    let queue = &cloud.outputs().intake_queue_url;
    let send = || cloud.sqs.send_message().queue_url(queue).message_body(event.to_string()).send();
    futures::future::try_join_all((0..6).map(|_| send())).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let before = maker.book().await?;
    before.ensure_published_once(&dropped)?;
    // And late, by both ways.
    send().await?;
    invoke(&cloud, &cloud.outputs().publish_function, &event).await?;
    cloud.stays(&dropped.post, StateName::Published, Duration::from_secs(4)).await?;
    let after = maker.book().await?;
    after.ensure_published_once(&dropped)?;
    assert_eq!(after.publishes.len(), 1, "one init for all events: {:?}", after.publishes);
    Ok(())
}

async fn every_recorded_kind_of_event_is_taken_by_publish(cloud: Arc<Cloud>) -> Result<()> {
    let publish = &cloud.outputs().publish_function;
    let maker = Creator::connect(&cloud).await?;
    let mut drops = Vec::new();
    for name in ["Morning bread #1.mp4", "Straßenfest & café.mp4", "by the bell.mp4"] {
        drops.push(maker.drops(name, &Footage::fresh()?).await?);
    }
    invoke(&cloud, publish, &notification(&drops[0])?).await?;
    invoke(&cloud, publish, &bridged(&drops[1])?).await?;

    cloud.await_post(&drops[2].post, "there", tests::PATIENCE, |_| true).await?;
    let mut bell = recorded("sqs-post-due.json")?;
    bell["Records"][0]["body"] = json!(json!({ "post_id": drops[2].post }).to_string());
    let answer = invoke(&cloud, publish, &bell).await?;
    assert_eq!(answer["batchItemFailures"], json!([]));
    let answer = invoke(&cloud, publish, &recorded("sqs-s3-test.json")?).await?;
    assert_eq!(answer["batchItemFailures"], json!([]));

    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    maker.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())
}

async fn an_event_that_names_no_version_is_no_other_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let mut event = notification(&dropped)?;
    event["Records"][0]["s3"]["object"].as_object_mut().context("a record has an object")?.remove("versionId");
    invoke(&cloud, &cloud.outputs().publish_function, &event).await?;
    let book = maker.book().await?;
    assert_eq!(book.publishes.len(), 1, "the object is the post that it was: {:?}", book.publishes);
    book.ensure_published_once(&dropped)?;
    Ok(())
}

/// An object that was dropped is announced by the bucket as well. One that is gone
/// is announced by nobody else, so its post is there because of this one event.
async fn an_event_of_any_kind_makes_its_post_by_itself(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let (bucket, version) = (&cloud.outputs().intake_bucket, uuid_like(&maker));
    let gone = |name: &str| Ok::<_, anyhow::Error>(Dropped::at(bucket, &maker.key(name), &version, &Footage::fresh()?));
    let drops = [gone("bare #1.mp4")?, gone("bridged & café.mp4")?, gone("first of two.mp4")?, gone("zweites 猫.mp4")?];
    let mut several = recorded("sqs-several-records.json")?["Records"][0].clone();
    let body = several["body"].as_str().context("a message has a body")?;
    let records = serde_json::from_str::<Value>(body)?["Records"].clone();
    let records = [about(records[0].clone(), &drops[2])?, about(records[1].clone(), &drops[3])?];
    several["body"] = json!(json!({ "Records": records }).to_string());
    for event in [notification(&drops[0])?, bridged(&drops[1])?, json!({ "Records": [several] })] {
        invoke(&cloud, &cloud.outputs().publish_function, &event).await?;
    }
    for dropped in &drops {
        let failure = failure_of(&cloud, dropped).await.with_context(|| dropped.source.key.clone())?;
        assert_eq!(failure.reason.code(), "source_gone", "{failure}");
    }
    maker.book().await?.ensure_never_begun()
}

async fn a_recorded_schedule_event_is_taken_by_status(cloud: Arc<Cloud>) -> Result<()> {
    let looked = invoke(&cloud, &cloud.outputs().status_function, &recorded("eventbridge-schedule.json")?).await?;
    assert_eq!(looked["failed"], json!(0), "{looked}");
    ensure!(looked["polled"].is_u64(), "it says what it did: {looked}");
    Ok(())
}

async fn a_message_about_several_objects_posts_each_of_them(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let mut event = recorded("sqs-several-records.json")?;
    let body = event["Records"][0]["body"].as_str().context("a message has a body")?;
    let mut notification: Value = serde_json::from_str(body)?;
    let records = notification["Records"].as_array_mut().context("a notification has records")?;
    let mut drops = Vec::new();
    for (record, number) in records.iter_mut().zip(1..) {
        let dropped = maker.drops(&format!("{number} von mehreren 猫.mp4"), &Footage::fresh()?).await?;
        *record = about(record.clone(), &dropped)?;
        drops.push(dropped);
    }
    event["Records"][0]["body"] = json!(notification.to_string());
    let answer = invoke(&cloud, &cloud.outputs().publish_function, &event).await?;
    assert_eq!(answer["batchItemFailures"], json!([]));
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    maker.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())
}

async fn exactly_the_message_that_is_not_understood_comes_again(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let good = notification(&dropped)?.to_string();
    let batch = json!({ "Records": [
        message("m-1", &good)?, message("m-2", "hello")?, message("m-3", r#"{"Records":[{}]}"#)?, message("m-4", &good)?,
    ]});
    let answer = invoke(&cloud, &cloud.outputs().publish_function, &batch).await?;
    assert_eq!(answer["batchItemFailures"], json!([{ "itemIdentifier": "m-2" }, { "itemIdentifier": "m-3" }]));
    for garbage in [json!({}), json!([]), json!("hello"), json!({ "Records": [{ "eventSource": "aws:sns" }] })] {
        let answer = invoke(&cloud, &cloud.outputs().publish_function, &garbage).await;
        ensure!(answer.is_err(), "who sends {garbage} hears of it, and heard {answer:?}");
    }
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn an_object_that_is_gone_fails_its_post_with_that_reason(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let bucket = &cloud.outputs().intake_bucket;
    let version = uuid_like(&maker);
    let never_there = Dropped::at(bucket, &maker.key("gone.mp4"), &version, &Footage::fresh()?);
    invoke(&cloud, &cloud.outputs().publish_function, &notification(&never_there)?).await?;
    let failure = failure_of(&cloud, &never_there).await?;
    assert_eq!(failure.reason.code(), "source_gone", "{failure}");
    assert!(!failure.advice.is_empty(), "{failure}");
    maker.book().await?.ensure_never_begun()
}

/// A version id that no object has.
fn uuid_like(maker: &Creator) -> String {
    format!("no-version-of-{}", maker.user.open_id)
}

async fn a_bell_for_a_post_that_nobody_knows_is_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let answer = invoke(&cloud, &cloud.outputs().publish_function, &recorded("sqs-post-due.json")?).await?;
    assert_eq!(answer["batchItemFailures"], json!([]));
    Ok(())
}

async fn a_drop_for_an_account_that_nobody_connected_says_so(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let key = format!("drop/nobody-{}/clip.mp4", maker.alias);
    let dropped = cloud.put(tests::Put::new(key, &Footage::fresh()?)).await?;
    let failure = failure_of(&cloud, &dropped).await?;
    assert_eq!(failure.reason.code(), "account_not_found", "{failure}");
    assert!(failure.message.contains("nobody-"), "it names the account: {failure}");
    assert!(failure.advice.contains("Connect"), "it says what to do: {failure}");
    Ok(())
}
