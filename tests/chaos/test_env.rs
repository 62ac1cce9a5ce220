//! The test environment: TikTok's simulator and an in-memory AWS behind the [fault proxy](crate::fault_proxy), a
//! shifted clock, and the functions as real processes. One environment is used for one run after another.

mod api;
mod completion;
mod lambda;
mod lineage;
mod queries;
mod webhook_sink;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use domain::bucket_check::MAX_INTERVAL;
use harness::aws::{self, Aws, CLIENT_KEY, CLIENT_SECRET, LIMITS};
use harness::{Cloud, Contract};
use jiff::Timestamp;
use simulator::{Config, Settings, Simulator};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

pub(crate) use api::{Command, CommandRecord, Request, UPDATED_TITLE};
pub(crate) use completion::{Completion, FINAL_STATES};
pub(crate) use lambda::Lambda;
pub(crate) use queries::IN_INBOX;
pub(crate) use webhook_sink::sign;

use crate::clock::{self, Clock};
use crate::fault_proxy::{self, FaultProxy, Listener};
use webhook_sink::ReceivedWebhook;

/// The paths of the functions' programs and of this test's own files.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    functions: PathBuf,
    /// The folder for logs, the clocks' files and the compiled `shift.c`.
    output: PathBuf,
    /// The compiled `shift.c`.
    clock_shim: PathBuf,
}

impl Paths {
    /// Checks that the functions are built, and compiles `shift.c`, once per process.
    pub(crate) fn prepare() -> Result<Self> {
        static PATHS: OnceLock<Result<Paths, String>> = OnceLock::new();
        let paths = PATHS.get_or_init(|| Self::prepare_once().map_err(|error| format!("{error:#}")));
        paths.clone().map_err(|error| anyhow!(error))
    }

    fn prepare_once() -> Result<Self> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let (functions, output) = (target.join("lambda"), target.join("chaos"));
        for name in ["publish", "status", "api"] {
            let program = functions.join(name).join("bootstrap");
            ensure!(program.exists(), "{} does not exist: run `make test` or `make chaos`", program.display());
        }
        std::fs::create_dir_all(&output)?;
        Ok(Self { functions, clock_shim: clock::compile_shim(&output)?, output })
    }
}

/// The test environment.
pub(crate) struct TestEnv {
    /// Clients of the in-memory AWS and the simulator. The scenarios have the same type for the local cloud.
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) aws: Arc<Aws>,
    pub(crate) tiktok: Arc<Simulator>,
    /// The fault proxy of `listener`.
    pub(crate) proxy: Arc<FaultProxy>,
    clock: Arc<Clock>,
    /// Whether `status` checks the bucket in this run ([`TestEnv::check_bucket`]).
    checks_bucket: AtomicBool,
    paths: Paths,
    /// Receives the functions' calls to AWS and TikTok.
    listener: Listener,
    /// Receives the calls of `cloud`. Its proxy injects nothing.
    _client_listener: Listener,
    webhooks: Mutex<mpsc::UnboundedReceiver<ReceivedWebhook>>,
    webhook_sink: JoinHandle<()>,
}

impl TestEnv {
    /// Starts TikTok, AWS and the proxy, without data.
    pub(crate) async fn start(paths: &Paths) -> Result<Self> {
        let (aws, clock) = (Arc::new(Aws::default()), Arc::new(Clock::new(&paths.output)?));
        let (port, webhook_port) = (fault_proxy::bind().await?, fault_proxy::bind().await?);
        let mut config = Config::new(CLIENT_KEY, CLIENT_SECRET);
        config.public_url = Some(format!("http://{}", port.local_addr()?));
        config.settings.webhook_url = Some(format!("http://{}", webhook_port.local_addr()?));
        let tiktok = Arc::new(Simulator::start(config).await?);
        let listener = Listener::serve(port, &aws, &clock, &tiktok)?;
        let client_listener = Listener::serve(fault_proxy::bind().await?, &aws, &clock, &tiktok)?;
        let (webhooks, webhook_sink) = webhook_sink::serve(webhook_port);
        let aws_url = format!("http://{}", client_listener.address);
        let contract = serde_json::from_value(aws::cloud_json(&aws_url, tiktok.url(), &paths.output));
        let contract: Contract = contract.context("`cloud_json` lacks a field of `Contract`")?;
        Ok(Self {
            cloud: Arc::new(Cloud::new(contract, PathBuf::new()).await?),
            aws,
            tiktok,
            proxy: Arc::clone(&listener.proxy),
            clock,
            checks_bucket: AtomicBool::new(false),
            paths: paths.clone(),
            listener,
            _client_listener: client_listener,
            webhooks: Mutex::new(webhooks),
            webhook_sink,
        })
    }

    /// Opens a further listener, for the functions of one worker. Chunks do not pass through it: the simulator has one
    /// upload address (`public_url`), which is the first listener.
    pub(crate) async fn open_listener(&self) -> Result<Listener> {
        Listener::serve(fault_proxy::bind().await?, &self.aws, &self.clock, &self.tiktok)
    }

    /// Deletes all data and faults of the previous run, and changes TikTok's settings for the next one.
    pub(crate) fn reset(&self, settings: impl FnOnce(&mut Settings)) -> Result<()> {
        self.tiktok.reset();
        self.aws.clear();
        self.clock.set(0)?;
        self.proxy.reset(Vec::new());
        self.checks_bucket.store(false, Ordering::Relaxed);
        self.tiktok.change_settings(settings)?;
        Ok(())
    }

    /// The current time by the shifted clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Advances the shifted clock and TikTok's.
    pub(crate) fn advance(&self, seconds: u64) -> Result<()> {
        self.proxy.advance(seconds)
    }

    /// Lets `status` check the bucket for lost events, in processes that are prepared after this call and until the next
    /// run. Otherwise it does not, so that the stories without a lost event have fewer calls.
    pub(crate) fn check_bucket(&self) {
        self.checks_bucket.store(true, Ordering::Relaxed);
    }

    /// When `status` may next work on the bucket check; none if there is no check in this run.
    fn next_bucket_check_at(&self) -> Option<Timestamp> {
        self.checks_bucket.load(Ordering::Relaxed).then(|| {
            let state = self.aws.state();
            let check = state.tables.items(LIMITS).find(|item| item["limit_key"]["S"] == "#bucket_check");
            let time = |name: &str| {
                let millis = check?.get(name)?["N"].as_str()?.parse().ok()?;
                Timestamp::from_millisecond(millis).ok()
            };
            let next = time("not_before").or_else(|| time("begun_at").map(|begun_at| begun_at + MAX_INTERVAL));
            drop(state);
            next.unwrap_or_else(|| self.now())
        })
    }

    /// The environment variables of a function that calls AWS and TikTok through this listener.
    fn environment(&self, listener: &Listener) -> Vec<(String, String)> {
        let url = format!("http://{}", listener.address);
        let upload_host = self.listener.address.to_string();
        let check_hours = if self.checks_bucket.load(Ordering::Relaxed) { "24" } else { "0" };
        let settings = [
            ("TIKTOK_API_URL", url.as_str()),
            ("TIKTOK_UPLOAD_HOSTS", &upload_host),
            ("DEFAULT_MODE", "direct"),
            ("BUCKET_CHECK_HOURS", check_hours),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        [aws::variables(&url), settings.into(), self.clock.environment(&self.paths.clock_shim).into()].concat()
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        self.webhook_sink.abort();
    }
}
