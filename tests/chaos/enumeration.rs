//! An enumeration: a campaign that plays a story once for each fault at each of its calls. A run has one fault.
//!
//! The simulator has settings for what TikTok's documents leave open ([`unknowns`](crate::unknowns)). It records which
//! of them its responses depended on, and [`RunCache`] stores these for each run under documented TikTok. A variant of
//! TikTok changes some settings. A run that read none of the changed settings goes the same way under the variant. It
//! is called *equivalent* and is not repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use simulator::SettingsRead;

use crate::fault_proxy::{Call, CallSelector, Fault, PlannedFault};
use crate::interruptions;
use crate::report::Row;
use crate::runner::{block_on, run_all};
use crate::story::{Run, RunResult, Story};
use crate::test_env::{Paths, TestEnv};
use crate::unknowns::{DOCUMENTED, EXPIRED_UPLOAD_FAILS, TikTokVariant};

/// A campaign on a story.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enumeration {
    pub(crate) campaign: &'static str,
    pub(crate) story: Story,
    /// Returns the faults for the story's calls, each with its call's number. Each fault makes one run.
    pub(crate) faults: fn(&[Call]) -> Vec<(usize, Fault)>,
    /// How long no function is invoked after a kill.
    pub(crate) outage: Duration,
    /// The number of concurrent runs.
    pub(crate) parallelism: usize,
}

/// The runs under documented TikTok, with the undocumented settings that they read.
#[derive(Debug, Default)]
pub(crate) struct RunCache {
    /// For each story without faults: its calls, and the settings that were read.
    baselines: BTreeMap<Story, (Vec<Call>, SettingsRead)>,
    /// For each run without a violation, by its key: the settings that were read.
    runs: BTreeMap<String, SettingsRead>,
}

impl Enumeration {
    /// Plays each `step`-th run, except those that are equivalent to a run under documented TikTok.
    pub(crate) fn play(&self, paths: &Paths, tiktok: TikTokVariant, step: usize, cache: &mut RunCache) -> Result<Row> {
        let (calls, runs) = self.runs(paths, tiktok, step, cache)?;
        let is_equivalent = |run: &Run| cache.is_equivalent(&self.key(run), tiktok);
        let (equivalent, runs): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_equivalent);
        let mut row = Row::new(self.campaign, self.story.name(), tiktok, calls);
        row.totals.equivalent = equivalent.len();
        run_all(paths, runs, self.parallelism, play, |run, result| {
            if let Some(result) = result.as_ref().ok().filter(|_| tiktok.is_documented()) {
                cache.insert(self.key(run), result);
            }
            row.add(&run.description, result);
        });
        Ok(row)
    }

    /// The number of the story's calls, and each `step`-th run.
    fn runs(
        &self,
        paths: &Paths,
        tiktok: TikTokVariant,
        step: usize,
        cache: &mut RunCache,
    ) -> Result<(usize, Vec<Run>)> {
        let (story, outage) = (self.story, self.outage);
        let calls = cache.calls_of(paths, story, tiktok)?;
        let run = |(number, fault): (usize, Fault)| {
            let name = calls.get(number).map(|call| call.name.clone()).unwrap_or_default();
            let description = format!("{name} (call {number}), {}", fault.name());
            let faults = vec![PlannedFault { call: CallSelector::Named(number, name), fault }];
            Run { story, tiktok, faults, outage, description }
        };
        let calls_to_test = story.calls_to_test(&calls);
        let faults = (self.faults)(&calls).into_iter().filter(|(number, _)| *number < calls_to_test);
        Ok((calls.len(), faults.step_by(step).map(run).collect()))
    }

    /// Identifies a run independently of TikTok's variant.
    fn key(&self, run: &Run) -> String {
        format!("{}, {}, {:?}", self.campaign, self.story.name(), run.faults)
    }
}

impl RunCache {
    /// The calls of a story without faults. If they are not cached, the story is played.
    fn calls_of(&mut self, paths: &Paths, story: Story, tiktok: TikTokVariant) -> Result<Vec<Call>> {
        let cached = self.baselines.get(&story).filter(|(_, settings_read)| !tiktok.may_differ(settings_read));
        if let Some((calls, _)) = cached {
            return Ok(calls.clone());
        }
        let run = Run { story, tiktok, faults: Vec::new(), outage: Duration::ZERO, description: String::new() };
        let baseline = block_on(async { run.play(&TestEnv::start(paths).await?).await })?;
        if !baseline.check.is_clean() {
            bail!("the story fails without faults: {}", baseline.check.notes.join("\n"));
        }
        if tiktok.is_documented() {
            self.baselines.insert(story, (baseline.calls.clone(), baseline.check.settings_read));
        }
        Ok(baseline.calls)
    }

    /// Stores a run under documented TikTok, if it has no violation. The caller checks that TikTok is documented: for a
    /// run under a variant, `is_equivalent` would be wrong.
    pub(crate) fn insert(&mut self, key: String, result: &RunResult) {
        if result.check.is_clean() {
            self.runs.insert(key, result.check.settings_read.clone());
        }
    }

    /// Whether a run is known to go the same way under this variant.
    pub(crate) fn is_equivalent(&self, key: &str, tiktok: TikTokVariant) -> bool {
        self.runs.get(key).is_some_and(|settings_read| !tiktok.may_differ(settings_read))
    }
}

async fn play(env: &TestEnv, run: &Run) -> Result<RunResult> {
    run.play(env).await
}

/// [`verify_equivalence`] plays every second run of its enumeration.
const VERIFIED_STEP: usize = 2;
/// How often a run with a different result is played under both. Concurrent calls arrive in any order, so a kill can come
/// slightly earlier or later and change the result of one try. A setting that matters changes the result of every try.
const MAX_TRIES: usize = 4;

/// Plays the runs of an enumeration under documented TikTok and again under a variant. Each run that the cache
/// considers equivalent must have the same result under both. At least one other run must have another result.
///
/// In the enumeration, the worker of a small post is killed and an outage of an hour follows. The variant matters only
/// to a publish that has begun and is incomplete when its upload URL expires.
pub(crate) fn verify_equivalence(paths: &Paths) -> Result<()> {
    let enumeration = interruptions::outage(Story::OneChunk);
    let mut cache = RunCache::default();
    let (_, mut remaining) = enumeration.runs(paths, DOCUMENTED, VERIFIED_STEP, &mut cache)?;
    let (mut equivalent, mut different) = (0, 0);
    let mut mismatches = Vec::new();
    for _ in 0..MAX_TRIES {
        mismatches.clear();
        let mut documented = BTreeMap::new();
        run_all(paths, remaining.clone(), enumeration.parallelism, play, |run, result| {
            if let Ok(result) = result {
                cache.insert(enumeration.key(run), &result);
                documented.insert(run.description.clone(), summary(&result));
            }
        });
        let variant = |run: Run| Run { tiktok: EXPIRED_UPLOAD_FAILS, ..run };
        let runs = std::mem::take(&mut remaining).into_iter().map(variant).collect();
        run_all(paths, runs, enumeration.parallelism, play, |run, result| {
            let actual = result.as_ref().ok().map(summary);
            let expected = documented.get(&run.description);
            let is_same = actual.is_some() && actual.as_ref() == expected;
            if !cache.is_equivalent(&enumeration.key(run), EXPIRED_UPLOAD_FAILS) {
                different += usize::from(!is_same);
            } else if is_same {
                equivalent += 1;
            } else {
                mismatches.push(format!("{}: {expected:?}, and under the variant {actual:?}", run.description));
                remaining.push(Run { tiktok: DOCUMENTED, ..run.clone() });
            }
        });
    }
    ensure!(mismatches.is_empty(), "these runs should be equivalent:\n{}", mismatches.join("\n"));
    ensure!(equivalent > 0 && different > 0, "{equivalent} runs are equivalent, and {different} differ");
    Ok(())
}

/// What must be the same in equivalent runs: the publishes, the number of reconnects, and whether the run is clean.
fn summary(result: &RunResult) -> (Vec<String>, usize, bool) {
    (result.check.publishes.clone(), result.reconnects, result.check.is_clean())
}
