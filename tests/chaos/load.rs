//! The campaign `load`: many drops at the same time on many accounts, under TikTok's limits, with several workers.
//! Some of their processes are killed.
//!
//! A post that exceeds a limit waits for its account's next upload slot, or for the next day if the account's daily
//! quota is used. In each round, all workers empty the queue concurrently, `status` runs once, and the workers empty
//! the queue again. The clock advances between rounds. Each run of `status` is killed as well, if it makes enough
//! calls.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use harness::{Creator, TestVideo};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::checker::Checker;
use crate::fault_proxy::{Fault, Listener, Moment};
use crate::report::Row;
use crate::runner::block_on;
use crate::story::{CHUNK_BYTES, REPEAT_AFTER, RunResult};
use crate::test_env::{Completion, Lambda, Paths, TestEnv};
use crate::test_post::TestPost;
use crate::unknowns::TikTokVariant;

/// The size of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    accounts: usize,
    /// The number of videos per account: more than TikTok accepts in a day (15 in the simulator).
    drops_per_account: usize,
    workers: usize,
    /// After each kill, a worker is killed again at a random call below this number.
    worker_killed_within: usize,
    /// A run of `status` is killed at a random call from [`MIN_STATUS_CALLS`] up to this number, exclusive.
    status_killed_within: usize,
}

/// The load of the campaign. The number of workers is the default of `PublishConcurrency` in template.yaml.
pub(crate) const LARGE_LOAD: Load =
    Load { accounts: 50, drops_per_account: 20, workers: 10, worker_killed_within: 1500, status_killed_within: 1500 };
/// The load of `make test`.
pub(crate) const SMALL_LOAD: Load =
    Load { accounts: 4, drops_per_account: 17, workers: 4, worker_killed_within: 600, status_killed_within: 60 };

/// The size of a video, in bytes. The campaign does not depend on it.
const VIDEO_BYTES: u64 = 6_000;
/// The number of calls that `status` can make before it is killed: enough to find the due posts and to poll one of
/// them. With fewer, no run would make progress.
const MIN_STATUS_CALLS: usize = 25;

/// Drops all videos, and runs the functions until all posts are finished.
pub(crate) fn play(paths: &Paths, tiktok: TikTokVariant, load: Load) -> Row {
    let mut row = Row::new("load", &format!("{} drops", load.accounts * load.drops_per_account), tiktok, 0);
    let result = block_on(load.run(paths, tiktok));
    row.calls = result.as_ref().map_or(0, |result| result.calls.len());
    row.add(&format!("{load:?}"), result);
    row
}

impl Load {
    async fn run(self, paths: &Paths, tiktok: TikTokVariant) -> Result<RunResult> {
        let env = TestEnv::start(paths).await?;
        env.reset(tiktok.set)?;
        let (creators, posts) = self.drop_videos(&env).await?;
        let listeners = try_join_all((0..=self.workers).map(|_| env.open_listener())).await?;
        let workers = listeners.iter().zip(0..).map(|(listener, seed)| Worker::new(&env, listener, seed, self));
        let mut workers: Vec<_> = workers.collect();
        let poller = workers.pop().context("there is a listener for `status`")?;
        let mut pool = Pool { env: &env, workers, poller, creators, reconnects: 0 };
        let completion = pool.run_to_completion(posts.len()).await?;
        let calls: Vec<_> = listeners.iter().flat_map(|listener| listener.proxy.calls()).collect();
        let injected: Vec<_> = listeners.iter().flat_map(|listener| listener.proxy.injected()).collect();
        for listener in &listeners {
            listener.proxy.stop_injecting();
        }
        for post in &posts {
            env.send_event(post)?;
        }
        env.advance(REPEAT_AFTER.as_secs())?;
        pool.run_to_completion(posts.len()).await?;
        for worker in pool.workers.iter_mut().chain([&mut pool.poller]) {
            worker.lambda.stop().await?;
        }
        let (faults, chunk_bytes) = (injected.len(), CHUNK_BYTES);
        let stopped = Duration::ZERO;
        let check =
            Checker { posts: &posts, completion, faults, stopped, chunk_bytes, forbidden: &[] }.check(&env).await?;
        // The duration depends on TikTok's limits, so it is not a recovery time.
        Ok(RunResult { calls, injected, reconnects: pool.reconnects, check, recovery: None })
    }

    /// Drops all videos without advancing the clock: the first of each account, then the second of each, and so on.
    async fn drop_videos(self, env: &TestEnv) -> Result<(Vec<Creator>, Vec<TestPost>)> {
        let (mut creators, mut posts) = (Vec::new(), Vec::new());
        for _ in 0..self.accounts {
            creators.push(Creator::create(&env.cloud).await?);
        }
        for number in 0..self.drops_per_account {
            for creator in &creators {
                let key = creator.key(&format!("{number}.mp4"));
                posts.push(env.drop_video(&key, &TestVideo::new(VIDEO_BYTES)?, &[])?);
            }
        }
        Ok((creators, posts))
    }
}

/// The functions' processes behind one listener, and the kills planned for them.
struct Worker<'a> {
    lambda: Lambda<'a>,
    listener: &'a Listener,
    random: StdRng,
    load: Load,
    /// The number of kills planned so far.
    kills: usize,
}

impl<'a> Worker<'a> {
    fn new(env: &'a TestEnv, listener: &'a Listener, seed: u64, load: Load) -> Self {
        let (lambda, random) = (Lambda::with_listener(env, listener, CHUNK_BYTES), StdRng::seed_from_u64(seed));
        Self { lambda, listener, random, load, kills: 0 }
    }

    /// Handles messages until none is visible.
    async fn handle_messages(&mut self) -> Result<()> {
        self.plan_next_kill();
        while self.lambda.deliver_message().await? {
            self.plan_next_kill();
        }
        Ok(())
    }

    /// Runs `status` once, with a kill planned for this run only.
    async fn run_status(&mut self) -> Result<()> {
        self.listener.proxy.stop_injecting();
        self.plan_kill(MIN_STATUS_CALLS..self.load.status_killed_within);
        self.lambda.run_status().await
    }

    /// Plans the next kill, if the previous one has happened.
    fn plan_next_kill(&mut self) {
        if self.listener.proxy.injected().len() == self.kills {
            self.plan_kill(0..self.load.worker_killed_within);
            self.kills += 1;
        }
    }

    /// Plans a kill before or after a random call. The range counts calls from now on.
    fn plan_kill(&mut self, calls: Range<usize>) {
        let moment = if self.random.random_bool(0.5) { Moment::Before } else { Moment::After };
        self.listener.proxy.inject_after(self.random.random_range(calls), Fault::Kill(moment));
    }
}

/// All workers, and the creators.
struct Pool<'a> {
    env: &'a TestEnv,
    workers: Vec<Worker<'a>>,
    /// The worker that runs `status`.
    poller: Worker<'a>,
    creators: Vec<Creator>,
    reconnects: usize,
}

impl Pool<'_> {
    /// Runs rounds until this number of posts is finished, or nothing more would happen.
    async fn run_to_completion(&mut self, posts: usize) -> Result<Completion> {
        let env = self.env;
        let round = async || {
            try_join_all(self.workers.iter_mut().map(Worker::handle_messages)).await?;
            self.poller.run_status().await?;
            try_join_all(self.workers.iter_mut().map(Worker::handle_messages)).await?;
            self.reconnects += env.reconnect(&self.creators).await?;
            Ok(())
        };
        env.run_rounds(posts, round).await
    }
}
