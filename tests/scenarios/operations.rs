//! The operator's commands in `infra/operate.py`, which docs/operate.md describes.

pub(crate) mod stack;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::Connection;
use domain::post::StateName;
use harness::{Cloud, Dropped, TestVideo};
use serde_json::json;
use simulator::{Endpoint, FailReason, Fault, FaultKind};
use tokio::process::Command;

use crate::aws_cli::{app_secret, aws, put_app_secret, text};
use crate::outcomes::refusal;
use crate::recorded_events::notification;
use crate::runner::{WithCreator, scenarios};
use crate::tokens::keep_alive;

scenarios![concurrent:
    redrive_returns_dead_letters_to_the_queue,
    retry_by_code_requeues_only_matching_posts,
    held_account_holds_drops_until_released,
    restore_puts_deleted_item_back_unchanged,
    new_app_secret_is_used_without_deployment,
];

/// Runs `infra/operate.py`, and returns its output.
pub(crate) async fn operate(cloud: &Cloud, arguments: &[&str]) -> Result<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/operate.py");
    let stack = cloud.outputs().publish_function.trim_end_matches("-publish");
    let mut command = Command::new("python3");
    command.args([script, "--stack", stack, "--aws"]).arg(&cloud.contract.aws_cli).args(arguments);
    let done = command.envs(cloud.contract.cli_environment()).stdin(Stdio::null()).output().await?;
    let output = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(done.status.success(), "{arguments:?}: {output}{}", String::from_utf8_lossy(&done.stderr));
    Ok(output)
}

async fn redrive_returns_dead_letters_to_the_queue((cloud, creator): WithCreator) -> Result<()> {
    let outputs = cloud.outputs();
    // The object never existed, so there is no other event about it.
    let lost = Dropped::at(&outputs.intake_bucket, &creator.key("lost.mp4"), "never-was", &TestVideo::small());
    let event = notification(&lost)?.to_string();
    cloud.sqs.send_message().queue_url(&outputs.dead_letter_queue_url).message_body(event).send().await?;
    let output = operate(&cloud, &["redrive"]).await?;
    ensure!(output.ends_with("dead letters are in the intake queue again\n"), "{output}");
    assert_eq!(cloud.await_failure(&lost).await?.reason.code(), "source_gone", "the event was handled");
    Ok(())
}

async fn retry_by_code_requeues_only_matching_posts((cloud, creator): WithCreator) -> Result<()> {
    let failing = FaultKind::FailPost { reason: FailReason::FileFormatCheckFailed };
    creator.inject(Fault::new(Endpoint::Upload, failing)).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let other = creator.drop_video("slow.mp4", &TestVideo::fixture("slow.mp4")?).await?;
    for post in [&dropped.post, &other.post] {
        cloud.await_state(post, StateName::Failed).await?;
    }
    let (account, code) = (creator.alias.as_str(), "file_format_check_failed");
    let output = operate(&cloud, &["retry", "--code", code, "--account", account]).await?;
    let queued = format!("{}  queued", dropped.post);
    ensure!(output.contains(&queued) && !output.contains(other.post.as_str()), "{output}");
    creator.await_published_once(&dropped).await?;
    assert_eq!(cloud.post(&other.post).await?.state_name(), StateName::Failed);
    let error = operate(&cloud, &["retry", dropped.post.as_str()]).await.err().context("it is published")?;
    ensure!(error.to_string().contains("not_failed"), "{error}");
    Ok(())
}

async fn held_account_holds_drops_until_released((cloud, creator): WithCreator) -> Result<()> {
    operate(&cloud, &["hold", creator.alias.as_str()]).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Held).await?;
    creator.ledger().await?.ensure_no_init()?;
    operate(&cloud, &["release", creator.alias.as_str()]).await?;
    creator.await_published_once(&dropped).await?;
    ensure!(operate(&cloud, &["hold", "nobody-here"]).await.is_err(), "an unknown account is an error");
    Ok(())
}

async fn restore_puts_deleted_item_back_unchanged((cloud, creator): WithCreator) -> Result<()> {
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let table = cloud.outputs().posts_table.as_str();
    let key = json!({ "id": { "S": dropped.post.as_str() } }).to_string();
    let get = ["dynamodb", "get-item", "--table-name", table, "--key", &key, "--consistent-read"];
    // The item does not change any more when nothing is due.
    let mut before = aws(&cloud, &get).await?;
    while !before["Item"]["due_at"].is_null() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        before = aws(&cloud, &get).await?;
    }
    let name = format!("before-{}", dropped.post);
    let backup = aws(&cloud, &["dynamodb", "create-backup", "--table-name", table, "--backup-name", &name]).await?;
    let backup = text(&backup["BackupDetails"], "BackupArn")?;
    aws(&cloud, &["dynamodb", "delete-item", "--table-name", table, "--key", &key]).await?;
    assert!(cloud.posts.get(&dropped.post).await?.is_none());
    let output = operate(&cloud, &["restore", "posts", "--backup", backup]).await?;
    ensure!(output.contains(dropped.post.as_str()), "{output}");
    assert_eq!(aws(&cloud, &get).await?, before);
    delete_restored_table(&cloud, &output).await?;
    aws(&cloud, &["dynamodb", "delete-backup", "--backup-arn", backup]).await?;
    // The local cloud restores the current table for any time, so every item already exists.
    let at = runtime::clock::now().to_string();
    let output = operate(&cloud, &["restore", "posts", "--at", &at]).await?;
    ensure!(output.contains(&format!("0 items were copied into {table}")), "existing items are kept: {output}");
    delete_restored_table(&cloud, &output).await
}

/// Deletes the temporary table that the end of `restore`'s output names.
async fn delete_restored_table(cloud: &Cloud, output: &str) -> Result<()> {
    let table = output.trim_end().rsplit(' ').next().context("the output names the table")?;
    aws(cloud, &["dynamodb", "delete-table", "--table-name", table]).await.map(drop)
}

async fn new_app_secret_is_used_without_deployment((cloud, creator): WithCreator) -> Result<()> {
    // TikTok refuses the functions' secret, as if it already had a new one.
    let refused = creator.inject(refusal(Endpoint::Token, 401, "invalid_client").until_cleared()).await?;
    let ahead = Duration::from_hours(3); // The access token has expired by this clock.
    let mut dependencies = cloud.in_process(ahead)?;
    let refused_refresh = keep_alive(&dependencies, &creator.alias).await;
    let error = refused_refresh.err().context("TikTok refuses the old secret")?;
    ensure!(error.reason.code() != "needs_reconnect", "{error}");
    assert_eq!(creator.account().await?.connection, Connection::Connected, "the authorization is not lost");
    // The operator writes the secret: the same value, because the simulator knows no other. The worker reads it again
    // after five minutes (`MAX_AGE` in storage/src/app.rs).
    let secret = app_secret(&cloud).await?;
    let (first, second) = (put_app_secret(&cloud, &secret).await?, put_app_secret(&cloud, &secret).await?);
    assert_ne!(first, second, "each write makes a new version");
    cloud.tiktok.clear_fault(refused).await?;
    dependencies.instruments.clock = Arc::new(move || runtime::clock::now() + ahead + Duration::from_mins(6));
    keep_alive(&dependencies, &creator.alias).await?;
    Ok(())
}
