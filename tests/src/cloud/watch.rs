//! Waits until a post or an account has a state. A failed wait reports the post's history and TikTok's calls.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::account::Account;
use domain::failure::Failure;
use domain::identity::PostId;
use domain::post::{Post, PostState, StateName};

use super::Cloud;
use super::creator::Creator;
use super::dropped::Dropped;

/// The default timeout: several times what the slowest step takes on a small machine.
const TIMEOUT: Duration = Duration::from_mins(4);
/// The pause between two reads of a post or an account.
const READ_INTERVAL: Duration = Duration::from_millis(300);
/// The number of TikTok's last calls in a report.
const MAX_CALLS: usize = 30;

impl Cloud {
    /// Waits until the post has a state.
    pub async fn await_state(&self, id: &PostId, state: StateName) -> Result<Post> {
        self.await_post(id, state.as_str(), |post| post.state_name() == state).await
    }

    /// Waits until a condition of the post holds. `wanted` describes it.
    ///
    /// # Errors
    /// The timeout passed, or the post ended first.
    pub async fn await_post(&self, id: &PostId, wanted: &str, is: impl Fn(&Post) -> bool) -> Result<Post> {
        self.await_post_within(TIMEOUT, id, wanted, is).await
    }

    /// Does what [`await_post`](Self::await_post) does, with another timeout.
    pub async fn await_post_within(
        &self,
        timeout: Duration,
        id: &PostId,
        wanted: &str,
        is: impl Fn(&Post) -> bool,
    ) -> Result<Post> {
        let begun = Instant::now();
        loop {
            let post = self.posts.get(id).await?.map(|stored| stored.value);
            if let Some(post) = post.as_ref().filter(|post| is(post)) {
                return Ok(post.clone());
            }
            let ended = post.as_ref().is_some_and(has_ended);
            if ended || begun.elapsed() >= timeout {
                let why = if ended { "has ended" } else { "has not reached this state" };
                let (seconds, report) = (begun.elapsed().as_secs(), self.describe_post(id).await?);
                bail!("the post should be {wanted}, but {why} after {seconds} s:\n{report}");
            }
            self.poll().await?;
            tokio::time::sleep(READ_INTERVAL).await;
        }
    }

    /// Waits until the post of a drop has failed, and returns the failure.
    pub async fn await_failure(&self, dropped: &Dropped) -> Result<Failure> {
        let post = self.await_state(&dropped.post, StateName::Failed).await?;
        match &post.state {
            PostState::Failed { failure, .. } => Ok(failure.clone()),
            other => bail!("the post's state is {other:?}"),
        }
    }

    /// Waits until the post of a drop is deferred. Returns the deferral's code, and its length from the post's last
    /// history entry on.
    pub async fn await_deferral(&self, dropped: &Dropped) -> Result<(String, Duration)> {
        let post = self.await_post(&dropped.post, "deferred", |post| deferral_code(post).is_some()).await?;
        match &post.state {
            PostState::Queued { not_before, deferral: Some(deferral), .. } => {
                let since = post.history.last().context("a post has a history")?.at;
                Ok((deferral.reason.code().to_owned(), Duration::try_from(not_before.duration_since(since))?))
            }
            other => bail!("the post's state is {other:?}"),
        }
    }

    /// Waits until the post of a drop is deferred because its account lost the authorization.
    pub async fn await_lost_authorization(&self, dropped: &Dropped) -> Result<Post> {
        let is = |post: &Post| deferral_code(post) == Some("needs_reconnect");
        self.await_post(&dropped.post, "deferred until its account is connected again", is).await
    }

    /// Waits until a condition of a creator's account holds. `wanted` describes it.
    pub async fn await_account(
        &self,
        creator: &Creator,
        wanted: &str,
        is: impl Fn(&Account) -> bool,
    ) -> Result<Account> {
        let begun = Instant::now();
        loop {
            let account = creator.account().await?;
            if is(&account) {
                return Ok(account);
            }
            if begun.elapsed() >= TIMEOUT {
                bail!("the account should be {wanted}, but is {:?}", account.connection);
            }
            self.poll().await?;
            tokio::time::sleep(READ_INTERVAL).await;
        }
    }

    /// Checks that a post keeps its state for this long.
    pub async fn ensure_state_stays(&self, id: &PostId, wanted: StateName, duration: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < duration {
            if self.post(id).await?.state_name() != wanted {
                bail!("the post should stay {wanted}:\n{}", self.describe_post(id).await?);
            }
            self.poll().await?;
            tokio::time::sleep(READ_INTERVAL).await;
        }
        Ok(())
    }

    /// Reads a post.
    pub async fn post(&self, id: &PostId) -> Result<Post> {
        let stored = self.posts.get(id).await?;
        Ok(stored.with_context(|| format!("there is no post {id}"))?.value)
    }

    /// Describes a post for a failure report: history, state and TikTok's last calls.
    pub async fn describe_post(&self, id: &PostId) -> Result<String> {
        let Some(post) = self.posts.get(id).await? else {
            return Ok(format!("  there is no post {id}: its event was not handled"));
        };
        let mut report = format!("  {id} of {} from {}, due {:?}\n", post.account, post.source.key, post.due_at);
        for line in &post.history {
            writeln!(report, "  {}  {:<10}  {}", line.at, line.state, line.note)?;
        }
        writeln!(report, "  its state is {:?}", post.state)?;
        let Some(account) = self.accounts.get(&post.account).await? else {
            return Ok(report);
        };
        writeln!(report, "  TikTok's calls for {}:", account.open_id)?;
        let mut calls = self.tiktok.calls(0).await?;
        calls.retain(|call| call.user.as_ref().is_some_and(|user| user.as_str() == account.open_id.as_str()));
        for call in calls.iter().skip(calls.len().saturating_sub(MAX_CALLS)) {
            let publish = call.publish_id.as_ref().map(ToString::to_string).unwrap_or_default();
            let fault = call.fault.as_deref().map(|fault| format!("fault {fault}")).unwrap_or_default();
            let (status, endpoint) = (call.http_status.unwrap_or_default(), call.endpoint);
            writeln!(report, "  {}  {endpoint:?} {status} {} {publish} {fault}", call.time, call.code)?;
        }
        Ok(report)
    }
}

/// Returns whether a post is published.
#[must_use]
pub fn is_published(post: &Post) -> bool {
    post.state_name() == StateName::Published
}

/// Returns whether a post is published and its links are known, so that nothing is due.
#[must_use]
pub fn is_linked(post: &Post) -> bool {
    is_published(post) && post.due_at.is_none()
}

/// The code of a queued post's deferral.
#[must_use]
pub fn deferral_code(post: &Post) -> Option<&str> {
    match &post.state {
        PostState::Queued { deferral: Some(deferral), .. } => Some(deferral.reason.code()),
        _ => None,
    }
}

/// Returns whether a post does not change any more without a command.
fn has_ended(post: &Post) -> bool {
    match post.state_name() {
        StateName::Failed | StateName::Cancelled => true,
        StateName::Published => post.due_at.is_none(),
        StateName::Held
        | StateName::Scheduled
        | StateName::Queued
        | StateName::Uploading
        | StateName::Processing
        | StateName::Delivered => false,
    }
}
