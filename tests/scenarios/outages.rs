//! Outages of what the functions stand on: nothing is taken that is not stored.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use domain::post::StateName;
use serde_json::json;
use tests::{Cloud, Creator, Footage};

use crate::aftermath::aws;
use crate::events::{invoke, message, notification};
use crate::harness::stories;
use crate::post_office::{PostOffice, webhook};

stories![alone:
    an_event_is_not_acknowledged_before_its_post_is_stored,
    a_webhook_is_not_answered_with_200_before_what_it_says_is_stored,
];

/// The name of the policy that closes the posts table.
const CLOSED: &str = "closed-for-a-story";

/// Closes every table to the writes of a role.
async fn close(cloud: &Cloud, role: &str) -> Result<()> {
    let statement = json!({ "Effect": "Deny", "Action": "dynamodb:PutItem", "Resource": "*" });
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

async fn an_event_is_not_acknowledged_before_its_post_is_stored(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let publish = &cloud.outputs().publish_function;
    let role = role_of(&cloud, publish).await?;
    close(&cloud, &role).await?;
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
    close(&cloud, &role).await?;
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
