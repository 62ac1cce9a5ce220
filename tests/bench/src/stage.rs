//! Everything that a post needs around it: the servers, the roads to them, and
//! an account.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use lambda::{Environment, Function};
use serde_json::{Value, json};
use simulator::{Control, Entry};

use crate::account::{self, Account};
use crate::amazon;
use crate::drain::{RECEIVED, WHOLE};
use crate::film::Film;
use crate::pipe::Manner;
use crate::server::Server;
use crate::store::{Calls, calls_at, difference};

/// Where programs and files are, and what else the functions are told.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The functions that ship, each as `<name>/bootstrap`.
    pub(crate) functions: PathBuf,
    /// The programs to compare with, likewise.
    pub(crate) programs: PathBuf,
    /// The program that connects an account.
    pub(crate) connect: PathBuf,
    /// Where logs go.
    pub(crate) scratch: PathBuf,
    /// Variables on top of the others.
    pub(crate) set: Environment,
}

/// What the template says to `publish`, and to `notices`, besides where things are.
const AS_IN_THE_TEMPLATE: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "8388608"),
    ("MALLOC_TRIM_THRESHOLD_", "67108864"),
    ("EVENT_BUS", "default"),
];

/// The servers that everything here is measured against.
pub(crate) struct Stage {
    pub(crate) places: Places,
    pub(crate) amazon: Server,
    pub(crate) store: Server,
    pub(crate) drain: Server,
}

/// TikTok: who issues upload URLs, and the way to both.
pub(crate) struct TikTok {
    simulator: Server,
    /// Where the API is reached.
    pub(crate) api: SocketAddr,
    /// Where upload URLs lead.
    pub(crate) uploads: SocketAddr,
    pub(crate) control: Control,
}

/// A post that is to be made.
pub(crate) struct Order<'a> {
    pub(crate) film: &'a Film,
    pub(crate) store: SocketAddr,
    pub(crate) tiktok: &'a TikTok,
    /// Variables that belong to this post.
    pub(crate) set: Environment,
}

/// A post that was made.
pub(crate) struct Posted {
    /// From handing over the event to the answer.
    pub(crate) seconds: f64,
    /// The most memory that the process had resident, in bytes.
    pub(crate) peak_memory: u64,
    /// What TikTok knows of it.
    pub(crate) entry: Entry,
    /// What was asked of AWS, but for S3.
    pub(crate) asked: Calls,
}

impl Stage {
    /// Starts the servers.
    pub(crate) async fn set_up(places: Places) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let amazon = Server::start(&bench, &["amazon"]).await?;
        let store = Server::start(&bench, &["store"]).await?;
        let drain = Server::start(&bench, &["drain"]).await?;
        Ok(Self { places, amazon, store, drain })
    }

    /// A function's program.
    pub(crate) fn function(&self, name: &str) -> PathBuf {
        self.places.functions.join(name).join("bootstrap")
    }

    /// A program to compare with.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.places.programs.join(name).join("bootstrap")
    }

    /// Starts a TikTok that names this address in its upload URLs, or itself.
    pub(crate) async fn tiktok(&self, uploads: Option<SocketAddr>) -> Result<TikTok> {
        let url = uploads.map(|address| format!("http://{address}"));
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--client-key", aws::CLIENT_KEY];
        if let Some(url) = &url {
            arguments.extend(["--public-url", url]);
        }
        let simulator = Server::start(&self.program("simulator"), &arguments).await?;
        let at = simulator.address;
        let control = Control::new(&format!("http://{at}"));
        Ok(TikTok { simulator, api: at, uploads: uploads.unwrap_or(at), control })
    }

    /// The variables of every function.
    pub(crate) fn environment(&self, store: SocketAddr, tiktok: &TikTok) -> Environment {
        let own = [
            ("STACK_NAME", "bench".to_owned()),
            ("AWS_ENDPOINT_URL_S3", format!("http://{store}")),
            ("TIKTOK_API_URL", format!("http://{}", tiktok.api)),
            ("TIKTOK_UPLOAD_HOSTS", tiktok.uploads.to_string()),
            ("DEFAULT_MODE", "direct".to_owned()),
        ];
        let mut environment = aws::variables(&self.amazon.url());
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        environment.extend(AS_IN_THE_TEMPLATE.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(self.places.set.iter().cloned());
        environment
    }

    /// Has a fresh process of `publish` post a film, and makes sure that every
    /// byte arrived where it belongs.
    pub(crate) async fn post(&self, order: Order<'_>) -> Result<Posted> {
        let tiktok = order.tiktok;
        let (aws, simulator) = (self.amazon.url(), tiktok.simulator.url());
        let account = account::connect(&self.places.connect, &aws, &simulator, &self.places.scratch).await?;
        let asked = self.asked().await?;
        let mut environment = self.environment(order.store, tiktok);
        environment.extend(order.set);
        let log = self.places.scratch.join("publish.log");
        let before = self.received().await?;
        let mut publish = Function::start(&self.function("publish"), &environment, &log).await?;
        let (answer, took) = publish.invoke(event(order.film, &account), deadline()).await?;
        let peak_memory = publish.peak_memory()?;
        publish.stop().await?;
        ensure!(answer == json!({ "batchItemFailures": [] }), "publish did not take the event: {answer}");
        let entry = self.entry_of(tiktok, &account).await.with_context(|| format!("see {}", log.display()))?;
        if tiktok.uploads == tiktok.simulator.address {
            ensure!(entry.sha256 == Some(order.film.sha256()), "TikTok has other bytes: {entry:#?}");
            ensure!(entry.violations.is_empty(), "rules were broken: {:#?}", entry.violations);
        } else {
            let received = difference(&before, &self.received().await?);
            ensure!(received == [(WHOLE.to_owned(), 1)].into(), "received {received:?}; see {}", log.display());
        }
        let asked = difference(&asked, &self.asked().await?);
        Ok(Posted { seconds: took.as_secs_f64(), peak_memory, entry, asked })
    }

    async fn entry_of(&self, tiktok: &TikTok, account: &Account) -> Result<Entry> {
        let ledger = tiktok.control.ledger().await?;
        let mut entries = ledger.publishes.into_iter().filter(|entry| entry.user == account.user);
        let entry = entries.next().context("TikTok was not asked to take a video")?;
        ensure!(entries.next().is_none(), "TikTok was asked more than once");
        Ok(entry)
    }

    /// Moves a film with a program of ours; returns the seconds that it took.
    pub(crate) async fn pipe(&self, manner: Manner, film: &Film, way: Way) -> Result<f64> {
        let before = self.received().await?;
        let [size, chunk] = [film.bytes(), way.chunk].map(|number| number.to_string());
        let (from, to) = (way.from.to_string(), way.to.to_string());
        let said = run(&self.program("bench"), &["pipe", manner.name(), &size, &from, &to, &chunk]).await?;
        if manner != Manner::Pull {
            let received = difference(&before, &self.received().await?);
            ensure!(received == [(WHOLE.to_owned(), 1)].into(), "{} had {received:?} received", manner.name());
        }
        Ok(said.trim().parse()?)
    }

    /// What was asked of AWS so far, by whomever, but for S3.
    async fn asked(&self) -> Result<Calls> {
        calls_at(&(self.amazon.url() + amazon::CALLS)).await
    }

    /// What the drain has received so far.
    pub(crate) async fn received(&self) -> Result<Calls> {
        calls_at(&format!("http://{}{RECEIVED}", self.drain.address)).await
    }
}

/// Between which servers a pipe lies, and its chunks in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) chunk: u64,
}

/// Runs a program to its end, and returns what it said.
pub(crate) async fn run(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(program).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_mins(10), output).await??;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// When an invocation ends that begins now: the time that the template gives to `publish`.
#[expect(clippy::disallowed_methods, reason = "a deadline is a time of day, and nothing else here reads one")]
fn deadline() -> Timestamp {
    Timestamp::now() + Duration::from_mins(15)
}

/// The recorded event of a drop, with this film and account in it.
fn event(film: &Film, account: &Account) -> Value {
    let recorded = include_str!("../../../events/sqs-s3-put.json");
    let mut event: Value = serde_json::from_str(recorded).unwrap_or_default();
    let message = event.pointer_mut("/Records/0/body");
    let body = message.as_ref().and_then(|body| body.as_str()).unwrap_or_default();
    let mut body: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(object) = body.pointer_mut("/Records/0/s3/object") {
        object["key"] = format!("drop/{}/{}", account.alias, film.name()).into();
        object["size"] = film.bytes().into();
    }
    if let Some(message) = message {
        *message = body.to_string().into();
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_here_is_what_the_template_says() {
        let template = include_str!("../../../template.yaml");
        for (name, value) in AS_IN_THE_TEMPLATE {
            assert!(template.contains(&format!("          {name}: \"{value}\"\n")), "{name}");
        }
    }

    #[test]
    fn the_event_is_the_recorded_one_with_the_film_in_it() {
        let account = Account { alias: "a".to_owned(), user: simulator::OpenId::new("open-a") };
        let event = event(&Film::new(10_000_000).unwrap(), &account);
        let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["Records"][0]["s3"]["object"]["key"], "drop/a/film-10000000.mp4");
        assert_eq!(body["Records"][0]["s3"]["object"]["size"], 10_000_000);
        assert_eq!(event["Records"][0]["eventSource"], "aws:sqs");
    }
}
