//! How stories are told: many at once, some alone, and the judgement at the end.
//!
//! It looks and is driven like the usual test harness: a name as a filter,
//! `--list`, `--exact`, `--test-threads`.

use std::fs::File;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use tests::Cloud;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::RwLock;

/// How many stories are told at once. They wait most of the time.
const AT_ONCE: usize = 32;

type EventEntry = Pin<Box<dyn Future<Output = Result<()>> + Send>>;
type Tell = fn(Arc<Cloud>) -> EventEntry;

/// Whether a story leaves TikTok as it is for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Among,
    Alone,
}

/// A story and its name, which is a sentence.
pub(crate) struct Story {
    name: String,
    company: Company,
    tell: Tell,
}

impl Story {
    /// A story that is told while others are.
    pub(crate) fn among(module: &str, name: &str, tell: Tell) -> Self {
        Self { name: full_name(module, name), company: Company::Among, tell }
    }

    /// A story that changes settings of the simulator, and so is told alone. The
    /// settings are put back after it.
    pub(crate) fn alone(module: &str, name: &str, tell: Tell) -> Self {
        Self { name: full_name(module, name), company: Company::Alone, tell }
    }
}

fn full_name(module: &str, name: &str) -> String {
    let module = module.rsplit("::").next().unwrap_or(module);
    format!("{module}::{name}")
}

/// Lists a module's stories: `stories![among: a_name, another_name]`.
macro_rules! stories {
    ($how:ident: $($name:ident),+ $(,)?) => {
        pub(crate) fn stories() -> Vec<crate::harness::Story> {
            vec![$(crate::harness::Story::$how(module_path!(), stringify!($name), |cloud| Box::pin($name(cloud)))),+]
        }
    };
}
pub(crate) use stories;

/// Where stories are told.
struct Stage {
    runtime: Runtime,
    cloud: Arc<Cloud>,
    turns: RwLock<()>,
    /// Held while stories are told, so that two runs in one cloud do not disturb each other.
    _whole_cloud: File,
}

/// Tells the stories that the command line asks for, then judges the run.
pub(crate) fn tell(stories: Vec<Story>, aftermath: Vec<Story>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    if arguments.list {
        let listed = stories.into_iter().map(|story| Trial::test(story.name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, listed).exit_code();
    }
    let stage = match Stage::open() {
        Ok(stage) => Arc::new(stage),
        Err(error) => {
            // Where even this cannot be written, the exit code says it.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let told = libtest_mimic::run(&arguments, stage.trials(stories));
    // Whatever was asked for, everything that happened is judged.
    arguments.filter = None;
    arguments.skip.clear();
    let judged = libtest_mimic::run(&arguments, stage.trials(aftermath));
    if told.has_failed() { told.exit_code() } else { judged.exit_code() }
}

impl Stage {
    fn open() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime")?;
        let cloud = Arc::new(runtime.block_on(Cloud::open())?);
        let whole_cloud = File::create(&cloud.lock_file)?;
        if whole_cloud.try_lock().is_err() {
            writeln!(std::io::stderr(), "waiting for another run of the scenarios in this cloud")?;
            whole_cloud.lock()?;
        }
        Ok(Self { runtime, cloud, turns: RwLock::new(()), _whole_cloud: whole_cloud })
    }

    fn trials(self: &Arc<Self>, stories: Vec<Story>) -> Vec<Trial> {
        let trial = |story: Story| {
            let stage = Arc::clone(self);
            let name = story.name.clone();
            Trial::test(name, move || stage.play(&story))
        };
        stories.into_iter().map(trial).collect()
    }

    fn play(&self, story: &Story) -> Result<(), Failed> {
        let told = self.runtime.block_on(async {
            match story.company {
                Company::Among => {
                    let _turn = self.turns.read().await;
                    (story.tell)(Arc::clone(&self.cloud)).await
                }
                Company::Alone => {
                    let _turn = self.turns.write().await;
                    let before = self.cloud.tiktok.settings().await?;
                    let told = (story.tell)(Arc::clone(&self.cloud)).await;
                    self.cloud.tiktok.put_settings(&before).await?;
                    told
                }
            }
        });
        told.map_err(|error| Failed::from(format!("{error:#}")))
    }
}
