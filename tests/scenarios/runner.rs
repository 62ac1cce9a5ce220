//! The runner of the scenarios: it runs most of them concurrently, then some exclusively, then the postconditions of
//! the whole run.
//!
//! It takes the usual arguments of a test binary: a part of a name, `--list`, `--exact`, `--skip`, `--test-threads`.

use std::fmt::Debug;
use std::fs::File;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use harness::{Cloud, Creator};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::RwLock;

/// The number of concurrent scenarios. They wait most of the time.
const CONCURRENT: usize = 32;

type Run = fn(Arc<Cloud>) -> Pin<Box<dyn Future<Output = Result<()>>>>;

/// Whether other scenarios may run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    Concurrent,
    Exclusive,
}

/// A scenario, named by its module's path and its function.
#[derive(Clone)]
pub(crate) struct Scenario {
    name: String,
    isolation: Isolation,
    run: Run,
}

impl Scenario {
    /// A scenario that runs at the same time as others.
    pub(crate) fn concurrent(module: &str, name: &str, run: Run) -> Self {
        Self { name: full_name(module, name), isolation: Isolation::Concurrent, run }
    }

    /// A scenario that changes something for all creators, so no other may run at the same time. The runner restores
    /// the simulator's settings after it; the scenario restores everything else.
    pub(crate) fn exclusive(module: &str, name: &str, run: Run) -> Self {
        Self { name: full_name(module, name), isolation: Isolation::Exclusive, run }
    }
}

/// The name of a scenario without the name of the test binary.
fn full_name(module: &str, name: &str) -> String {
    let (_, module) = module.split_once("::").unwrap_or_default();
    format!("{module}::{name}")
}

/// The argument of a scenario, which is created for it.
pub(crate) trait Argument: Sized {
    async fn create(cloud: Arc<Cloud>) -> Result<Self>;
}

/// The cloud and a creator with the default settings.
pub(crate) type WithCreator = (Arc<Cloud>, Creator);

impl Argument for Arc<Cloud> {
    async fn create(cloud: Arc<Cloud>) -> Result<Self> {
        Ok(cloud)
    }
}

impl Argument for Creator {
    async fn create(cloud: Arc<Cloud>) -> Result<Self> {
        Self::create(&cloud).await
    }
}

impl Argument for WithCreator {
    async fn create(cloud: Arc<Cloud>) -> Result<Self> {
        let creator = Creator::create(&cloud).await?;
        Ok((cloud, creator))
    }
}

/// Calls a scenario with its argument.
pub(crate) async fn call<A: Argument>(scenario: impl AsyncFnOnce(A) -> Result<()>, cloud: Arc<Cloud>) -> Result<()> {
    scenario(A::create(cloud).await?).await
}

/// Lists a module's scenarios, then the modules in it: `scenarios![concurrent: a_name, another_name; a_module]`.
macro_rules! scenarios {
    ($how:ident: $($name:ident),+ $(,)? $(; $($part:ident),+)?) => {
        pub(crate) fn scenarios() -> Vec<crate::runner::Scenario> {
            let own = vec![$(crate::runner::Scenario::$how(module_path!(), stringify!($name), |cloud| {
                Box::pin(crate::runner::call($name, cloud))
            })),+];
            [own, $($($part::scenarios()),+)?].concat()
        }
    };
}
pub(crate) use scenarios;

/// Runs the cases of a table concurrently, each with `run`.
pub(crate) async fn for_each<T: Debug + Clone>(
    cases: impl IntoIterator<Item = T>,
    run: impl AsyncFn(T) -> Result<()>,
) -> Result<()> {
    let run = &run;
    let cases =
        cases.into_iter().map(|case| async move { run(case.clone()).await.with_context(|| format!("case {case:?}")) });
    try_join_all(cases).await.map(drop)
}

/// Calls `read` repeatedly until it returns a value. `wanted` describes the value.
pub(crate) async fn poll_until<T>(
    wanted: &str,
    timeout: Duration,
    interval: Duration,
    read: impl AsyncFn() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = read().await? {
            return Ok(value);
        }
        ensure!(begun.elapsed() < timeout, "there is no {wanted} after {} s", timeout.as_secs());
        tokio::time::sleep(interval).await;
    }
}

/// The local cloud and the locks that isolate scenarios and runs.
struct Runner {
    runtime: Runtime,
    cloud: Arc<Cloud>,
    /// Exclusive scenarios hold the write lock, concurrent ones the read lock.
    exclusive: RwLock<()>,
    /// Locked during the run, so that two runs in one cloud do not affect each other.
    _cloud_lock: File,
}

/// Runs the scenarios that the command line selects, then all postconditions.
pub(crate) fn run(mut scenarios: Vec<Scenario>, postconditions: Vec<Scenario>) -> ExitCode {
    // Exclusive scenarios last, so that the others need not wait for them.
    scenarios.sort_by_key(|scenario| scenario.isolation == Isolation::Exclusive);
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CONCURRENT);
    if arguments.list {
        let listed = scenarios.into_iter().map(|scenario| Trial::test(scenario.name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, listed).exit_code();
    }
    let runner = match Runner::open() {
        Ok(runner) => Arc::new(runner),
        Err(error) => {
            // If this cannot be written either, the exit code still reports the failure.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let run = libtest_mimic::run(&arguments, runner.trials(scenarios));
    // The postconditions concern everything that happened, whatever was selected.
    arguments.filter = None;
    arguments.skip.clear();
    let checked = libtest_mimic::run(&arguments, runner.trials(postconditions));
    if run.has_failed() { run.exit_code() } else { checked.exit_code() }
}

impl Runner {
    fn open() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime")?;
        let cloud = Arc::new(runtime.block_on(Cloud::open())?);
        let cloud_lock = File::create(&cloud.lock_file)?;
        if cloud_lock.try_lock().is_err() {
            writeln!(std::io::stderr(), "waiting for another run of the scenarios in this cloud")?;
            cloud_lock.lock()?;
        }
        Ok(Self { runtime, cloud, exclusive: RwLock::new(()), _cloud_lock: cloud_lock })
    }

    fn trials(self: &Arc<Self>, scenarios: Vec<Scenario>) -> Vec<Trial> {
        let trial = |scenario: Scenario| {
            let runner = Arc::clone(self);
            Trial::test(scenario.name.clone(), move || runner.run(&scenario))
        };
        scenarios.into_iter().map(trial).collect()
    }

    fn run(&self, scenario: &Scenario) -> Result<(), Failed> {
        let result = self.runtime.block_on(async {
            match scenario.isolation {
                Isolation::Concurrent => {
                    let _guard = self.exclusive.read().await;
                    (scenario.run)(Arc::clone(&self.cloud)).await
                }
                Isolation::Exclusive => {
                    let _guard = self.exclusive.write().await;
                    let before = self.cloud.tiktok.settings().await?;
                    let result = (scenario.run)(Arc::clone(&self.cloud)).await;
                    self.cloud.tiktok.put_settings(&before).await?;
                    result
                }
            }
        });
        result.map_err(|error| Failed::from(format!("{error:#}")))
    }
}
