//! A crowd: many drops at once, over many accounts, under TikTok's limits, worked
//! on by many processes at a time, some of which die.
//!
//! What is over a limit waits for its account's turn, and where the account has used
//! its day up, for the next one. In a round all workers empty the queue together,
//! then what is due is looked at. Time passes between rounds. Who looks dies too: of a
//! small crowd, in each look that has many calls to make, before many of them are made.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use aws::TestVideo;
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tests::Creator;

use crate::campaign::alone;
use crate::dropped::Drop;
use crate::gate::{Moment, Trouble};
use crate::judge::Judged;
use crate::report::Row;
use crate::stage::{Entrance, Lambda, Places, Rest, Stage};
use crate::story::{CHUNK, Played};
use crate::unknowns::TikTok;

/// How large a crowd is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    accounts: usize,
    /// How many videos are dropped for each account: more than TikTok takes in a day.
    drops: usize,
    /// How many uploads there are at once.
    workers: usize,
    /// Within how many calls a process dies.
    dies_within: usize,
    /// Within how many calls each look dies.
    looks_die_within: usize,
}

/// The whole, with as many uploads at once as the template has.
pub(crate) const WHOLE: Crowd =
    Crowd { accounts: 50, drops: 20, workers: 10, dies_within: 1500, looks_die_within: 1500 };
/// The share of `make test`.
pub(crate) const SMALL: Crowd = Crowd { accounts: 4, drops: 17, workers: 4, dies_within: 600, looks_die_within: 60 };

/// The length of a video, in bytes: nothing here depends on it.
const BYTES: u64 = 6_000;
/// For how many calls a look lives at least: enough to find what is due, and to ask
/// TikTok about a single post.
const A_LOOK_LIVES_FOR: usize = 25;
/// How long after a crowd's end its events come once more.
const LATER: Duration = Duration::from_hours(2);

/// Has a crowd come, and everything come to rest.
pub(crate) fn gather(places: &Places, tiktok: TikTok, crowd: Crowd) -> Row {
    let mut row = Row::new("crowd", &format!("{} drops", crowd.accounts * crowd.drops), tiktok, 0);
    let played = alone(crowd.play(places, tiktok));
    row.calls = played.as_ref().map_or(0, |played| played.calls.len());
    row.add(&format!("{crowd:?}"), played);
    row
}

impl Crowd {
    async fn play(self, places: &Places, tiktok: TikTok) -> Result<Played> {
        let stage = Stage::set_up(places).await?;
        stage.clear(tiktok.set)?;
        let (makers, drops) = self.come(&stage).await?;
        let entrances = try_join_all((0..=self.workers).map(|_| stage.entrance())).await?;
        let all = entrances.iter().zip(0..).map(|(entrance, seed)| Worker::new(&stage, entrance, seed, self));
        let mut workers: Vec<_> = all.collect();
        let looker = workers.pop().context("there is an entrance for who looks")?;
        let mut crew = Crew { stage: &stage, workers, looker, makers, reconnects: 0 };
        let rest = crew.settle(drops.len()).await?;
        let calls: Vec<_> = entrances.iter().flat_map(|entrance| entrance.gate.calls()).collect();
        let fired: Vec<_> = entrances.iter().flat_map(|entrance| entrance.gate.fired()).collect();
        for entrance in &entrances {
            entrance.gate.be_calm();
        }
        for dropped in &drops {
            stage.tell_of(dropped)?;
        }
        stage.advance(LATER.as_secs())?;
        crew.settle(drops.len()).await?;
        for worker in crew.workers.iter_mut().chain([&mut crew.looker]) {
            worker.lambda.end().await?;
        }
        let judged = Judged { drops: &drops, rest, fired: fired.len(), chunk: CHUNK, untrue: &[] };
        let verdict = judged.judge(&stage).await?;
        // How long it takes is up to TikTok's limits: it says nothing of a recovery.
        Ok(Played { calls, fired, reconnects: crew.reconnects, verdict, recovery: None })
    }

    /// Drops every video at once, each account's in turn.
    async fn come(self, stage: &Stage) -> Result<(Vec<Creator>, Vec<Drop>)> {
        let (mut makers, mut drops) = (Vec::new(), Vec::new());
        for _ in 0..self.accounts {
            makers.push(Creator::connect(&stage.cloud).await?);
        }
        for number in 0..self.drops {
            for maker in &makers {
                let key = maker.key(&format!("{number}.mp4"));
                drops.push(stage.drop_film(&key, &TestVideo::new(BYTES)?, &[])?);
            }
        }
        Ok((makers, drops))
    }
}

/// A process of each function that is needed, and when it dies.
struct Worker<'a> {
    lambda: Lambda<'a>,
    entrance: &'a Entrance,
    random: StdRng,
    crowd: Crowd,
    /// How many deaths were ordered.
    deaths: usize,
}

impl<'a> Worker<'a> {
    fn new(stage: &'a Stage, entrance: &'a Entrance, seed: u64, crowd: Crowd) -> Self {
        let (lambda, random) = (Lambda::through(stage, entrance, CHUNK), StdRng::seed_from_u64(seed));
        Self { lambda, entrance, random, crowd, deaths: 0 }
    }

    /// Takes messages until none is there.
    async fn work(&mut self) -> Result<()> {
        self.order_death();
        while self.lambda.deliver().await? {
            self.order_death();
        }
        Ok(())
    }

    /// Looks at what is due, as far as it comes.
    async fn look(&mut self) -> Result<()> {
        self.entrance.gate.be_calm();
        self.order_death_after(A_LOOK_LIVES_FOR..self.crowd.looks_die_within);
        self.lambda.look().await
    }

    /// Orders the next death, once the last one has come.
    fn order_death(&mut self) {
        if self.entrance.gate.fired().len() == self.deaths {
            self.order_death_after(0..self.crowd.dies_within);
            self.deaths += 1;
        }
    }

    fn order_death_after(&mut self, calls: Range<usize>) {
        let moment = if self.random.random_bool(0.5) { Moment::Before } else { Moment::After };
        self.entrance.gate.order_after(self.random.random_range(calls), Trouble::Kill(moment));
    }
}

/// All workers, and those for whom they work.
struct Crew<'a> {
    stage: &'a Stage,
    workers: Vec<Worker<'a>>,
    /// Who looks at what is due.
    looker: Worker<'a>,
    makers: Vec<Creator>,
    reconnects: usize,
}

impl Crew<'_> {
    /// Works until so many posts are at their end, or nothing more would ever happen.
    async fn settle(&mut self, posts: usize) -> Result<Rest> {
        let stage = self.stage;
        let round = async || {
            try_join_all(self.workers.iter_mut().map(Worker::work)).await?;
            self.looker.look().await?;
            try_join_all(self.workers.iter_mut().map(Worker::work)).await?;
            self.reconnects += stage.reconnect(&self.makers).await?;
            Ok(())
        };
        stage.come_to_rest(posts, round).await
    }
}
