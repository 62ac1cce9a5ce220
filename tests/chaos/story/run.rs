//! One run of a story with its faults, and its result.

use std::time::Duration;

use anyhow::Result;
use harness::Creator;
use jiff::Timestamp;

use super::Story;
use super::commands::retry_after_reconnect;
use crate::checker::{CheckResult, Checker};
use crate::fault_proxy::{Call, Fault, Op, PlannedFault};
use crate::test_env::{Completion, Lambda, TestEnv};
use crate::test_post::{TestPost, post_id};
use crate::unknowns::TikTokVariant;

/// How long after the posts' end their events and requests are repeated.
pub(crate) const REPEAT_AFTER: Duration = Duration::from_hours(2);

/// A run of a story.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) story: Story,
    pub(crate) tiktok: TikTokVariant,
    pub(crate) faults: Vec<PlannedFault>,
    /// How long no function is invoked after the first kill.
    pub(crate) outage: Duration,
    /// The call and the fault, as the report shows them.
    pub(crate) description: String,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct RunResult {
    /// The calls until the posts were finished, in the order of their arrival. Those of the repeated event are not
    /// included.
    pub(crate) calls: Vec<Call>,
    /// The names of the faults that took effect.
    pub(crate) injected: Vec<String>,
    /// The number of times that a creator had to connect an account again.
    pub(crate) reconnects: usize,
    pub(crate) check: CheckResult,
    /// The time from the first kill (or from the start) until the posts were finished, by the shifted clock. The outage
    /// and the pauses of a history do not count. None if the posts did not finish.
    pub(crate) recovery: Option<Duration>,
}

impl Run {
    /// Plays the story until the post is finished, and [concludes](conclude) the run.
    pub(crate) async fn play(&self, env: &TestEnv) -> Result<RunResult> {
        env.reset(self.tiktok.set)?;
        let creator = self.story.connect_creator(env).await?;
        let start = env.now();
        env.proxy.reset(self.faults.clone());
        if self.story == Story::Webhook {
            env.proxy.send_webhooks_before_status();
        }
        if self.story == Story::EventLost {
            env.check_bucket();
        }
        let mut lambda = Lambda::new(env, self.story.chunk_bytes());
        lambda.outage = self.outage;
        lambda.creator = Some(creator.clone());
        let mut post = self.story.begin(&mut lambda, &creator).await?;
        if self.ends_authorization() {
            retry_after_reconnect(&mut lambda, &creator, &mut post).await?;
        }
        let mut posts = self.story.repeat(env, &creator, &post)?;
        posts.insert(0, post);
        conclude(&mut lambda, &[creator], &mut posts, start).await
    }

    fn ends_authorization(&self) -> bool {
        let is_end = |planned: &PlannedFault| matches!(planned.fault, Fault::Op(Op::EndAuthorization(_), _));
        matches!(self.story, Story::AuthorizationLost(_)) || self.faults.iter().any(is_end)
    }
}

/// Runs the functions until all posts are finished, repeats the posts' events and requests [`REPEAT_AFTER`] later, and
/// checks the result. `start` is when the run began.
pub(crate) async fn conclude(
    lambda: &mut Lambda<'_>,
    creators: &[Creator],
    posts: &mut [TestPost],
    start: Timestamp,
) -> Result<RunResult> {
    let env = lambda.env;
    let completion = lambda.run_to_completion(creators, posts.len()).await?;
    let (calls, injected) = (env.proxy.calls(), env.proxy.injected());
    env.proxy.stop_injecting();
    let recovery_start = lambda.killed_at.unwrap_or(start);
    let recovery = match completion {
        Completion::Finished { at } => {
            let elapsed = Duration::try_from(at.duration_since(recovery_start)).ok();
            elapsed.map(|elapsed| elapsed.saturating_sub(lambda.paused))
        }
        Completion::Stuck | Completion::TooManyRounds => None,
    };
    for post in &*posts {
        env.send_event(post)?;
    }
    env.advance(REPEAT_AFTER.as_secs())?;
    for post in &*posts {
        repeat_request(lambda, post).await?;
    }
    lambda.run_to_completion(creators, posts.len()).await?;
    lambda.stop().await?;
    apply_records(lambda, posts);
    let (faults, chunk_bytes) = (injected.len(), lambda.chunk_bytes);
    let stopped = lambda.outage + lambda.paused;
    let forbidden = &lambda.forbidden;
    let check = Checker { posts, completion, faults, stopped, chunk_bytes, forbidden }.check(env).await?;
    Ok(RunResult { calls, injected, reconnects: lambda.reconnects, check, recovery })
}

/// Repeats the request that created a post, if one did. The response must name the same post.
pub(crate) async fn repeat_request(lambda: &mut Lambda<'_>, post: &TestPost) -> Result<()> {
    let Some(request) = &post.request else { return Ok(()) };
    let response = lambda.request_until_answered(request).await?;
    let body = if response.body["post"].is_null() { &response.body } else { &response.body["post"] };
    if response.status != 201 || post_id(body).ok().as_ref() != Some(&post.id) {
        lambda.forbidden.push(format!("the request of {} was repeated, and the response is {response:?}", post.id));
    }
    Ok(())
}

/// Applies the recorded commands and failed publishes to the posts' models.
pub(crate) fn apply_records(lambda: &mut Lambda<'_>, posts: &mut [TestPost]) {
    for record in std::mem::take(&mut lambda.commands) {
        let Some(post) = posts.iter_mut().find(|post| post.id == record.post) else { continue };
        lambda.forbidden.extend(post.model.record(&record, &post.video).err());
    }
    for publish in std::mem::take(&mut lambda.failed_publishes) {
        // If the post has begun a newer publish, this failure does not fail the post.
        let Some(stored) = lambda.env.post_of_publish(&publish.to_string()) else { continue };
        for post in posts.iter_mut().filter(|post| stored["id"]["S"] == post.id.as_str()) {
            post.model.record_publish_failed();
        }
    }
}
