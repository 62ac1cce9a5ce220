//! Outages of what the functions stand on: nothing is taken that is not stored.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use domain::post::StateName;
use serde_json::json;
use tests::{Cloud, Creator, Footage};

use crate::aftermath::{aws, waiting};
use crate::events::{invoke, message, notification, recorded};
use crate::harness::stories;
use crate::operating::operate;
use crate::post_office::{PostOffice, webhook};

stories![alone:
    a_look_that_fails_is_kept_with_its_reason_and_the_next_one_goes_on,
    an_event_is_not_acknowledged_before_its_post_is_stored,
    a_webhook_is_not_answered_with_200_before_what_it_says_is_stored,
];

/// The name of the policy that closes the posts table.
const CLOSED: &str = "closed-for-a-story";
/// How often it is looked whether a look has failed.
const LOOKS: u32 = 120;

/// Closes every table to an action of a role.
async fn close(cloud: &Cloud, role: &str, action: &str) -> Result<()> {
    let statement = json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let call = ["iam", "put-role-policy", "--role-name", role, "--policy-name", CLOSED, "--policy-document", &policy];
    aws(cloud, &call).await.map(|_| ())
}

async fn open(cloud: &Cloud, role: &str) -> Result<()> {
    aws(cloud, &["iam", "delete-role-policy", "--role-name", role, "--policy-name", CLOSED]).await.map(|_| ())
}

async fn role_of(cloud: &Cloud, function: &str) -> Result<String> {
    let said = aws(cloud, &["lambda", "get-function-configuration", "--function-name", function]).await?;
    let arn = said["Role"].as_str().context("the function has no role")?;
    Ok(arn.rsplit('/').next().unwrap_or(arn).to_owned())
}

async fn a_look_that_fails_is_kept_with_its_reason_and_the_next_one_goes_on(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let status = &cloud.outputs().status_function;
    let role = role_of(&cloud, status).await?;
    close(&cloud, &role, "dynamodb:Query").await?;
    let failed = fail_a_look(&cloud, status).await;
    open(&cloud, &role).await?;
    failed?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    // What the clock woke meanwhile has failed too, and is as good as any other.
    let shown = operate(&cloud, &["status-errors"]).await?;
    for words in ["RetriesExhausted", "failed runs of status"] {
        ensure!(shown.contains(words), "{words:?} is not in {shown}");
    }
    let discarded = operate(&cloud, &["status-errors", "--discard"]).await?;
    assert_eq!(discarded.lines().count(), shown.lines().count(), "to be shown takes nothing away: {shown}");
    assert_eq!(waiting(&cloud, &cloud.outputs().status_dlq_url).await?, "0", "{discarded}");
    Ok(())
}

/// Wakes a function as its schedule does, until there is something left of a look that failed.
async fn fail_a_look(cloud: &Cloud, status: &str) -> Result<()> {
    let look = cloud.lambda.invoke().function_name(status).invocation_type(InvocationType::Event);
    look.payload(Blob::new(recorded("eventbridge-schedule.json")?.to_string())).send().await?;
    for _ in 0..LOOKS {
        if waiting(cloud, &cloud.outputs().status_dlq_url).await? != "0" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    bail!("nothing is left of a look that failed")
}

async fn an_event_is_not_acknowledged_before_its_post_is_stored(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let publish = &cloud.outputs().publish_function;
    let role = role_of(&cloud, publish).await?;
    close(&cloud, &role, "dynamodb:PutItem").await?;
    let told = while_closed(&cloud, &maker, publish).await;
    open(&cloud, &role).await?;
    let dropped = told?;
    // What was not acknowledged comes again, and is posted once.
    let batch = json!({ "Records": [message("m-1", &notification(&dropped)?.to_string())?] });
    let answer = invoke(&cloud, publish, &batch).await?;
    assert_eq!(answer["batchItemFailures"], json!([]));
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn while_closed(cloud: &Cloud, maker: &Creator, publish: &str) -> Result<tests::Dropped> {
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let notified = notification(&dropped)?;
    let batch = json!({ "Records": [message("m-1", &notified.to_string())?] });
    let answer = invoke(cloud, publish, &batch).await?;
    assert_eq!(answer["batchItemFailures"], json!([{ "itemIdentifier": "m-1" }]), "the queue is told to keep it");
    if invoke(cloud, publish, &notified).await.is_ok() {
        bail!("who sends a bare event hears that it was not stored");
    }
    assert!(cloud.posts.get(&dropped.post).await?.is_none(), "nothing was stored");
    maker.book().await?.ensure_never_begun()?;
    Ok(dropped)
}

async fn a_webhook_is_not_answered_with_200_before_what_it_says_is_stored(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("mode", "draft")]).await?;
    let post = cloud.await_state(&dropped.post, StateName::Delivered).await?;
    let content = json!({ "publish_id": post.publish_id(), "post_id": "12" });
    let known = webhook(&maker, "post.publish.publicly_available", runtime::clock::now(), &content);
    let unknown = webhook(&maker, "post.publish.renamed", runtime::clock::now(), &content);
    let office = PostOffice::open(&cloud).await?;
    let role = role_of(&cloud, &cloud.outputs().api_function).await?;
    close(&cloud, &role, "dynamodb:PutItem").await?;
    let told = futures::future::join(office.deliver(&known), office.deliver(&unknown)).await;
    open(&cloud, &role).await?;
    assert_eq!((told.0?, told.1?), (503, 503), "TikTok is to come again");
    assert!(office.kept(known.as_bytes()).await?.is_none(), "nothing was stored");
    // It does.
    for body in [&known, &unknown] {
        assert_eq!(office.deliver(body).await?, 200);
    }
    assert_eq!(office.outcome(&known).await?, "the post was delivered and is published");
    assert!(office.kept(unknown.as_bytes()).await?.is_some());
    Ok(())
}
