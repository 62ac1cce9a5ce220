//! Waiting until a post is where it should be, and saying all there is to say
//! where it does not get there.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::account::Account;
use domain::identity::PostId;
use domain::post::{Post, StateName};

use crate::cloud::Cloud;
use crate::creator::Creator;

/// How long a post is waited for, unless the story says otherwise: several times
/// what the slowest step takes on a small machine.
pub const PATIENCE: Patience = Patience(Duration::from_mins(4));
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(300);
/// How many of TikTok's last calls are shown.
const CALLS_SHOWN: usize = 30;

/// How long something is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Duration);

impl Patience {
    /// Waits so many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Cloud {
    /// Waits until the post is in a state.
    pub async fn await_state(&self, id: &PostId, state: StateName) -> Result<Post> {
        self.await_post(id, state.as_str(), PATIENCE, |post| post.state_name() == state).await
    }

    /// Waits until something is true of the post.
    ///
    /// # Errors
    /// It did not come true in time, or the post came to another end first; the
    /// message holds the post's history and what TikTok was asked.
    pub async fn await_post(
        &self,
        id: &PostId,
        wanted: &str,
        patience: Patience,
        is: impl Fn(&Post) -> bool,
    ) -> Result<Post> {
        let begun = Instant::now();
        loop {
            let post = self.posts.get(id).await?.map(|kept| kept.value);
            if let Some(post) = post.as_ref().filter(|post| is(post)) {
                return Ok(post.clone());
            }
            let ended = post.as_ref().is_some_and(is_over);
            if ended || begun.elapsed() >= patience.0 {
                let how = if ended { "ended otherwise" } else { "did not get there in time" };
                let story = self.story(id).await?;
                bail!("the post should be {wanted}, and {how} ({} s):\n{story}", begun.elapsed().as_secs());
            }
            self.beat().await?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until something is true of a creator's account.
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
            if begun.elapsed() >= PATIENCE.0 {
                bail!("the account should be {wanted}, and is {:?}", account.connection);
            }
            self.beat().await?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes sure that nothing becomes of a post for some time.
    pub async fn stays(&self, id: &PostId, wanted: StateName, during: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < during {
            let post = self.post(id).await?;
            if post.state_name() != wanted {
                let story = self.story(id).await?;
                bail!("the post should stay {wanted}, and did not:\n{story}");
            }
            self.beat().await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The post as it is now.
    pub async fn post(&self, id: &PostId) -> Result<Post> {
        let kept = self.posts.get(id).await?;
        Ok(kept.with_context(|| format!("there is no post {id}"))?.value)
    }

    /// All that is known of a post, for whoever has to find out what went wrong.
    pub async fn story(&self, id: &PostId) -> Result<String> {
        let Some(post) = self.posts.get(id).await? else {
            return Ok(format!("  there is no post {id}: its event was not taken"));
        };
        let mut story = format!("  {id} of {} from {}, due {:?}\n", post.account, post.source.key, post.due_at);
        for line in &post.history {
            writeln!(story, "  {}  {:<10}  {}", line.at, line.state, line.note)?;
        }
        writeln!(story, "  it is {:?}", post.state)?;
        let Some(account) = self.accounts.get(&post.account).await? else {
            return Ok(story);
        };
        writeln!(story, "  TikTok was asked, on behalf of {}:", account.open_id)?;
        let mut calls = self.tiktok.calls(0).await?;
        calls.retain(|call| call.user.as_ref().is_some_and(|user| user.as_str() == account.open_id.as_str()));
        for call in calls.iter().skip(calls.len().saturating_sub(CALLS_SHOWN)) {
            let (publish, fault) = (call.publish_id.as_ref(), call.fault.as_deref());
            let publish = publish.map(ToString::to_string).unwrap_or_default();
            let fault = fault.map(|fault| format!("fault {fault}")).unwrap_or_default();
            let (status, endpoint) = (call.http_status.unwrap_or_default(), call.endpoint);
            writeln!(story, "  {}  {endpoint:?} {status} {} {publish} {fault}", call.time, call.code)?;
        }
        Ok(story)
    }
}

/// Tells whether nothing more will come of a post by itself.
fn is_over(post: &Post) -> bool {
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
