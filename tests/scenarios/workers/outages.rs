//! Outages of the tables: the functions acknowledge an event or a webhook only after they have stored it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use domain::post::StateName;
use harness::{Cloud, Dropped};
use serde_json::json;

use crate::aws_cli::{aws, queue_length, text};
use crate::operations::operate;
use crate::operations::stack::and_restore;
use crate::recorded_events::{message, notification, publish, publish_batch, recorded};
use crate::runner::{WithCreator, poll_until, scenarios};
use crate::webhooks::auth::delivered_draft;
use crate::webhooks::fixture::{WebhookFixture, webhook};

scenarios![exclusive:
    failed_poll_is_kept_with_reason_and_next_continues,
    event_is_acknowledged_only_after_post_is_stored,
    webhook_is_accepted_only_after_it_is_stored,
];

/// The name of the IAM policy that denies an action.
const DENIAL: &str = "denied-by-a-scenario";

/// Denies an action on every table to a function while `scenario` runs.
async fn while_denied<T>(
    cloud: &Cloud,
    function: &str,
    action: &str,
    scenario: impl Future<Output = Result<T>>,
) -> Result<T> {
    let scenario = Box::pin(scenario);
    let configuration = aws(cloud, &["lambda", "get-function-configuration", "--function-name", function]).await?;
    let role = text(&configuration, "Role")?.rsplit('/').next().unwrap_or_default();
    let statement = json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let names = ["--role-name", role, "--policy-name", DENIAL];
    aws(cloud, &[&["iam", "put-role-policy", "--policy-document", &policy][..], &names].concat()).await?;
    let delete = [&["iam", "delete-role-policy"][..], &names].concat();
    and_restore(scenario, async { aws(cloud, &delete).await.map(drop) }).await
}

async fn failed_poll_is_kept_with_reason_and_next_continues((cloud, creator): WithCreator) -> Result<()> {
    let (status, failed) = (&cloud.outputs().status_function, &cloud.outputs().status_dlq_url);
    while_denied(&cloud, status, "dynamodb:Query", async {
        // The schedule invokes `status` in this way. After its retries, Lambda puts the event into the dead-letter
        // queue.
        let event = Blob::new(recorded("eventbridge-schedule.json")?.to_string());
        let poll = cloud.lambda.invoke().function_name(status).invocation_type(InvocationType::Event);
        poll.payload(event).send().await?;
        poll_until("failed poll", Duration::from_secs(30), Duration::from_millis(250), async || {
            Ok((queue_length(&cloud, failed).await? != 0).then_some(()))
        })
        .await
    })
    .await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    // Polls of the stack's own schedule may have failed too.
    let shown = operate(&cloud, &["status-errors"]).await?;
    for words in ["RetriesExhausted", "failed runs of status"] {
        ensure!(shown.contains(words), "{words:?} is not in {shown}");
    }
    let discarded = operate(&cloud, &["status-errors", "--discard"]).await?;
    assert_eq!(discarded.lines().count(), shown.lines().count(), "showing removes nothing: {shown}");
    assert_eq!(queue_length(&cloud, failed).await?, 0, "{discarded}");
    Ok(())
}

async fn event_is_acknowledged_only_after_post_is_stored((cloud, creator): WithCreator) -> Result<()> {
    let batch =
        |dropped: &Dropped| anyhow::Ok(json!({ "Records": [message("m-1", &notification(dropped)?.to_string())?] }));
    let dropped = while_denied(&cloud, &cloud.outputs().publish_function, "dynamodb:PutItem", async {
        let dropped = creator.drop_small("clip.mp4").await?;
        publish_batch(&cloud, &batch(&dropped)?, &["m-1"]).await?;
        ensure!(publish(&cloud, &notification(&dropped)?).await.is_err(), "a bare event that is not stored fails");
        assert!(cloud.posts.get(&dropped.post).await?.is_none(), "nothing was stored");
        creator.ledger().await?.ensure_no_init()?;
        Ok(dropped)
    })
    .await?;
    // The event that was not acknowledged comes again.
    publish_batch(&cloud, &batch(&dropped)?, &[]).await?;
    creator.await_published_once(&dropped).await.map(drop)
}

async fn webhook_is_accepted_only_after_it_is_stored(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, _, content) = delivered_draft(&cloud).await?;
    let known = webhook(&creator, "post.publish.publicly_available", runtime::clock::now(), &content);
    let unknown = webhook(&creator, "post.publish.renamed", runtime::clock::now(), &content);
    let webhooks = WebhookFixture::open(&cloud).await?;
    let statuses = while_denied(&cloud, &cloud.outputs().api_function, "dynamodb:PutItem", async {
        futures::future::try_join(webhooks.deliver(&known), webhooks.deliver(&unknown)).await
    })
    .await?;
    assert_eq!(statuses, (503, 503), "TikTok repeats the webhooks");
    assert!(webhooks.stored(known.as_bytes()).await?.is_none(), "nothing was stored");
    webhooks.ensure_accepted(&known, "the post was delivered and is published").await?;
    assert_eq!(webhooks.deliver(&unknown).await?, 200);
    assert!(webhooks.stored(unknown.as_bytes()).await?.is_some());
    Ok(())
}
