//! What an operator does, by the commands that the runbook names.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::{Connection, TokenUse};
use domain::post::StateName;
use serde_json::{Value, json};
use simulator::{Endpoint, FailReason, Fault, FaultKind};
use tests::{Cloud, Creator, Dropped, Footage, worker};
use tokio::process::Command;

use crate::aftermath::aws;
use crate::events::notification;
use crate::harness::stories;
use crate::options::failure_of;
use crate::refusals::refusal;
use crate::tokens::TIME;

stories![among:
    dead_letters_are_sent_through_the_queue_again,
    posts_that_failed_for_a_reason_are_queued_again_and_others_are_left,
    a_parked_accounts_drops_are_held_until_it_is_released,
    what_was_deleted_from_a_table_is_put_back_as_it_was,
    a_new_secret_of_the_app_is_used_without_a_deployment_and_costs_no_consent,
];

/// Runs `infra/operate.py` as its user does, and returns what it says.
pub(crate) async fn operate(cloud: &Cloud, arguments: &[&str]) -> Result<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/operate.py");
    let stack = cloud.outputs().publish_function.trim_end_matches("-publish");
    let mut command = Command::new("python3");
    command.args([script, "--stack", stack, "--aws"]).arg(&cloud.contract.aws_cli).args(arguments);
    let done = command.envs(cloud.contract.cli_environment()).stdin(Stdio::null()).output().await?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(done.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    Ok(said)
}

async fn dead_letters_are_sent_through_the_queue_again(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let outputs = cloud.outputs();
    // A drop of which nobody else tells: its object never was.
    let lost = Dropped::at(&outputs.intake_bucket, &maker.key("lost.mp4"), "never-was", &Footage::fresh()?);
    let letter = notification(&lost)?.to_string();
    cloud.sqs.send_message().queue_url(&outputs.dead_letter_queue_url).message_body(letter).send().await?;
    let said = operate(&cloud, &["redrive"]).await?;
    ensure!(said.ends_with("dead letters are in the intake queue again\n"), "{said}");
    assert_eq!(failure_of(&cloud, &lost).await?.reason.code(), "source_gone", "it was heard of after all");
    Ok(())
}

async fn posts_that_failed_for_a_reason_are_queued_again_and_others_are_left(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let refused = FaultKind::FailPost { reason: FailReason::FileFormatCheckFailed };
    maker.inject(Fault::new(Endpoint::Upload, refused)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let other = maker.drops("slow.mp4", &Footage::fixture("slow.mp4")?).await?;
    for post in [&dropped.post, &other.post] {
        cloud.await_state(post, StateName::Failed).await?;
    }
    let (account, code) = (maker.alias.as_str(), "file_format_check_failed");
    let said = operate(&cloud, &["retry", "--code", code, "--account", account]).await?;
    ensure!(said.contains(&format!("{}  queued", dropped.post)) && !said.contains(other.post.as_str()), "{said}");
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    assert_eq!(cloud.post(&other.post).await?.state_name(), StateName::Failed);
    // Who names a post that is past it hears so.
    let refused = operate(&cloud, &["retry", dropped.post.as_str()]).await.err().context("it is published")?;
    ensure!(refused.to_string().contains("not_failed"), "{refused}");
    Ok(())
}

async fn a_parked_accounts_drops_are_held_until_it_is_released(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    operate(&cloud, &["hold", maker.alias.as_str()]).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Held).await?;
    maker.book().await?.ensure_never_begun()?;
    operate(&cloud, &["release", maker.alias.as_str()]).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    ensure!(operate(&cloud, &["hold", "nobody-here"]).await.is_err(), "a misspelt name is no success");
    Ok(())
}

async fn what_was_deleted_from_a_table_is_put_back_as_it_was(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let table = cloud.outputs().posts_table.as_str();
    let key = json!({ "id": { "S": dropped.post.as_str() } }).to_string();
    let get = ["dynamodb", "get-item", "--table-name", table, "--key", &key, "--consistent-read"];
    let is_settled = |item: &Value| item["Item"]["due_at"].is_null();
    let mut before = aws(&cloud, &get).await?;
    while !is_settled(&before) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        before = aws(&cloud, &get).await?;
    }
    let name = format!("before-{}", dropped.post);
    let backup = aws(&cloud, &["dynamodb", "create-backup", "--table-name", table, "--backup-name", &name]).await?;
    let backup = backup["BackupDetails"]["BackupArn"].as_str().context("a backup has an ARN")?;
    aws(&cloud, &["dynamodb", "delete-item", "--table-name", table, "--key", &key]).await?;
    assert!(cloud.posts.get(&dropped.post).await?.is_none());
    let said = operate(&cloud, &["restore", "posts", "--backup", backup]).await?;
    ensure!(said.contains(dropped.post.as_str()), "{said}");
    assert_eq!(aws(&cloud, &get).await?, before);
    remove_the_table_beside(&cloud, &said).await?;
    aws(&cloud, &["dynamodb", "delete-backup", "--backup-arn", backup]).await?;
    // Of a moment that is past, this cloud knows no more than the command.
    let at = runtime::clock::now().to_string();
    let said = operate(&cloud, &["restore", "posts", "--at", &at]).await?;
    ensure!(said.contains(&format!("0 items were copied into {table}")), "what is there is left as it is: {said}");
    remove_the_table_beside(&cloud, &said).await
}

/// Does as a restoring says at its end.
async fn remove_the_table_beside(cloud: &Cloud, said: &str) -> Result<()> {
    let beside = said.trim_end().rsplit(' ').next().context("it names the table beside")?;
    aws(cloud, &["dynamodb", "delete-table", "--table-name", beside]).await.map(|_| ())
}

async fn a_new_secret_of_the_app_is_used_without_a_deployment_and_costs_no_consent(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let alias = maker.account().await?.alias;
    // TikTok has the new secret already, and the functions the old one.
    let refused = refusal(Endpoint::Token, 401, "invalid_client").until_cleared();
    let refused = cloud.tiktok.inject(&refused.for_user(maker.user.open_id.clone())).await?;
    let mut posting = cloud.staff(Duration::from_hours(3))?;
    let waits = posting.keep_alive(&alias, TokenUse::Call, &worker(&posting, TIME)).await;
    let waits = waits.err().context("TikTok refuses the old secret")?;
    ensure!(waits.reason.code() != "needs_reconnect", "{waits}");
    assert_eq!(maker.account().await?.connection, Connection::Connected, "the consent is none of the secret's");
    // The operator puts it in, and the same worker is asked again some minutes later.
    let id = &cloud.outputs().app_secret_arn;
    let said = aws(&cloud, &["secretsmanager", "get-secret-value", "--secret-id", id]).await?;
    let (version, text) = (&said["VersionId"], said["SecretString"].as_str().context("the secret is text")?);
    let put = ["secretsmanager", "put-secret-value", "--secret-id", id, "--secret-string", text];
    assert_ne!(&aws(&cloud, &put).await?["VersionId"], version);
    cloud.tiktok.clear_fault(refused).await?;
    posting.clock = Arc::new(|| runtime::clock::now() + Duration::from_hours(3) + Duration::from_mins(6));
    posting.keep_alive(&alias, TokenUse::Call, &worker(&posting, TIME)).await?;
    Ok(())
}
