//! The fault proxy: an HTTP server between the functions' processes and their peers. Every call to AWS or TikTok passes
//! through it. It numbers the calls and injects the planned faults.
//!
//! ```text
//!   process ──▶ fault proxy ──┬──▶ the in-memory AWS (`aws`)
//!                             └──▶ TikTok's simulator, whose ledger the checker reads
//! ```
//!
//! A call's number is its position in the order of arrival at this proxy, from 0. The test environment's own clients
//! use another proxy, without faults, so that their calls are not numbered among those of the functions.

mod call;
mod fault;
mod handle;
mod listener;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use harness::aws::Aws;
use simulator::Simulator;
use tokio::sync::{mpsc, oneshot};

pub(crate) use call::{Call, Service};
pub(crate) use fault::{AuthorizationEnd, CallSelector, Fault, Moment, Op, PlannedFault};
pub(crate) use listener::{Listener, bind};

use crate::clock::Clock;

/// What the proxy asks [`Lambda`](crate::test_env::Lambda) to do while a call waits. `Lambda` answers when it is done.
pub(crate) enum Interruption {
    /// Kill the calling process.
    Kill(oneshot::Sender<()>),
    /// Run another actor's operation. The string is the fault's name in the report.
    Op(Op, String, oneshot::Sender<()>),
}

/// The receiver of a proxy's interruptions.
pub(crate) type Interruptions = mpsc::UnboundedReceiver<Interruption>;

/// How long a chunk takes by the shifted clock, in seconds, unless a campaign sets another time. The worker stores its
/// offset at most once per second (`CHECKPOINT_INTERVAL` in `posting/src/upload/leased_post.rs`), so with 2 s it does
/// after each chunk.
const DEFAULT_CHUNK_S: u64 = 2;

/// The proxy of one [`Listener`].
pub(crate) struct FaultProxy {
    aws: Arc<Aws>,
    clock: Arc<Clock>,
    tiktok: Arc<Simulator>,
    http: reqwest::Client,
    state: Mutex<State>,
    interrupts: mpsc::UnboundedSender<Interruption>,
}

/// The calls so far, and the planned and injected faults.
#[derive(Default)]
struct State {
    calls: Vec<Call>,
    planned: Vec<PlannedFault>,
    /// The names of the faults that took effect, except those of the simulator.
    injected: Vec<String>,
    /// The faults that were passed to the simulator: name in the report, and the simulator's id.
    simulator_faults: Vec<(String, u64)>,
    /// Whether TikTok answers status requests with an error while it has webhooks to send.
    webhooks_before_status: bool,
    /// How long a chunk without a planned fault takes, in seconds.
    chunk_s: u64,
}

impl FaultProxy {
    /// Builds a proxy without faults. Its interruptions arrive at the returned receiver.
    fn new(aws: Arc<Aws>, clock: Arc<Clock>, tiktok: Arc<Simulator>) -> Result<(Arc<Self>, Interruptions)> {
        let (interrupts, interruptions) = mpsc::unbounded_channel();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let proxy = Self { aws, clock, tiktok, http, state: Mutex::default(), interrupts };
        Ok((Arc::new(proxy), interruptions))
    }

    /// Restarts the numbering of calls, and replaces all settings and planned faults.
    pub(crate) fn reset(&self, planned: Vec<PlannedFault>) {
        *self.state() = State { planned, chunk_s: DEFAULT_CHUNK_S, ..State::default() };
    }

    /// Sets how long each chunk from now on takes by the shifted clock.
    pub(crate) fn set_chunk_seconds(&self, chunk_s: u64) {
        self.state().chunk_s = chunk_s;
    }

    /// Makes TikTok answer status requests with an error until it has sent all webhooks. So a webhook is the first to
    /// report the result.
    pub(crate) fn send_webhooks_before_status(&self) {
        self.state().webhooks_before_status = true;
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The names of the faults that took effect. A fault of the simulator counts only if it hit a call.
    pub(crate) fn injected(&self) -> Vec<String> {
        let faults = self.tiktok.faults();
        let hit_a_call = |id: u64| faults.iter().any(|fault| fault.id == id && fault.fired > 0);
        let state = self.state();
        let by_simulator = state.simulator_faults.iter().filter(|(_, id)| hit_a_call(*id)).map(|(name, _)| name);
        state.injected.iter().chain(by_simulator).cloned().collect()
    }

    /// Records that another actor's operation ([`Fault::Op`]) took effect.
    pub(crate) fn record_op(&self, name: String) {
        self.state().injected.push(name);
    }

    /// Plans a fault for the call after the next `calls` calls.
    pub(crate) fn inject_after(&self, calls: usize, fault: Fault) {
        let mut state = self.state();
        let number = state.calls.len() + calls;
        state.planned.push(PlannedFault { call: CallSelector::Number(number), fault });
    }

    /// Removes all planned faults.
    pub(crate) fn stop_injecting(&self) {
        self.state().planned.clear();
    }

    /// Advances the wall clock of the functions, the queue and TikTok.
    pub(crate) fn advance(&self, seconds: u64) -> Result<()> {
        self.clock.advance(seconds)?;
        self.tiktok.advance(seconds);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a call, and returns the fault that it meets.
    fn register(&self, call: Call) -> Option<Fault> {
        let mut state = self.state();
        let is_chunk = call.service == Service::Upload;
        let chunk = is_chunk.then(|| state.calls.iter().filter(|call| call.service == Service::Upload).count());
        let number = state.calls.len();
        let index = state.planned.iter().position(|planned| planned.applies_to(number, &call, chunk));
        let fault = index.map(|index| state.planned.remove(index).fault);
        state.calls.push(call);
        // An operation or a fault of the simulator may have no effect. `record_op` and `injected` report those that
        // had.
        let certain = fault.as_ref().filter(|fault| !matches!(fault, Fault::Op(..) | Fault::Simulator(_)));
        state.injected.extend(certain.map(Fault::name));
        let chunk_delay = (is_chunk && state.chunk_s > 0).then_some(Fault::Delay(state.chunk_s));
        fault.or(chunk_delay)
    }
}
