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
mod trouble;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Request, Response, header};
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use simulator::{Fault, Simulator};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

pub(crate) use call::{Call, Service};
pub(crate) use trouble::{At, Moment, Order, Trouble};

use crate::aws::{Answer, Aws, reply};
use crate::clock::Clock;

/// An order to kill the process that calls; answered when it is dead.
pub(crate) type Killing = oneshot::Sender<()>;

/// The gate.
pub(crate) struct Gate {
    aws: Arc<Aws>,
    clock: Arc<Clock>,
    tiktok: OnceLock<Arc<Simulator>>,
    http: reqwest::Client,
    watch: Mutex<Watch>,
    kills: mpsc::UnboundedSender<Killing>,
}

/// What has passed, and what was ordered.
#[derive(Default)]
struct Watch {
    calls: Vec<Call>,
    orders: Vec<Order>,
    /// What was carried out, by name.
    fired: Vec<String>,
    /// Seconds that pass with each chunk.
    slowness_s: u64,
}

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Counted.
    Front,
    /// Not counted.
    Side,
}

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("broken off, as ordered")]
struct Broken;

impl Gate {
    /// Builds it; whoever takes the other end kills.
    pub(crate) fn new(aws: Arc<Aws>, clock: Arc<Clock>) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Killing>)> {
        let (kills, killings) = mpsc::unbounded_channel();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let gate = Self { aws, clock, tiktok: OnceLock::new(), http, watch: Mutex::default(), kills };
        Ok((Arc::new(gate), killings))
    }

    /// Says who plays TikTok.
    pub(crate) fn lead_to(&self, tiktok: Arc<Simulator>) {
        // Whoever led it somewhere first is right.
        drop(self.tiktok.set(tiktok));
    }

    /// Starts counting anew, with these orders and none else.
    pub(crate) fn order(&self, orders: Vec<Order>) {
        *self.watch() = Watch { orders, ..Watch::default() };
    }

    /// Lets so many seconds pass with each chunk from here on.
    pub(crate) fn slow_down(&self, seconds_a_chunk: u64) {
        self.watch().slowness_s = seconds_a_chunk;
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.watch().calls.clone()
    }

    /// What was carried out, by name.
    pub(crate) fn fired(&self) -> Vec<String> {
        self.watch().fired.clone()
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
        watch.fired.extend(ordered.as_ref().map(Trouble::name));
        let slow = (is_chunk && watch.slowness_s > 0).then_some(Trouble::Pass(watch.slowness_s));
        ordered.or(slow)
    }

    async fn pass(&self, request: Request<Incoming>, door: Door) -> Result<Answer, Broken> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        let request = Request::from_parts(parts, body);
        let trouble = if door == Door::Front { self.count(Call::of(&request)) } else { None };
        match trouble {
            None => self.answer(&request).await,
            Some(trouble) => self.suffer(&request, trouble).await,
        }
    }

    async fn suffer(&self, request: &Request<Bytes>, trouble: Trouble) -> Result<Answer, Broken> {
        match trouble {
            Trouble::Kill(moment) => {
                self.until(moment, request).await;
                self.kill().await;
                Err(Broken)
            }
            Trouble::Lose(moment) => {
                self.until(moment, request).await;
                Err(Broken)
            }
            Trouble::Stall(moment) => {
                self.until(moment, request).await;
                std::future::pending().await
            }
            Trouble::Refuse(status, code) => Ok(refusal(request, status, code)),
            Trouble::Cut => cut(self.answer(request).await?).await,
            Trouble::Garble => {
                self.answer(request).await?;
                Ok(reply(200, "text/html", "<html><body>Bad Gateway</body></html>"))
            }
            Trouble::TikTok(trouble) => {
                if let (Some(endpoint), Some(tiktok)) = (call::endpoint_of(request), self.tiktok.get()) {
                    tiktok.inject(Fault::new(endpoint, trouble));
                }
                self.answer(request).await
            }
            Trouble::Pass(seconds) => {
                self.advance(seconds)?;
                self.answer(request).await
            }
        }
    }

    /// Has a call take as much effect as it has by then.
    async fn until(&self, moment: Moment, request: &Request<Bytes>) {
        match moment {
            Moment::Before => {}
            // What came of it is not told to anybody.
            Moment::After => drop(self.answer(request).await),
        }
    }

    /// Lets time pass for everybody.
    fn advance(&self, seconds: u64) -> Result<(), Broken> {
        self.clock.advance(seconds).map_err(|_| Broken)?;
        if let Some(tiktok) = self.tiktok.get() {
            tiktok.advance(seconds);
        }
        Ok(())
    }

    async fn kill(&self) {
        let (dead, killed) = oneshot::channel();
        if self.kills.send(dead).is_ok() {
            // An error says that nobody waits any more, which is as good.
            drop(killed.await);
        }
    }

    async fn answer(&self, request: &Request<Bytes>) -> Result<Answer, Broken> {
        if call::endpoint_of(request).is_some() {
            return self.forward(request).await;
        }
        Ok(self.aws.answer(request, self.clock.now()))
    }

    /// Hands a call on to TikTok.
    async fn forward(&self, request: &Request<Bytes>) -> Result<Answer, Broken> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.tiktok.get().ok_or(Broken)?.url());
        let mut on = self.http.request(request.method().clone(), url);
        let connection = [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING];
        for (name, value) in request.headers().iter().filter(|(name, _)| !connection.contains(name)) {
            on = on.header(name, value);
        }
        let answer = on.body(request.body().clone()).send().await.map_err(|_| Broken)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut passed = Response::new(Body::from(answer.bytes().await.map_err(|_| Broken)?));
        *passed.status_mut() = status;
        *passed.headers_mut() = headers;
        passed.headers_mut().remove(header::TRANSFER_ENCODING);
        Ok(passed)
    }
}

/// A refusal in the words of the service that is called.
fn refusal(request: &Request<Bytes>, status: u16, code: &'static str) -> Answer {
    let refusal = crate::aws::Refusal { status, ..crate::aws::Refusal::new(code, "refused, as ordered") };
    if crate::aws::target_of(request).is_some() { refusal.json() } else { refusal.xml() }
}

/// Ends an answer in the middle of its body, as announced by its length.
async fn cut(answer: Answer) -> Result<Answer, Broken> {
    let (mut parts, body) = answer.into_parts();
    let whole = body.collect().await.map_err(|_| Broken)?.to_bytes();
    if whole.is_empty() {
        return Err(Broken);
    }
    parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let half = whole.slice(..whole.len() / 2);
    Ok(Response::from_parts(parts, Body::from_stream(stream::iter([Ok(half), Err(Broken)]))))
}

/// Serves a door until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, door: Door) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many connections at once: some will end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        drop(stream.set_nodelay(true));
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let service = service_fn(|request| gate.pass(request, door));
            // It ends in error where a call was broken off, as ordered.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// A listener on a free port, with its address.
pub(crate) async fn listener() -> Result<(TcpListener, std::net::SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
