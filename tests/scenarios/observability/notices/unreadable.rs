//! A change that `notices` cannot read. Its scenario stores an item that is no post, which a concurrent scenario could
//! restore after its deletion. So it runs alone.

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use harness::Cloud;
use serde_json::{Value, json};

use super::Subscriber;
use crate::aws_cli::text;
use crate::operations::operate;
use crate::recorded_events::recorded;
use crate::runner::{WithCreator, scenarios};
use crate::webhooks::fixture::poll_until;

scenarios![exclusive: unreadable_change_blocks_no_event_and_can_be_republished];

/// A newer version of Dropcast may write a state that this version of `notices` does not know.
async fn unreadable_change_blocks_no_event_and_can_be_republished((cloud, creator): WithCreator) -> Result<()> {
    let (table, queue) = (&cloud.outputs().posts_table, &cloud.outputs().notices_dlq_url);
    let subscriber = Subscriber::create(&cloud).await?;
    subscriber.add_rule(&json!({ "source": ["dropcast"], "detail": { "account": [creator.alias] } })).await?;
    let newer = format!("newer-{}", creator.alias);
    let item = [("id", newer.as_str()), ("state", "a state of a later version")];
    let item = item.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    cloud.dynamodb.put_item().table_name(table).set_item(Some(item.into())).send().await?;
    creator.drop_small("clip.mp4").await?;
    subscriber.receive_until("share_url").await.context("later events are blocked")?;
    let letter = take_message(&cloud, queue, &newer).await?;
    assert_eq!(letter["record"]["dynamodb"]["NewImage"]["state"]["S"], "a state of a later version", "{letter}");
    let key = AttributeValue::S(newer);
    cloud.dynamodb.delete_item().table_name(table).key("id", key).send().await?;

    // A record that this version can read stands for the same record after the deployment of a newer version.
    let mut record = recorded("dynamodb-stream-posts.json")?["Records"][0].clone();
    record["dynamodb"]["NewImage"]["account"]["S"] = json!(creator.alias);
    let post = text(&record["dynamodb"]["Keys"]["id"], "S")?.to_owned();
    let letter = json!({ "error": "a test", "record": record }).to_string();
    cloud.sqs.send_message().queue_url(queue).message_body(letter).send().await?;
    let output = operate(&cloud, &["republish"]).await?;
    ensure!(output.contains(&format!("{post}  passed to notices: a test")), "{output}");
    subscriber.receive_until(&post).await?;
    subscriber.delete_rule().await?;
    subscriber.delete().await
}

/// Waits for a message that contains a text, and deletes it from the queue.
async fn take_message(cloud: &Cloud, queue: &str, expected: &str) -> Result<Value> {
    poll_until(&format!("message with {expected:?}"), async || {
        let batch = cloud.sqs.receive_message().queue_url(queue).visibility_timeout(1).send().await?;
        for message in batch.messages.unwrap_or_default() {
            let body = message.body.unwrap_or_default();
            if body.contains(expected) {
                let handle = message.receipt_handle.unwrap_or_default();
                cloud.sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await?;
                return Ok(Some(serde_json::from_str(&body)?));
            }
        }
        Ok(None)
    })
    .await
}
