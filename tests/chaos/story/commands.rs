//! The actions of people on a post, such as a cancel. An action is repeated until `api` responds, because a fault may
//! prevent the response.

use std::time::Duration;

use anyhow::{Result, bail};
use harness::Creator;
use simulator::{FailReason, LedgerEntry};

use crate::fault_proxy::AuthorizationEnd;
use crate::test_env::{Command, Lambda};
use crate::test_post::TestPost;

/// How long to wait until a message is delivered again: longer than the queue's visibility timeout (16 min) and a
/// worker's lease (2 min).
const REDELIVERY_WAIT: Duration = Duration::from_mins(17);
/// How often a person tries, at most.
const MAX_TRIES: usize = 12;
/// The seconds between two tries, if the first got no response.
const RETRY_AFTER_S: u64 = 5;

/// Ends the creator's authorization as soon as the post is stored.
pub(super) async fn end_authorization(
    lambda: &mut Lambda<'_>,
    post: &TestPost,
    creator: &Creator,
    end: AuthorizationEnd,
) -> Result<()> {
    for _ in 0..MAX_TRIES {
        lambda.deliver_messages().await?;
        if lambda.env.state_of(&post.id).is_none() {
            lambda.env.advance(REDELIVERY_WAIT.as_secs())?;
            continue;
        }
        let response = lambda.end_authorization(creator, end).await?;
        if end != AuthorizationEnd::Disconnected || response.is_some_and(|response| response.status == 200) {
            return Ok(());
        }
        lambda.env.advance(RETRY_AFTER_S)?;
    }
    bail!("the authorization could not be ended")
}

/// Runs the functions to the end, with a reconnect if one is needed. If TikTok has failed a publish because the
/// authorization had ended, retries the post.
pub(super) async fn retry_after_reconnect(
    lambda: &mut Lambda<'_>,
    creator: &Creator,
    post: &mut TestPost,
) -> Result<()> {
    lambda.run_to_completion(std::slice::from_ref(creator), 1).await?;
    let has_failed = |publish: &LedgerEntry| publish.fail_reason == Some(FailReason::AuthRemoved);
    if lambda.env.tiktok.ledger().publishes.iter().any(has_failed) {
        post.model.record_publish_failed();
        command_until_answered(lambda, post, Command::Retry).await?;
    }
    Ok(())
}

/// Sends a command before `publish` has worked on the post. Only if `api` does not respond, `publish` may come first.
pub(super) async fn command_before_work(lambda: &mut Lambda<'_>, post: &TestPost, command: Command) -> Result<()> {
    match lambda.command(command, &post.id).await? {
        Some(..500) => Ok(()),
        _ => command_until_answered(lambda, post, command).await,
    }
}

/// Sends a command as soon as the post is stored, and repeats it until the response's status is below 500.
pub(crate) async fn command_until_answered(lambda: &mut Lambda<'_>, post: &TestPost, command: Command) -> Result<()> {
    for _ in 0..MAX_TRIES {
        lambda.deliver_messages().await?;
        match lambda.command(command, &post.id).await? {
            Some(404) => lambda.env.advance(REDELIVERY_WAIT.as_secs())?,
            None | Some(500..) => lambda.env.advance(RETRY_AFTER_S)?,
            Some(_) => return Ok(()),
        }
    }
    bail!("{command:?} got no response")
}
