//! Others are told what became of a post, in the order in which it did.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use tests::{Cloud, Creator, Footage, Secrets};
use uuid::Uuid;

use crate::aftermath::aws;
use crate::harness::stories;
use crate::post_office::{LOOK, LOOKS};

stories![among:
    a_posts_whole_life_is_told_in_order_to_whoever_has_a_rule_for_it,
    a_failure_reaches_the_operators_topic_in_words_that_can_be_read,
];

/// A queue that listens to a rule, or to a topic.
struct Ear<'a> {
    cloud: &'a Cloud,
    name: String,
    url: String,
    arn: String,
}

impl<'a> Ear<'a> {
    async fn grow(cloud: &'a Cloud) -> Result<Self> {
        let name = format!("ear-{}", &Uuid::new_v4().simple().to_string()[..12]);
        let queue = cloud.sqs.create_queue().queue_name(&name).send().await?;
        let url = queue.queue_url.context("a queue has a URL")?;
        let asked = cloud.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let told = asked.send().await?;
        let arn = told.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn)).context("and an ARN")?;
        let statement = json!({
            "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn,
            "Principal": { "Service": ["events.amazonaws.com", "sns.amazonaws.com"] },
        });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        cloud.sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::Policy, policy).send().await?;
        Ok(Self { cloud, name, arn: arn.clone(), url })
    }

    /// Hangs on a rule, as README.md shows.
    async fn on_rule(&self, pattern: &Value) -> Result<()> {
        let pattern = pattern.to_string();
        aws(self.cloud, &["events", "put-rule", "--name", &self.name, "--event-pattern", &pattern]).await?;
        let target = format!("Id=ear,Arn={}", self.arn);
        aws(self.cloud, &["events", "put-targets", "--rule", &self.name, "--targets", &target]).await?;
        Ok(())
    }

    /// Hears until something has been heard; tells everything.
    async fn hear(&self, enough: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        let mut heard = Vec::new();
        for _ in 0..LOOKS {
            let batch = self.cloud.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10).send().await?;
            for message in batch.messages.unwrap_or_default() {
                heard.extend(message.body);
                let handle = message.receipt_handle.unwrap_or_default();
                self.cloud.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await?;
            }
            if enough(&heard) {
                return Ok(heard);
            }
            self.cloud.beat().await?;
            tokio::time::sleep(LOOK).await;
        }
        bail!("not enough was heard in time: {heard:#?}")
    }

    async fn close(self) -> Result<()> {
        self.cloud.sqs.delete_queue().queue_url(&self.url).send().await?;
        Ok(())
    }
}

async fn a_posts_whole_life_is_told_in_order_to_whoever_has_a_rule_for_it(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let ear = Ear::grow(&cloud).await?;
    ear.on_rule(&json!({ "source": ["dropcast"], "detail": { "account": [maker.alias] } })).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(11_000_000)?).await?;
    let linked = |heard: &[String]| heard.iter().any(|body| body.contains("share_url"));
    let heard = ear.hear(linked).await?;
    aws(&cloud, &["events", "remove-targets", "--rule", &ear.name, "--ids", "ear"]).await?;
    aws(&cloud, &["events", "delete-rule", "--name", &ear.name]).await?;
    ear.close().await?;

    let secrets = Secrets::new(&cloud.tiktok.secrets().await?)?;
    let mut told = BTreeMap::new();
    for body in &heard {
        secrets.ensure_absent(body, "an event")?;
        let event: Value = serde_json::from_str(body)?;
        let detail = &event["detail"];
        assert_eq!(detail["post_id"], json!(dropped.post), "{event}");
        let kind = if detail["state"] == detail["previous_state"] { "Post Updated" } else { "Post State Changed" };
        assert_eq!(event["detail-type"], json!(kind), "{event}");
        told.insert(detail["sequence"].as_u64().context("an event has a sequence")?, detail.clone());
    }
    let mut state = Value::Null;
    for detail in told.values() {
        assert_eq!(detail["previous_state"], state, "one change follows from the other: {told:#?}");
        state = detail["state"].clone();
    }
    let states: Vec<_> = told.values().filter(|d| d["state"] != d["previous_state"]).map(|d| &d["state"]).collect();
    // Whoever hears of a drop may take its post up as it stores it.
    let states: Vec<_> = states.into_iter().skip_while(|state| *state == "queued").collect();
    assert_eq!(states, ["uploading", "processing", "published"]);
    let book = maker.book().await?;
    let publication = book.ensure_published_once(&dropped)?;
    let last = told.values().last().context("something was told")?;
    assert_eq!(last["publish_id"], json!(publication.publish_id));
    assert_eq!(last["video_ids"], json!([publication.post_id]));
    assert!(last["share_url"].as_str().is_some_and(|url| url.ends_with(&publication.post_id)), "{last}");
    Ok(())
}

async fn a_failure_reaches_the_operators_topic_in_words_that_can_be_read(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let ear = Ear::grow(&cloud).await?;
    let topic = &cloud.outputs().failure_topic;
    let subscribe: [&str; 8] =
        ["sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", &ear.arn];
    let raw: [&str; 3] = ["--attributes", "RawMessageDelivery=true", "--return-subscription-arn"];
    let subscribed = aws(&cloud, &[&subscribe[..], &raw[..]].concat()).await?;
    let subscription = subscribed["SubscriptionArn"].as_str().context("a subscription has an ARN")?;
    maker.drops("notes.mp4", &Footage::fixture("text.mp4")?).await?;
    let ours = maker.alias.to_string();
    let heard = ear.hear(|heard| heard.iter().any(|message| message.contains(&ours))).await?;
    aws(&cloud, &["sns", "unsubscribe", "--subscription-arn", subscription]).await?;
    ear.close().await?;
    let message = heard.iter().find(|message| message.contains(&ours)).context("it was just heard")?;
    for words in ["could not be posted", "notes.mp4", "What to do: "] {
        ensure!(message.contains(words), "{words:?} is not in {message}");
    }
    ensure!(!message.contains('<') && !message.contains('{'), "it is for people: {message}");
    Ok(())
}
