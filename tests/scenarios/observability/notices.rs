//! Notices, which the function `notices` sends: events about posts on the event bus, and failures in the operator's SNS
//! topic.

mod unreadable;

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use harness::{Cloud, Secrets, TestVideo};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::aws_cli::{aws, text};
use crate::drops::tags_of;
use crate::runner::{WithCreator, scenarios};
use crate::webhooks::fixture::poll_until;

scenarios![concurrent:
    every_state_change_is_published_in_order,
    failure_reaches_operators_topic_as_readable_text,
    ignored_drop_is_tagged_and_reported;
    unreadable
];

/// A queue that receives notices: as the target of a rule of the event bus, or subscribed to the topic.
struct Subscriber<'a> {
    cloud: &'a Cloud,
    name: String,
    url: String,
    arn: String,
}

impl<'a> Subscriber<'a> {
    async fn create(cloud: &'a Cloud) -> Result<Self> {
        let name = format!("subscriber-{}", &Uuid::new_v4().simple().to_string()[..12]);
        let queue = cloud.sqs.create_queue().queue_name(&name).send().await?;
        let url = queue.queue_url.context("a queue has a URL")?;
        let read = cloud.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let read = read.send().await?;
        let arn = read.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn)).context("no ARN")?.clone();
        let statement = json!({
            "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn,
            "Principal": { "Service": ["events.amazonaws.com", "sns.amazonaws.com"] },
        });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        cloud.sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::Policy, policy).send().await?;
        Ok(Self { cloud, name, url, arn })
    }

    /// Makes the queue the target of a new rule.
    async fn add_rule(&self, pattern: &Value) -> Result<()> {
        let pattern = pattern.to_string();
        aws(self.cloud, &["events", "put-rule", "--name", &self.name, "--event-pattern", &pattern]).await?;
        let target = format!("Id=subscriber,Arn={}", self.arn);
        aws(self.cloud, &["events", "put-targets", "--rule", &self.name, "--targets", &target]).await.map(drop)
    }

    async fn delete_rule(&self) -> Result<()> {
        aws(self.cloud, &["events", "remove-targets", "--rule", &self.name, "--ids", "subscriber"]).await?;
        aws(self.cloud, &["events", "delete-rule", "--name", &self.name]).await.map(drop)
    }

    /// Receives messages until one contains a text. Returns all messages.
    async fn receive_until(&self, expected: &str) -> Result<Vec<String>> {
        let received = RefCell::new(Vec::new());
        poll_until(&format!("message with {expected:?}"), async || {
            let batch = self.cloud.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10).send().await?;
            for message in batch.messages.unwrap_or_default() {
                received.borrow_mut().extend(message.body);
                let handle = message.receipt_handle.unwrap_or_default();
                self.cloud.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await?;
            }
            if received.borrow().iter().any(|body: &String| body.contains(expected)) {
                return Ok(Some(()));
            }
            // Invokes `status`, so that the post proceeds.
            self.cloud.poll().await?;
            Ok(None)
        })
        .await
        .with_context(|| format!("received: {:#?}", received.borrow()))?;
        Ok(received.into_inner())
    }

    async fn delete(&self) -> Result<()> {
        self.cloud.sqs.delete_queue().queue_url(&self.url).send().await?;
        Ok(())
    }
}

async fn every_state_change_is_published_in_order((cloud, creator): WithCreator) -> Result<()> {
    let subscriber = Subscriber::create(&cloud).await?;
    subscriber.add_rule(&json!({ "source": ["dropcast"], "detail": { "account": [creator.alias] } })).await?;
    // More than one chunk, so that the upload's progress is stored, too.
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(11_000_000)?).await?;
    let received = subscriber.receive_until("share_url").await?;
    subscriber.delete_rule().await?;
    subscriber.delete().await?;

    let secrets = Secrets::new(&cloud.tiktok.secrets().await?)?;
    let mut details = BTreeMap::new();
    for body in &received {
        secrets.ensure_absent(body, "an event")?;
        let event: Value = serde_json::from_str(body)?;
        let detail = &event["detail"];
        assert_eq!(detail["post_id"], json!(dropped.post), "{event}");
        let kind = if detail["state"] == detail["previous_state"] { "Post Updated" } else { "Post State Changed" };
        assert_eq!(event["detail-type"], json!(kind), "{event}");
        details.insert(detail["sequence"].as_u64().context("an event has a sequence number")?, detail.clone());
    }
    let mut state = Value::Null;
    for detail in details.values() {
        assert_eq!(detail["previous_state"], state, "each change begins where the previous one ended: {details:#?}");
        state = detail["state"].clone();
    }
    let states: Vec<_> = details.values().filter(|d| d["state"] != d["previous_state"]).map(|d| &d["state"]).collect();
    // The worker that stores a post may claim it in the same write, so `queued` is optional.
    let states: Vec<_> = states.into_iter().skip_while(|state| *state == "queued").collect();
    assert_eq!(states, ["uploading", "processing", "published"]);
    let ledger = creator.ledger().await?;
    let publication = ledger.ensure_published_once(&dropped)?;
    let last = details.values().last().context("there are events")?;
    assert_eq!(last["publish_id"], json!(publication.publish_id));
    assert_eq!(last["video_ids"], json!([publication.post_id]));
    assert!(last["share_url"].as_str().is_some_and(|url| url.ends_with(&publication.post_id)), "{last}");
    Ok(())
}

async fn failure_reaches_operators_topic_as_readable_text((cloud, creator): WithCreator) -> Result<()> {
    let subscriber = Subscriber::create(&cloud).await?;
    let topic = &cloud.outputs().failure_topic;
    let subscribe: [&str; 8] =
        ["sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", &subscriber.arn];
    let raw: [&str; 3] = ["--attributes", "RawMessageDelivery=true", "--return-subscription-arn"];
    let response = aws(&cloud, &[&subscribe[..], &raw[..]].concat()).await?;
    let subscription = text(&response, "SubscriptionArn")?;
    creator.drop_video("notes.mp4", &TestVideo::fixture("text.mp4")?).await?;
    let alias = creator.alias.to_string();
    let received = subscriber.receive_until(&alias).await?;
    aws(&cloud, &["sns", "unsubscribe", "--subscription-arn", subscription]).await?;
    subscriber.delete().await?;
    let message = received.iter().find(|message| message.contains(&alias)).context("no such message")?;
    for words in ["could not be posted", "notes.mp4", "What to do: "] {
        ensure!(message.contains(words), "{words:?} is not in {message}");
    }
    ensure!(!message.contains('<') && !message.contains('{'), "it should be plain text: {message}");
    Ok(())
}

async fn ignored_drop_is_tagged_and_reported((cloud, creator): WithCreator) -> Result<()> {
    let subscriber = Subscriber::create(&cloud).await?;
    let key = creator.key("clip.avi");
    let pattern = json!({
        "source": ["dropcast"], "detail-type": ["Drop Ignored"], "detail": { "source": { "key": [&key] } },
    });
    subscriber.add_rule(&pattern).await?;
    let dropped = creator.drop_video("clip.avi", &TestVideo::of("not for TikTok")).await?;
    let received = subscriber.receive_until("not_a_video").await?;
    subscriber.delete_rule().await?;
    subscriber.delete().await?;
    let event: Value = serde_json::from_str(received.last().context("an event was received")?)?;
    let detail = &event["detail"];
    assert_eq!(detail["source"]["version_id"], json!(dropped.version()?), "{event}");
    let tags = tags_of(&cloud, &dropped).await?;
    let reason = detail["message"].as_str().context("the event has a message")?;
    for (name, value) in [("dropcast:state", "ignored"), ("dropcast:reason", reason)] {
        ensure!(tags.contains(&(name.to_owned(), value.to_owned())), "{name} should be {value}: {tags:?}");
    }
    Ok(())
}
