//! The parallel execution of jobs (runs of a story, or histories). Each thread has its own test environment.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::test_env::{Paths, TestEnv};

/// The number of cores.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs a future to its end on a new Tokio runtime in this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("could not start a runtime")?.block_on(future)
}

/// Runs each job in one of several threads, and records its result. A thread uses its test environment for one job
/// after another. After a job that returned an error, it starts a new one, because the old one may be in any state.
pub(crate) fn run_all<J: Send, T>(
    paths: &Paths,
    jobs: Vec<J>,
    threads: usize,
    run: impl AsyncFn(&TestEnv, &J) -> Result<T> + Sync,
    record: impl FnMut(&J, Result<T>) + Send,
) {
    let (queue, record) = (Mutex::new(VecDeque::from(jobs)), Mutex::new(record));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let record = |job: &J, result| (record.lock().unwrap_or_else(PoisonError::into_inner))(job, result);
    // Runs jobs until one fails. If the environment does not start, `current` still has its job.
    let work = async |current: &mut Option<J>| {
        let env = TestEnv::start(paths).await?;
        while let Some(job) = current.take() {
            let result = run(&env, &job).await;
            let is_broken = result.is_err();
            record(&job, result);
            *current = if is_broken { None } else { next() };
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let mut current = Some(job);
                    if let Err(error) = block_on(work(&mut current))
                        && let Some(job) = current
                    {
                        record(&job, Err(error));
                    }
                }
            });
        }
    });
}
