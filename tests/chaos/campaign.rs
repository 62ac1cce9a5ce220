//! Many runs, several at a time, and what came of them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::gate::Order;
use crate::histories::History;
use crate::report::Row;
use crate::stage::{Places, Stage};
use crate::story::{Played, Story, play};
use crate::unknowns::TikTok;

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) story: Story,
    pub(crate) tiktok: TikTok,
    pub(crate) orders: Vec<Order>,
    /// How long nothing happens after a kill.
    pub(crate) outage: Duration,
    /// What is done to which call, for people.
    pub(crate) what: String,
}

/// Plays a story without trouble, to learn its calls.
///
/// # Errors
/// It does not even go well without trouble.
pub(crate) fn rehearse(places: &Places, story: Story, tiktok: TikTok) -> Result<Played> {
    let played = alone(async {
        let stage = Stage::set_up(places).await?;
        play(&stage, story, tiktok, Vec::new(), Duration::ZERO).await
    })?;
    if played.verdict.is_clean() {
        return Ok(played);
    }
    Err(anyhow!("without any trouble: {}", played.verdict.notes.join("\n")))
}

/// How many cores there are to play on.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Plays jobs, so many at a time, each thread on a stage of its own; says what came of each.
pub(crate) fn run(
    places: &Places,
    jobs: Vec<Job>,
    at_once: usize,
    told: &mut (impl FnMut(&Job, Result<Played>) + Send),
) {
    let (queue, told) = (Mutex::new(VecDeque::from(jobs)), Mutex::new(told));
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let note = |job: &Job, played| (told.lock().unwrap_or_else(PoisonError::into_inner))(job, played);
    std::thread::scope(|threads| {
        for _ in 0..at_once {
            threads.spawn(|| {
                while let Some(job) = take() {
                    let worked = alone(work(places, job.clone(), &take, &note));
                    if let Err(error) = worked {
                        note(&job, Err(error));
                    }
                }
            });
        }
    });
}

/// Plays jobs on one stage, until none is left, or one breaks the stage.
async fn work(
    places: &Places,
    first: Job,
    take: &impl Fn() -> Option<Job>,
    note: &impl Fn(&Job, Result<Played>),
) -> Result<()> {
    let stage = Stage::set_up(places).await?;
    let mut next = Some(first);
    while let Some(job) = next {
        let played = play(&stage, job.story, job.tiktok, job.orders.clone(), job.outage).await;
        let broken = played.is_err();
        note(&job, played);
        next = if broken { None } else { take() };
    }
    Ok(())
}

/// Runs a future on a runtime of its own, in this thread.
pub(crate) fn alone<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no runtime")?.block_on(future)
}

/// Plays histories, several at a time; one that breaks the claim is cut down first.
pub(crate) fn histories(places: &Places, row: Row, histories: Vec<History>, at_once: usize) -> Row {
    let (queue, row) = (Mutex::new(VecDeque::from(histories)), Mutex::new(row));
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let note = |what: &str, played| row.lock().unwrap_or_else(PoisonError::into_inner).add(what, played);
    std::thread::scope(|threads| {
        for _ in 0..at_once {
            threads.spawn(|| {
                while let Some(history) = take() {
                    let played = alone(async {
                        let stage = Stage::set_up(places).await?;
                        let played = history.play(&stage).await?;
                        if played.verdict.is_clean() {
                            return Ok((history.to_string(), played));
                        }
                        let least = history.clone().shrink(&stage).await;
                        let again = least.play(&stage).await?;
                        let told = if again.verdict.is_clean() { played } else { again };
                        Ok((least.to_string(), told))
                    });
                    match played {
                        Ok((what, played)) => note(&what, Ok(played)),
                        Err(error) => note(&history.to_string(), Err(error)),
                    }
                }
            });
        }
    });
    row.into_inner().unwrap_or_else(PoisonError::into_inner)
}
