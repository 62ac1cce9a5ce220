//! The bench's harness: the processes around a post (the fake servers, the simulator,
//! a fresh `publish`), and a connected account.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::aws;
use harness::lambda::{Environment, Function};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Control, LedgerEntry};

use crate::account::{self, Account};
use crate::aws_fake;
use crate::call_counts::{CallCounts, difference, fetch};
use crate::pipe::Strategy;
use crate::server::Server;
use crate::test_video::TestVideo;
use crate::upload_host::{COMPLETE, UPLOADS_PATH};

/// Paths of programs and files, and extra environment variables.
#[derive(Debug, Clone)]
pub(crate) struct HarnessConfig {
    /// The folder of the release functions, each as `<name>/bootstrap`.
    pub(crate) functions: PathBuf,
    /// The folder of the baseline programs and the simulator, each as `<name>/bootstrap`.
    pub(crate) programs: PathBuf,
    /// The program that connects an account.
    pub(crate) connect: PathBuf,
    /// The folder for logs and temporary files.
    pub(crate) scratch: PathBuf,
    /// Environment variables of the functions that override the harness's own.
    pub(crate) extra_env: Environment,
}

/// Environment variables that `template.yaml` sets for `publish` and `notices`,
/// apart from addresses and resource names. A test compares them with the
/// template: the measured memory depends on the first three.
const TEMPLATE_ENV: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "8388608"),
    ("MALLOC_TRIM_THRESHOLD_", "67108864"),
    ("EVENT_BUS", "default"),
];

/// The fake servers that all benchmarks share, and the configuration of the processes that use them.
pub(crate) struct Harness {
    pub(crate) config: HarnessConfig,
    pub(crate) aws: Server,
    pub(crate) s3: Server,
    pub(crate) upload_host: Server,
}

/// TikTok: the simulator, which issues upload URLs, and the addresses of the API
/// and the upload host as `publish` sees them.
pub(crate) struct TikTok {
    simulator: Server,
    /// The address of the API: the simulator's, or that of a slow link to it.
    pub(crate) api: SocketAddr,
    /// The address in the upload URLs.
    pub(crate) uploads: SocketAddr,
    pub(crate) control: Control,
}

/// The parameters of one post.
pub(crate) struct PostRequest<'a> {
    pub(crate) video: &'a TestVideo,
    /// The address of S3, or that of a slow link to it.
    pub(crate) s3: SocketAddr,
    pub(crate) tiktok: &'a TikTok,
    /// Environment variables of `publish` for this post alone.
    pub(crate) extra_env: Environment,
}

/// The measurements of one completed post.
pub(crate) struct PostResult {
    /// The seconds from the event to the response of `publish`.
    pub(crate) seconds: f64,
    /// The peak resident memory of the process in bytes.
    pub(crate) peak_memory: u64,
    /// The publish in the simulator's ledger.
    pub(crate) entry: LedgerEntry,
    /// The calls to AWS, without S3.
    pub(crate) aws_calls: CallCounts,
}

impl Harness {
    /// Starts the fake servers.
    pub(crate) async fn start(config: HarnessConfig) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let aws = Server::start(&bench, &["aws"]).await?;
        let s3 = Server::start(&bench, &["s3"]).await?;
        let upload_host = Server::start(&bench, &["upload-host"]).await?;
        Ok(Self { config, aws, s3, upload_host })
    }

    /// The path of a function's binary.
    pub(crate) fn function(&self, name: &str) -> PathBuf {
        self.config.functions.join(name).join("bootstrap")
    }

    /// The path of a baseline program's binary, or of the simulator's.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.config.programs.join(name).join("bootstrap")
    }

    /// Starts a simulator. Its upload URLs have the address `uploads`, or the
    /// simulator's own if there is none.
    pub(crate) async fn tiktok(&self, uploads: Option<SocketAddr>) -> Result<TikTok> {
        let url = uploads.map(|address| format!("http://{address}"));
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--client-key", aws::CLIENT_KEY];
        if let Some(url) = &url {
            arguments.extend(["--public-url", url]);
        }
        let simulator = Server::start(&self.program("simulator"), &arguments).await?;
        let api = simulator.address;
        let control = Control::new(&format!("http://{api}"));
        Ok(TikTok { simulator, api, uploads: uploads.unwrap_or(api), control })
    }

    /// The environment variables of every function.
    pub(crate) fn environment(&self, s3: SocketAddr, tiktok: &TikTok) -> Environment {
        let own = [
            ("STACK_NAME", "bench".to_owned()),
            ("AWS_ENDPOINT_URL_S3", format!("http://{s3}")),
            ("TIKTOK_API_URL", format!("http://{}", tiktok.api)),
            ("TIKTOK_UPLOAD_HOSTS", tiktok.uploads.to_string()),
            ("DEFAULT_MODE", "direct".to_owned()),
        ];
        let mut environment = aws::variables(&self.aws.url());
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        environment.extend(TEMPLATE_ENV.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(self.config.extra_env.iter().cloned());
        environment
    }

    /// Posts a video with a fresh `publish` process.
    ///
    /// # Errors
    /// `publish` failed, or TikTok did not receive exactly the video's bytes.
    pub(crate) async fn post(&self, request: PostRequest<'_>) -> Result<PostResult> {
        let tiktok = request.tiktok;
        let (aws, simulator) = (self.aws.url(), tiktok.simulator.url());
        let account = account::connect(&self.config.connect, &aws, &simulator, &self.config.scratch).await?;
        let aws_calls_before = self.aws_calls().await?;
        let mut environment = self.environment(request.s3, tiktok);
        environment.extend(request.extra_env);
        let log = self.config.scratch.join("publish.log");
        let uploads_before = self.uploads().await?;
        let mut publish = Function::start(&self.function("publish"), &environment, &log).await?;
        let (response, elapsed) = publish.invoke(event(request.video, &account), deadline()).await?;
        let peak_memory = publish.peak_memory()?;
        publish.stop().await?;
        ensure!(response == json!({ "batchItemFailures": [] }), "publish failed for the event: {response}");
        let entry = self.entry_of(tiktok, &account).await.with_context(|| format!("see {}", log.display()))?;
        // The server that received the bytes has verified them.
        if tiktok.uploads == tiktok.simulator.address {
            ensure!(entry.sha256 == Some(request.video.sha256()), "the simulator received other bytes: {entry:#?}");
            ensure!(entry.violations.is_empty(), "publish violated TikTok's rules: {:#?}", entry.violations);
        } else {
            let uploads = difference(&uploads_before, &self.uploads().await?);
            ensure!(uploads == one_upload(), "the upload host counted {uploads:?}; see {}", log.display());
        }
        let aws_calls = difference(&aws_calls_before, &self.aws_calls().await?);
        Ok(PostResult { seconds: elapsed.as_secs_f64(), peak_memory, entry, aws_calls })
    }

    async fn entry_of(&self, tiktok: &TikTok, account: &Account) -> Result<LedgerEntry> {
        let ledger = tiktok.control.ledger().await?;
        let mut entries = ledger.publishes.into_iter().filter(|entry| entry.user == account.user);
        let entry = entries.next().context("publish did not initialize an upload at TikTok")?;
        ensure!(entries.next().is_none(), "publish initialized more than one upload at TikTok");
        Ok(entry)
    }

    /// Copies a video with a pipe in a child process and returns the seconds that
    /// it took.
    ///
    /// # Errors
    /// The pipe failed, or the upload host did not receive exactly the video's bytes.
    pub(crate) async fn pipe(&self, strategy: Strategy, video: &TestVideo, route: Route) -> Result<f64> {
        let before = self.uploads().await?;
        let [size, chunk] = [video.bytes(), route.chunk_bytes].map(|number| number.to_string());
        let (from, to) = (route.from.to_string(), route.to.to_string());
        let seconds = run(&self.program("bench"), &["pipe", strategy.name(), &size, &from, &to, &chunk]).await?;
        if strategy != Strategy::DownloadOnly {
            let uploads = difference(&before, &self.uploads().await?);
            ensure!(uploads == one_upload(), "the upload host counted {uploads:?} for the pipe {}", strategy.name());
        }
        Ok(seconds.trim().parse()?)
    }

    /// The calls of all clients to AWS since the server started, without S3.
    async fn aws_calls(&self) -> Result<CallCounts> {
        fetch(&(self.aws.url() + aws_fake::CALLS_PATH)).await
    }

    /// The uploads by result since the upload host started.
    async fn uploads(&self) -> Result<CallCounts> {
        fetch(&(self.upload_host.url() + UPLOADS_PATH)).await
    }
}

/// The upload host's counters after exactly one complete video.
fn one_upload() -> CallCounts {
    [(COMPLETE.to_owned(), 1)].into()
}

/// The servers that a pipe connects, and its chunk size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// The address of S3, or that of a slow link to it.
    pub(crate) from: SocketAddr,
    /// The address of the upload host, or that of a slow link to it.
    pub(crate) to: SocketAddr,
    pub(crate) chunk_bytes: u64,
}

/// Runs a program to its end, for at most 10 minutes, and returns its standard output.
pub(crate) async fn run(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(program).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_mins(10), output).await??;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The deadline of an invocation that starts now, with the timeout of `publish` in
/// the template: 15 minutes.
#[expect(clippy::disallowed_methods, reason = "a deadline is a wall-clock time, and only this function needs one")]
fn deadline() -> Timestamp {
    Timestamp::now() + Duration::from_mins(15)
}

/// The recorded S3 event in `events`, with this video and account.
fn event(video: &TestVideo, account: &Account) -> Value {
    let recorded = include_str!("../../../events/sqs-s3-put.json");
    let mut event: Value = serde_json::from_str(recorded).unwrap_or_default();
    let message = event.pointer_mut("/Records/0/body");
    let body = message.as_ref().and_then(|body| body.as_str()).unwrap_or_default();
    let mut body: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(object) = body.pointer_mut("/Records/0/s3/object") {
        object["key"] = format!("drop/{}/{}", account.alias, video.file_name()).into();
        object["size"] = video.bytes().into();
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
    fn environment_equals_the_template() {
        let template: yaml_serde::Value = yaml_serde::from_str(include_str!("../../../template.yaml")).unwrap();
        let global = &template["Globals"]["Function"];
        for (name, value) in TEMPLATE_ENV {
            let functions =
                ["PublishFunction", "NoticesFunction"].map(|name| &template["Resources"][name]["Properties"]);
            let mut variables =
                functions.iter().copied().chain([global]).map(|it| &it["Environment"]["Variables"][name]);
            assert!(variables.any(|variable| variable == value), "{name}");
        }
    }

    #[test]
    fn event_names_the_video_and_account() {
        let account = Account { alias: "a".to_owned(), user: simulator::OpenId::new("open-a") };
        let event = event(&TestVideo::new(10_000_000).unwrap(), &account);
        let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["Records"][0]["s3"]["object"]["key"], "drop/a/video-10000000.mp4");
        assert_eq!(body["Records"][0]["s3"]["object"]["size"], 10_000_000);
        assert_eq!(event["Records"][0]["eventSource"], "aws:sqs");
    }
}
