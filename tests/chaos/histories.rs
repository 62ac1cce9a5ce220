//! The campaign `histories`: random sequences of events, deliveries, commands, webhooks, pauses and faults around one
//! post.
//!
//! A history is a setup and a list of steps, both computed from a seed. It is played against the real functions, which
//! then run until the post is finished. The [`Model`](crate::model::Model) says which ends are permitted. A history
//! that violates the claim is shrunk until no step can be removed, and printed as an entry for [`regressions`].

mod ops;
mod regressions;
mod step;

use std::fmt;
use std::ops::Range;

use anyhow::Result;
use domain::account::Requirement;
use harness::Creator;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use simulator::{WebhookDelivery, WebhookOrder};

use crate::report::Row;
use crate::runner::{cores, run_all};
use crate::story::{CHUNK_BYTES, RunResult, apply_records, command_until_answered, conclude, shared_video};
use crate::test_env::{Command, Lambda, Paths, TestEnv};
use crate::test_post::TestPost;
use crate::unknowns::{EACH, ONE_SETTING, SEVERAL_SETTINGS, TikTokVariant};

use step::Step;

/// The number of concurrent histories for each core.
const HISTORIES_PER_CORE: usize = 2;
/// The number of steps after the optional first fault is below this.
const MAX_STEPS: usize = 14;
/// The size of a video with three chunks, in bytes. The last chunk has the 17 additional bytes.
const LARGE: u64 = 3 * CHUNK_BYTES + 17;
/// The size of a video with one chunk, in bytes.
const SMALL: u64 = 100_000;

/// How a video becomes a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// It is dropped into the bucket.
    Drop,
    /// It is outside of `drop/`, and a request creates the post.
    Request,
    /// It is uploaded to a presigned URL.
    Upload,
}

/// Which webhooks TikTok sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Webhooks {
    Never,
    Once,
    Twice,
    /// The latest event first.
    Reversed,
}

/// What a history begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setup {
    trigger: Trigger,
    /// The size of the video, in bytes.
    bytes: u64,
    webhooks: Webhooks,
    /// Whether the account's posts need an approval.
    review: bool,
}

/// A history under a variant of TikTok.
#[derive(Debug, Clone)]
pub(crate) struct History {
    setup: Setup,
    steps: Vec<Step>,
    tiktok: TikTokVariant,
}

/// Plays the given histories and the history of each seed, and returns one row for all.
pub(crate) fn play(paths: &Paths, histories: Vec<History>, seeds: Range<u64>) -> Row {
    let all: Vec<_> = histories.into_iter().chain(seeds.map(History::from_seed)).collect();
    let mut row = Row::new("histories", &format!("{} histories", all.len()), EACH, 0);
    let run = async |env: &TestEnv, history: &History| history.play_and_shrink(env).await;
    run_all(paths, all, HISTORIES_PER_CORE * cores(), run, |history, result| match result {
        Ok((shortest, result)) => row.add(&shortest.to_string(), Ok(result)),
        Err(error) => row.add(&history.to_string(), Err(error)),
    });
    row
}

impl History {
    /// The history of a seed. If the draws below change in order or range, each seed gives another history. The order
    /// of [`ONE_SETTING`] and [`SEVERAL_SETTINGS`] counts, too.
    fn from_seed(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let first = random.random_bool(0.6).then(|| Step::random_fault(&mut random));
        let others = (0..random.random_range(2..MAX_STEPS)).map(|_| Step::random(&mut random));
        let steps = first.into_iter().chain(others).collect();
        let variants = [&ONE_SETTING[..], &SEVERAL_SETTINGS].concat();
        let tiktok = variants[random.random_range(0..variants.len())];
        let triggers = [Trigger::Drop, Trigger::Drop, Trigger::Drop, Trigger::Request, Trigger::Upload];
        let webhooks = [Webhooks::Never, Webhooks::Once, Webhooks::Twice, Webhooks::Reversed];
        let setup = Setup {
            trigger: triggers[random.random_range(0..triggers.len())],
            bytes: if random.random_bool(0.6) { LARGE } else { SMALL },
            webhooks: webhooks[random.random_range(0..webhooks.len())],
            review: random.random_bool(0.15),
        };
        Self { setup, steps, tiktok }
    }

    /// Each regression under each variant of [`ONE_SETTING`].
    pub(crate) fn regressions() -> Vec<Self> {
        let under = |tiktok| regressions::ALL.map(|regression| Self::regression(regression, tiktok));
        ONE_SETTING.into_iter().flat_map(under).collect()
    }

    /// Each regression once, under one variant of [`ONE_SETTING`] in turn.
    pub(crate) fn regressions_once() -> Vec<Self> {
        let variants = ONE_SETTING.into_iter().cycle();
        regressions::ALL.into_iter().zip(variants).map(|(it, tiktok)| Self::regression(it, tiktok)).collect()
    }

    fn regression((setup, steps): (Setup, &[Step]), tiktok: TikTokVariant) -> Self {
        Self { setup, steps: steps.to_vec(), tiktok }
    }

    /// Plays the history. If it violates the claim, shrinks it and returns the shortest history that still does. If
    /// that one does not violate the claim when played again, the result is that of the whole history.
    async fn play_and_shrink(&self, env: &TestEnv) -> Result<(Self, RunResult)> {
        let result = self.play(env).await?;
        if result.check.is_clean() {
            return Ok((self.clone(), result));
        }
        let shortest = self.clone().shrink(env).await;
        let again = shortest.play(env).await?;
        Ok((shortest, if again.check.is_clean() { result } else { again }))
    }

    /// Plays the steps without shrinking, runs the functions until the posts are finished, and checks the result.
    async fn play(&self, env: &TestEnv) -> Result<RunResult> {
        let Setup { webhooks, review, .. } = self.setup;
        env.reset(|settings| {
            (self.tiktok.set)(settings);
            match webhooks {
                Webhooks::Never | Webhooks::Once => {}
                Webhooks::Twice => settings.webhook_copies = 2,
                Webhooks::Reversed => settings.webhook_order = WebhookOrder::Reversed,
            }
        })?;
        let are_disabled = webhooks == Webhooks::Never;
        let creator = Creator::create_with(&env.cloud, |creator| {
            creator.review = if review { Requirement::Required } else { Requirement::Optional };
            creator.user.webhooks = if are_disabled { WebhookDelivery::Disabled } else { WebhookDelivery::Enabled };
        });
        let creator = creator.await?;
        let start = env.now();
        let mut lambda = Lambda::new(env, CHUNK_BYTES);
        let mut posts = vec![self.setup.create_post(&mut lambda, &creator).await?];
        for step in &self.steps {
            step.perform(&mut lambda, &creator, &mut posts, review).await?;
            apply_records(&mut lambda, &mut posts);
        }
        env.proxy.stop_injecting();
        if review {
            // Approve every post. Otherwise it would be held for review forever.
            lambda.run_to_completion(std::slice::from_ref(&creator), posts.len()).await?;
            for post in posts.iter().filter(|post| env.state_of(&post.id).is_some()) {
                command_until_answered(&mut lambda, post, Command::Approve).await?;
            }
        }
        conclude(&mut lambda, &[creator], &mut posts, start).await
    }

    /// Removes each step without which the history still violates the claim, one after another.
    async fn shrink(mut self, env: &TestEnv) -> Self {
        let mut index = 0;
        while index < self.steps.len() {
            let mut shorter = self.clone();
            shorter.steps.remove(index);
            match shorter.play(env).await {
                Ok(result) if !result.check.is_clean() => self = shorter,
                _ => index += 1,
            }
        }
        self
    }
}

impl Setup {
    async fn create_post(self, lambda: &mut Lambda<'_>, creator: &Creator) -> Result<TestPost> {
        let video = shared_video(self.bytes)?;
        let mut post = match self.trigger {
            Trigger::Drop => lambda.env.drop_video(&creator.key("clip.mp4"), &video, &[])?,
            Trigger::Request => lambda.create_post(creator, &video).await?,
            Trigger::Upload => lambda.create_upload(creator, &video).await?,
        };
        if self.review {
            post.model.require_review();
        }
        Ok(post)
    }
}

/// Writes the history as an entry of [`regressions::ALL`].
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| format!("Step::{step:?}")).collect();
        let Setup { trigger, bytes, webhooks, review } = self.setup;
        write!(
            f,
            "TikTok {}: (Setup {{ trigger: Trigger::{trigger:?}, bytes: {bytes}, webhooks: Webhooks::{webhooks:?}, \
             review: {review} }}, &[{}])",
            self.tiktok.name,
            steps.join(", ")
        )
    }
}
