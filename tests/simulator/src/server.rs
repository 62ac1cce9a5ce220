//! The simulator as a server: from a connection to an endpoint and back, with a
//! fault on the way if one was ordered.
//!
//! Knows no rule of TikTok's. Every call that was read to its end is in the log.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::any;
use rand::{SeedableRng, rngs::StdRng};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{Answer, answer, concern};
use crate::call::Call;
use crate::config::Config;
use crate::control;
use crate::endpoint::Endpoint;
use crate::envelope::Reply;
use crate::faults::Fired;
use crate::ids::Mint;
use crate::ledger::Event;
use crate::redirect::check_registration;
use crate::stage::Stage;
use crate::trouble::{Target, Then, no_answer, respond};
use crate::upload;
use crate::webhooks::delivery;
use crate::wire::{Doorway, Wire};
use crate::world::{App, World};

/// The largest body of a call that is no upload, in bytes.
const LARGEST_BODY: usize = 1 << 20;

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings contradict a rule.
    #[error("the settings are not possible: {0}")]
    Settings(String),
    /// The client that delivers webhooks cannot be built.
    #[error("cannot deliver webhooks")]
    Webhooks(#[source] reqwest::Error),
}

/// A running simulator. It ends when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) stage: Arc<Stage>,
    url: String,
    stop: watch::Sender<()>,
    server: Option<JoinHandle<()>>,
    driver: JoinHandle<()>,
}

impl Simulator {
    /// Binds the address and serves in the background.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, or the settings are not possible; nothing runs then.
    pub async fn start(config: Config) -> Result<Self, Error> {
        check_registration(&config.settings).map_err(Error::Settings)?;
        let address = config.listen;
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let url = format!("http://{bound}");
        let app = App {
            client_key: config.client_key,
            client_secret: config.client_secret,
            public_url: config.public_url.unwrap_or_else(|| url.clone()),
        };
        let mint = Mint::new(StdRng::from_rng(&mut rand::rng()));
        let stage = Arc::new(Stage::new(World::new(app, config.settings, mint)));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(Error::Webhooks)?;
        let driver = tokio::spawn(delivery::drive(Arc::clone(&stage), client));
        let (stop, stopped) = watch::channel(());
        let server = tokio::spawn(serve(listener, Arc::clone(&stage), stopped));
        Ok(Self { stage, url, stop, server: Some(server), driver })
    }

    /// The address that clients are pointed at, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops listening and lets the calls under way end.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(());
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::warn!(%error, "the server did not end in order");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        self.driver.abort();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

async fn serve(listener: TcpListener, stage: Arc<Stage>, mut stopped: watch::Receiver<()>) {
    let router = router(stage).into_make_service_with_connect_info::<Wire>();
    let stop = async move {
        // An error says that the simulator is gone, which is a reason to stop as well.
        let _ = stopped.changed().await;
    };
    let served = axum::serve(Doorway(listener), router).with_graceful_shutdown(stop);
    if let Err(error) = served.await {
        tracing::error!(%error, "the server ended");
    }
}

fn router(stage: Arc<Stage>) -> Router {
    let mut router = Router::new();
    for endpoint in Endpoint::ALL {
        let handle = move |State(stage): State<Arc<Stage>>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request| {
            call(stage, endpoint, wire, request)
        };
        router = router.route(endpoint.path(), any(handle));
    }
    let unknown = |State(stage): State<Arc<Stage>>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request| {
        call(stage, Endpoint::Unknown, wire, request)
    };
    router.fallback(unknown).with_state(Arc::clone(&stage)).nest("/_simulator", control::router(stage))
}

async fn call(stage: Arc<Stage>, endpoint: Endpoint, wire: Wire, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if endpoint == Endpoint::Upload {
        return upload::stream::serve(stage, wire, parts, body).await;
    }
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return respond(Reply::empty(413), None);
    };
    let call = Call::new(endpoint, &parts, body);
    let (concern, fault) = {
        let mut world = stage.world();
        let now = world.clock.now();
        let concern = concern(&world, &call, now);
        let (user, publish) = (concern.user.as_ref(), concern.publish_id.as_ref());
        let fault = world.faults.meet(endpoint, user, publish);
        (concern, fault)
    };
    if let Some(fired) = &fault {
        let target = Target { endpoint, bearer: call.bearer(), publish_id: concern.publish_id.as_ref() };
        let then = fired.before(&stage, &wire, target).await;
        let fell = |reply| Answer {
            reply,
            code: "fault".to_owned(),
            user: concern.user.clone(),
            publish_id: concern.publish_id.clone(),
        };
        match then {
            Then::GoOn => {}
            Then::Answer(reply) => {
                let answer = fell(reply);
                return conclude(&stage, &wire, &call, Some(fired), answer).await;
            }
            Then::Gone => {
                record(&stage, &call, Some(fired), &fell(Reply::default()), None);
                return no_answer();
            }
        }
    }
    let answer = {
        let mut world = stage.world();
        let now = world.clock.now();
        answer(&mut world, &call, now)
    };
    conclude(&stage, &wire, &call, fault.as_ref(), answer).await
}

/// Writes a call down and sends its answer, as a fault lets it.
pub(crate) async fn conclude(
    stage: &Stage,
    wire: &Wire,
    call: &Call,
    fault: Option<&Fired>,
    answer: Answer,
) -> Response {
    let Some(fired) = fault else {
        record(stage, call, None, &answer, Some(answer.reply.status));
        return respond(answer.reply, None);
    };
    fired.doom(stage, answer.publish_id.as_ref());
    let reply = answer.reply.clone();
    let sent = fired.after(stage, wire, call.endpoint, reply).await;
    let status = sent.as_ref().map(|reply| reply.status);
    record(stage, call, fault, &answer, status);
    sent.map_or_else(no_answer, |reply| respond(reply, fault))
}

/// Writes a call down.
pub(crate) fn record(stage: &Stage, call: &Call, fault: Option<&Fired>, answer: &Answer, http_status: Option<u16>) {
    let mut world = stage.world();
    let event = Event {
        seq: world.events.len() as u64 + 1,
        time: world.clock.now(),
        endpoint: call.endpoint,
        method: call.method.clone(),
        path: call.path.clone(),
        user: answer.user.clone(),
        publish_id: answer.publish_id.clone(),
        http_status,
        code: answer.code.clone(),
        fault: fault.map(|fired| fired.trouble.name().to_owned()),
    };
    tracing::info!(
        call.seq = event.seq,
        call.method = %event.method,
        call.path = %event.path,
        call.code = %event.code,
        http.status = event.http_status,
        post.publish_id = event.publish_id.as_ref().map(tracing::field::display),
        fault = event.fault,
        "a call was answered"
    );
    world.events.push(event);
}
