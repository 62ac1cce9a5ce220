//! An enumeration: a story is played once for each trouble that one of its calls
//! can meet, and nothing else goes wrong.
//!
//! What comes of it under TikTok as documented is remembered with the unknown
//! settings that TikTok's answers hung on. Up to the first of them, a run goes the
//! same way under every other value; one that comes to none need not be played
//! again. So under another TikTok only those are played that may end otherwise
//! there, and those that were never played as documented.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use simulator::SettingsRead;

use crate::campaign::{Job, rehearse, run};
use crate::crashes;
use crate::gate::{At, Call, Order, Trouble};
use crate::report::Row;
use crate::stage::Places;
use crate::story::{Played, Story};
use crate::unknowns::{DOCUMENTED, FAILING, TikTok};

/// What a story's calls are to meet, one at a time, each with its call's number.
pub(crate) type Troubles = fn(&[Call]) -> Vec<(usize, Trouble)>;

/// A story, and what is to go wrong with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enumeration {
    pub(crate) campaign: &'static str,
    pub(crate) story: Story,
    pub(crate) troubles: Troubles,
    /// How long nothing happens after a kill.
    pub(crate) outage: Duration,
    /// How many runs there are at a time.
    pub(crate) at_once: usize,
}

/// What was played under TikTok as documented, and what of the unknown it hung on.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The calls of stories that nothing went wrong with.
    rehearsed: BTreeMap<Story, (Vec<Call>, SettingsRead)>,
    runs: BTreeMap<String, SettingsRead>,
}

impl Enumeration {
    /// Plays all of it, or each `step`-th run of all, but for what is known to go as it
    /// went under TikTok as documented.
    pub(crate) fn play(&self, places: &Places, tiktok: TikTok, step: usize, memory: &mut Memory) -> Result<Row> {
        let (calls, jobs) = self.jobs(places, tiktok, step, memory)?;
        let is_alike = |job: &Job| memory.is_alike(&self.name(job), tiktok);
        let (alike, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_alike);
        let mut row = Row::new(self.campaign, self.story.name(), tiktok, calls);
        row.alike = alike.len();
        let mut note = |job: &Job, played: Result<Played>| {
            if let Some(played) = played.as_ref().ok().filter(|_| tiktok.is_documented()) {
                memory.keep(self.name(job), played);
            }
            row.add(&job.what, played);
        };
        run(places, jobs, self.at_once, &mut note);
        Ok(row)
    }

    /// Says how many calls the story has, and what is to be played.
    fn jobs(&self, places: &Places, tiktok: TikTok, step: usize, memory: &mut Memory) -> Result<(usize, Vec<Job>)> {
        let (story, outage) = (self.story, self.outage);
        let calls = memory.rehearse(places, story, tiktok)?;
        let job = |(at, trouble): (usize, Trouble)| {
            let name = calls.get(at).map(|call| call.name.clone()).unwrap_or_default();
            let what = format!("{} {name} (call {at})", trouble.name());
            Job { story, tiktok, outage, orders: vec![Order { at: At::Named(at, name), trouble }], what }
        };
        let own = story.own(&calls);
        let troubles = (self.troubles)(&calls).into_iter().filter(|(at, _)| *at < own);
        Ok((calls.len(), troubles.step_by(step).map(job).collect()))
    }

    /// What a run is, whoever plays TikTok.
    fn name(&self, job: &Job) -> String {
        format!("{}, {}, {:?}", self.campaign, self.story.name(), job.orders)
    }
}

impl Memory {
    /// The calls of a story that nothing goes wrong with.
    fn rehearse(&mut self, places: &Places, story: Story, tiktok: TikTok) -> Result<Vec<Call>> {
        if let Some((calls, _)) =
            self.rehearsed.get(&story).filter(|(_, settings_read)| !tiktok.may_differ(settings_read))
        {
            return Ok(calls.clone());
        }
        let rehearsed = rehearse(places, story, tiktok)?;
        if tiktok.is_documented() {
            self.rehearsed.insert(story, (rehearsed.calls.clone(), rehearsed.verdict.settings_read));
        }
        Ok(rehearsed.calls)
    }

    /// Remembers a run under TikTok as documented, if it is good for anything.
    pub(crate) fn keep(&mut self, run: String, played: &Played) {
        if played.verdict.is_clean() {
            self.runs.insert(run, played.verdict.settings_read.clone());
        }
    }

    /// Whether it is known that a run goes the same way under this TikTok.
    pub(crate) fn is_alike(&self, run: &str, tiktok: TikTok) -> bool {
        self.runs.get(run).is_some_and(|settings_read| !tiktok.may_differ(settings_read))
    }
}

/// Plays what is said to go the same way under another TikTok all the same, and
/// what is not: the first does, and of the second something does not.
///
/// A small post whose worker dies, and an hour in which nobody looks: what becomes
/// of an upload in that time matters where one was begun and is not whole.
pub(crate) fn is_sound(places: &Places) -> Result<()> {
    let enumeration = crashes::with_outage(Story::OneChunk);
    let mut memory = Memory::default();
    let (_, jobs) = enumeration.jobs(places, DOCUMENTED, EVERY, &mut memory)?;
    let mut documented = BTreeMap::new();
    run(places, jobs.clone(), enumeration.at_once, &mut |job, played| {
        if let Ok(played) = played {
            memory.keep(enumeration.name(job), &played);
            documented.insert(job.what.clone(), ends(&played));
        }
    });
    let (mut alike, mut differ) = (0, 0);
    let mut otherwise: Vec<_> = jobs.into_iter().map(|job| Job { tiktok: FAILING, ..job }).collect();
    let mut untrue = Vec::new();
    for _ in 0..TRIES {
        untrue.clear();
        run(places, std::mem::take(&mut otherwise), enumeration.at_once, &mut |job, played| {
            let ends = played.as_ref().ok().map(ends);
            let same = ends.is_some() && ends.as_ref() == documented.get(&job.what);
            if !memory.is_alike(&enumeration.name(job), FAILING) {
                differ += usize::from(!same);
            } else if same {
                alike += 1;
            } else {
                untrue.push(format!("{}: {:?}, and then {ends:?}", job.what, documented.get(&job.what)));
                otherwise.push(job.clone());
            }
        });
    }
    ensure!(untrue.is_empty(), "it was said to make no difference:\n{}", untrue.join("\n"));
    ensure!(alike > 0 && differ > 0, "{alike} runs went the same way, as was said, and {differ} did not");
    Ok(())
}

/// Which of all runs are played for that.
const EVERY: usize = 2;
/// How often one is played that ends otherwise. What goes out at once comes in any order,
/// so a kill may find a little more or less done; what a setting changes, it changes each time.
const TRIES: usize = 4;

/// What a run came to.
fn ends(played: &Played) -> (Vec<String>, usize, bool) {
    (played.verdict.uploads.clone(), played.reconnects, played.verdict.is_clean())
}
