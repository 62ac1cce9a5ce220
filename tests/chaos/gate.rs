//! The gate: everything that a function's process says to anybody passes here,
//! is counted, and meets what was ordered for it.
//!
//! ```text
//!   process ──▶ gate ──┬──▶ AWS, played in memory (`aws`)
//!                      └──▶ TikTok, the simulator, which is the judge
//! ```
//!
//! A call's number is its place in the order in which calls arrive. There is a
//! side door for those who arrange and judge, where nothing is counted.

mod call;
mod passage;
mod trouble;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context, Result};
use aws::Aws;
use simulator::Simulator;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

pub(crate) use call::{Call, Service};
pub(crate) use passage::{Door, serve};
pub(crate) use trouble::{At, Deed, Moment, Order, Parting, Trouble};

use crate::clock::Clock;

/// What is to happen while a call waits; answered when it has.
pub(crate) enum Interruption {
    /// The process that calls is killed.
    Kill(oneshot::Sender<()>),
    /// Somebody else does something, which has this name.
    Meanwhile(Deed, String, oneshot::Sender<()>),
}

/// How long a chunk takes in seconds where nobody says otherwise: long enough for
/// its worker to store what came before.
const CHUNK_TAKES_S: u64 = 2;

/// The gate.
pub(crate) struct Gate {
    aws: Arc<Aws>,
    clock: Arc<Clock>,
    tiktok: OnceLock<Arc<Simulator>>,
    http: reqwest::Client,
    watch: Mutex<Watch>,
    interrupts: mpsc::UnboundedSender<Interruption>,
}

/// What has passed, and what was ordered.
#[derive(Default)]
struct Watch {
    calls: Vec<Call>,
    orders: Vec<Order>,
    /// What was carried out, by name.
    fired: Vec<String>,
    /// What was left to the simulator to carry out, by name, and by the simulator's own.
    handed_on: Vec<(String, u64)>,
    /// Whether TikTok tells the end of a publish before it answers anybody who asks.
    tells_first: bool,
    /// Seconds that pass with each chunk.
    slowness_s: u64,
}

impl Gate {
    /// Builds it; whoever takes the other end kills, and lets others act.
    pub(crate) fn new(aws: Arc<Aws>, clock: Arc<Clock>) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Interruption>)> {
        let (interrupts, interruptions) = mpsc::unbounded_channel();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let gate = Self { aws, clock, tiktok: OnceLock::new(), http, watch: Mutex::default(), interrupts };
        Ok((Arc::new(gate), interruptions))
    }

    /// Says who plays TikTok.
    pub(crate) fn lead_to(&self, tiktok: Arc<Simulator>) {
        // Whoever led it somewhere first is right.
        drop(self.tiktok.set(tiktok));
    }

    /// Starts counting anew, with these orders and none else.
    pub(crate) fn order(&self, orders: Vec<Order>) {
        *self.watch() = Watch { orders, slowness_s: CHUNK_TAKES_S, ..Watch::default() };
    }

    /// Lets so many seconds pass with each chunk from here on.
    pub(crate) fn slow_down(&self, seconds_a_chunk: u64) {
        self.watch().slowness_s = seconds_a_chunk;
    }

    /// Has TikTok tell the end of each publish by itself, from here on, before it
    /// answers anybody who asks.
    pub(crate) fn tell_first(&self) {
        self.watch().tells_first = true;
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.watch().calls.clone()
    }

    /// What was carried out, by name; what the simulator was to do only where it did.
    pub(crate) fn fired(&self) -> Vec<String> {
        let faults = self.tiktok.get().map(|tiktok| tiktok.faults()).unwrap_or_default();
        let met = |id: u64| faults.iter().any(|fault| fault.id == id && fault.fired > 0);
        let watch = self.watch();
        let handed_on = watch.handed_on.iter().filter(|(_, id)| met(*id)).map(|(name, _)| name);
        watch.fired.iter().chain(handed_on).cloned().collect()
    }

    /// Writes down what somebody else did.
    pub(crate) fn note(&self, done: String) {
        self.watch().fired.push(done);
    }

    /// Has the call after so many others meet trouble.
    pub(crate) fn order_after(&self, others: usize, trouble: Trouble) {
        let mut watch = self.watch();
        let number = watch.calls.len() + others;
        watch.orders.push(Order { at: At::Call(number), trouble });
    }

    /// Takes back every order that was not carried out.
    pub(crate) fn be_calm(&self) {
        self.watch().orders.clear();
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what befalls it.
    fn count(&self, call: Call) -> Option<Trouble> {
        let mut watch = self.watch();
        let is_chunk = call.to == Service::Upload;
        let chunk = is_chunk.then(|| watch.calls.iter().filter(|call| call.to == Service::Upload).count());
        let number = watch.calls.len();
        let meant = watch.orders.iter().position(|order| order.is_for(number, &call, chunk));
        let ordered = meant.map(|order| watch.orders.remove(order).trouble);
        watch.calls.push(call);
        // Who is to act meanwhile, or on TikTok's side, may find nothing to do.
        let sure = ordered.as_ref().filter(|it| !matches!(it, Trouble::Meanwhile(..) | Trouble::TikTok(_)));
        watch.fired.extend(sure.map(Trouble::name));
        let slow = (is_chunk && watch.slowness_s > 0).then_some(Trouble::Pass(watch.slowness_s));
        ordered.or(slow)
    }
}

/// A listener on a free port, with its address.
pub(crate) async fn listener() -> Result<(TcpListener, std::net::SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
