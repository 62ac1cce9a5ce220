//! The events that start a post: in every form, repeated, and invalid.
//!
//! The recorded events of `events/` are sent with the names of the test's bucket and object.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped, Put, TestVideo};
use serde_json::{Value, json};

use crate::recorded_events::{about, bridged, invoke, message, notification, publish, publish_batch, recorded};
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    repeated_event_makes_one_post,
    publish_accepts_every_recorded_event,
    each_kind_of_event_alone_makes_a_post,
    event_without_version_makes_no_second_post,
    status_accepts_recorded_schedule_event,
    message_with_several_records_posts_each_object,
    only_the_invalid_message_is_returned_to_the_queue,
    deleted_object_fails_its_post,
    wake_message_for_unknown_post_is_ignored,
    drop_for_unknown_account_fails,
];

async fn repeated_event_makes_one_post((cloud, creator): WithCreator) -> Result<()> {
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(11_000_000)?).await?;
    let event = notification(&dropped)?;
    let queue = &cloud.outputs().intake_queue_url;
    let send = || cloud.sqs.send_message().queue_url(queue).message_body(event.to_string()).send();
    futures::future::try_join_all((0..6).map(|_| send())).await?;
    creator.await_published_once(&dropped).await?;
    // The event comes again after the post is published, through the queue and directly.
    send().await?;
    publish(&cloud, &event).await?;
    cloud.ensure_state_stays(&dropped.post, StateName::Published, Duration::from_secs(4)).await?;
    ensure_one_init(&creator, &dropped).await
}

async fn ensure_one_init(creator: &Creator, dropped: &Dropped) -> Result<()> {
    let ledger = creator.ledger().await?;
    ledger.ensure_published_once(dropped)?;
    assert_eq!(ledger.publishes.len(), 1, "one init for all events: {:?}", ledger.publishes);
    Ok(())
}

async fn publish_accepts_every_recorded_event((cloud, creator): WithCreator) -> Result<()> {
    let mut drops = Vec::new();
    for name in ["Morning bread #1.mp4", "Straßenfest & café.mp4", "by the wake message.mp4"] {
        drops.push(creator.drop_small(name).await?);
    }
    publish(&cloud, &notification(&drops[0])?).await?;
    publish(&cloud, &bridged(&drops[1])?).await?;

    cloud.await_post(&drops[2].post, "stored", |_| true).await?;
    let mut wake = recorded("sqs-post-due.json")?;
    wake["Records"][0]["body"] = json!(json!({ "post_id": drops[2].post }).to_string());
    publish_batch(&cloud, &wake, &[]).await?;
    publish_batch(&cloud, &recorded("sqs-s3-test.json")?, &[]).await?;
    creator.await_each_published_once(&drops).await.map(drop)
}

async fn event_without_version_makes_no_second_post((cloud, creator): WithCreator) -> Result<()> {
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    // `publish` asks the bucket for the current version, and finds its post.
    let mut event = notification(&dropped)?;
    event["Records"][0]["s3"]["object"].as_object_mut().context("a record has an object")?.remove("versionId");
    publish(&cloud, &event).await?;
    ensure_one_init(&creator, &dropped).await
}

/// The drop of an object that never existed. The bucket sends no event for it.
fn nonexistent(creator: &Creator, file: &str) -> Dropped {
    let version = format!("no-version-of-{}", creator.user.open_id);
    Dropped::at(&creator.cloud.outputs().intake_bucket, &creator.key(file), &version, &TestVideo::small())
}

async fn each_kind_of_event_alone_makes_a_post((cloud, creator): WithCreator) -> Result<()> {
    // S3 sends no event for these objects, so each post was made by one event of this scenario. It fails, because there
    // is no object to read.
    let names = ["bare #1.mp4", "bridged & café.mp4", "first of two.mp4", "zweites 猫.mp4"];
    let drops = names.map(|name| nonexistent(&creator, name));
    let mut several = recorded("sqs-several-records.json")?["Records"][0].clone();
    let body = several["body"].as_str().context("a message has a body")?;
    let records = serde_json::from_str::<Value>(body)?["Records"].clone();
    let records = [about(records[0].clone(), &drops[2])?, about(records[1].clone(), &drops[3])?];
    several["body"] = json!(json!({ "Records": records }).to_string());
    for event in [notification(&drops[0])?, bridged(&drops[1])?, json!({ "Records": [several] })] {
        publish(&cloud, &event).await?;
    }
    for dropped in &drops {
        let failure = cloud.await_failure(dropped).await.with_context(|| dropped.source.key.clone())?;
        assert_eq!(failure.reason.code(), "source_gone", "{failure}");
    }
    creator.ledger().await?.ensure_no_init()
}

async fn status_accepts_recorded_schedule_event(cloud: Arc<Cloud>) -> Result<()> {
    let summary = invoke(&cloud, &cloud.outputs().status_function, &recorded("eventbridge-schedule.json")?).await?;
    assert_eq!(summary["failed"], json!(0), "{summary}");
    ensure!(summary["polled"].is_u64(), "the response counts the polls: {summary}");
    Ok(())
}

async fn message_with_several_records_posts_each_object((cloud, creator): WithCreator) -> Result<()> {
    let mut event = recorded("sqs-several-records.json")?;
    let body = event["Records"][0]["body"].as_str().context("a message has a body")?;
    let mut notification: Value = serde_json::from_str(body)?;
    let records = notification["Records"].as_array_mut().context("a notification has records")?;
    let mut drops = Vec::new();
    for (record, number) in records.iter_mut().zip(1..) {
        let dropped = creator.drop_small(&format!("{number} von mehreren 猫.mp4")).await?;
        *record = about(record.clone(), &dropped)?;
        drops.push(dropped);
    }
    event["Records"][0]["body"] = json!(notification.to_string());
    publish_batch(&cloud, &event, &[]).await?;
    creator.await_each_published_once(&drops).await.map(drop)
}

async fn only_the_invalid_message_is_returned_to_the_queue((cloud, creator): WithCreator) -> Result<()> {
    let dropped = creator.drop_small("clip.mp4").await?;
    let valid = notification(&dropped)?.to_string();
    // The valid event comes twice in the batch.
    let batch = json!({ "Records": [
        message("m-1", &valid)?, message("m-2", "hello")?, message("m-3", r#"{"Records":[{}]}"#)?,
        message("m-4", &valid)?,
    ]});
    publish_batch(&cloud, &batch, &["m-2", "m-3"]).await?;
    for invalid in [json!({}), json!([]), json!("hello"), json!({ "Records": [{ "eventSource": "aws:sns" }] })] {
        let response = publish(&cloud, &invalid).await;
        ensure!(response.is_err(), "{invalid} should fail the invocation: {response:?}");
    }
    creator.await_published_once(&dropped).await.map(drop)
}

async fn deleted_object_fails_its_post((cloud, creator): WithCreator) -> Result<()> {
    let dropped = nonexistent(&creator, "gone.mp4");
    publish(&cloud, &notification(&dropped)?).await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "source_gone", "{failure}");
    assert!(!failure.advice.is_empty(), "{failure}");
    creator.ledger().await?.ensure_no_init()
}

async fn wake_message_for_unknown_post_is_ignored(cloud: Arc<Cloud>) -> Result<()> {
    // The recorded message names a post that this table does not have.
    publish_batch(&cloud, &recorded("sqs-post-due.json")?, &[]).await
}

async fn drop_for_unknown_account_fails((cloud, creator): WithCreator) -> Result<()> {
    let key = format!("drop/nobody-{}/clip.mp4", creator.alias);
    let dropped = cloud.put(Put::new(key, &TestVideo::small())).await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "account_not_found", "{failure}");
    assert!(failure.message.contains("nobody-"), "the message names the account: {failure}");
    let key = format!("drop/{}-/clip.mp4", creator.alias);
    let dropped = cloud.put(Put::new(key, &TestVideo::small())).await?;
    let similar = cloud.await_failure(&dropped).await?;
    assert!(
        similar.message.contains(&format!("similar alias is \"{}\"", creator.alias)),
        "it names the similar alias: {similar}"
    );
    assert!(failure.advice.contains("Connect"), "the advice is to connect it: {failure}");
    Ok(())
}
