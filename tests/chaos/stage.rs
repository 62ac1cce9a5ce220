//! A stage: AWS and TikTok with the gate before them, a clock, and the
//! functions as real processes. One run after the other is played on it.

mod api;
mod entrance;
mod lambda;
mod letterbox;
mod rest;
mod stored;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use aws::{Aws, CLIENT_KEY, CLIENT_SECRET};
use jiff::Timestamp;
use simulator::{Config, Settings, Simulator};
use tests::{Cloud, Contract};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

pub(crate) use api::{REWORDED, Request, Said, Wish};
pub(crate) use entrance::Entrance;
pub(crate) use lambda::Lambda;
pub(crate) use letterbox::sign;
pub(crate) use rest::{ENDS, Rest};
pub(crate) use stored::IN_INBOX;

use crate::clock::{self, Clock};
use crate::gate::{self, Door, Gate, Interruption};
use letterbox::WebhookRecord;

/// Where the functions' programs and logs are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) functions: PathBuf,
    pub(crate) scratch: PathBuf,
    shim: PathBuf,
}

impl Places {
    /// Finds what the local cloud built, and makes what is missing.
    pub(crate) fn find() -> Result<Self> {
        static FOUND: OnceLock<Result<Places, String>> = OnceLock::new();
        FOUND
            .get_or_init(|| Self::prepare().map_err(|error| format!("{error:#}")))
            .clone()
            .map_err(|error| anyhow!(error))
    }

    fn prepare() -> Result<Self> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let (functions, scratch) = (target.join("lambda"), target.join("chaos"));
        for name in ["publish", "status", "api"] {
            let program = functions.join(name).join("bootstrap");
            ensure!(program.exists(), "there is no {}: run `make test` or `make chaos`", program.display());
        }
        std::fs::create_dir_all(&scratch)?;
        Ok(Self { functions, shim: clock::shim(&scratch)?, scratch })
    }
}

/// The stage.
pub(crate) struct Stage {
    /// What is on it, as the scenarios see their cloud.
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) aws: Arc<Aws>,
    pub(crate) tiktok: Arc<Simulator>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) address: String,
    places: Places,
    interruptions: Mutex<mpsc::UnboundedReceiver<Interruption>>,
    letters: Mutex<mpsc::UnboundedReceiver<WebhookRecord>>,
    doors: [JoinHandle<()>; 3],
}

impl Stage {
    /// Sets it up, empty.
    pub(crate) async fn set_up(places: &Places) -> Result<Self> {
        let (aws, clock) = (Arc::new(Aws::default()), Arc::new(Clock::new(&places.scratch)?));
        let (gate, interruptions) = Gate::new(Arc::clone(&aws), Arc::clone(&clock))?;
        let ((front, address), (side, side_address)) = (gate::listener().await?, gate::listener().await?);
        let (letterbox, letterbox_address) = gate::listener().await?;
        let (letters, letterbox) = letterbox::serve(letterbox);
        let mut config = Config::new(CLIENT_KEY, CLIENT_SECRET);
        config.public_url = Some(format!("http://{address}"));
        config.settings.webhook_url = Some(format!("http://{letterbox_address}"));
        let tiktok = Arc::new(Simulator::start(config).await?);
        gate.lead_to(Arc::clone(&tiktok));
        let doors = [
            tokio::spawn(gate::serve(front, Arc::clone(&gate), Door::Front)),
            tokio::spawn(gate::serve(side, Arc::clone(&gate), Door::Side)),
            letterbox,
        ];
        let contract = aws::cloud_json(&format!("http://{side_address}"), tiktok.url(), &places.scratch);
        let contract: Contract = serde_json::from_value(contract).context("the contract has changed")?;
        let cloud = Arc::new(Cloud::of(contract, PathBuf::new()).await?);
        let (address, places) = (address.to_string(), places.clone());
        let (interruptions, letters) = (Mutex::new(interruptions), Mutex::new(letters));
        Ok(Self { cloud, aws, tiktok, gate, clock, address, places, interruptions, letters, doors })
    }

    /// Clears it for another run, with TikTok set as wanted.
    pub(crate) fn clear(&self, settings: impl FnOnce(&mut Settings)) -> Result<()> {
        self.tiktok.reset();
        self.aws.clear();
        self.clock.set(0)?;
        self.gate.order(Vec::new());
        self.tiktok.change_settings(settings)?;
        Ok(())
    }

    /// What the time is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets seconds pass for everybody.
    pub(crate) fn advance(&self, seconds: u64) -> Result<()> {
        self.clock.advance(seconds)?;
        self.tiktok.advance(seconds);
        Ok(())
    }

    /// The variables of every function that has its gate there.
    pub(crate) fn variables(&self, address: &str) -> Vec<(String, String)> {
        let gate = format!("http://{address}");
        let own =
            [("TIKTOK_API_URL", gate.as_str()), ("TIKTOK_UPLOAD_HOSTS", &self.address), ("DEFAULT_MODE", "direct")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        [aws::variables(&gate), own.into()].concat()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.doors.iter().for_each(JoinHandle::abort);
    }
}
