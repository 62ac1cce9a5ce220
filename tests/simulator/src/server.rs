//! The HTTP server: receives a call, applies the fault that hits it, lets the endpoint answer, and logs the call.
//!
//! It contains no rule of TikTok's; those are in the modules that `api` and `upload` call. The log of calls may lack a
//! call whose client disconnected early, and lacks one whose body was too large.

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

use crate::api::{CallOutcome, handle_call, subject_of};
use crate::call::ApiCall;
use crate::config::Config;
use crate::connection::{ConnectionHandle, ControllableListener};
use crate::control;
use crate::endpoint::Endpoint;
use crate::envelope::Reply;
use crate::fault_actions::{FaultOutcome, FaultTarget, respond, unsent_response};
use crate::faults::FiredFault;
use crate::ids::IdGenerator;
use crate::ledger::CallRecord;
use crate::redirect::check_registration;
use crate::shared::SharedWorld;
use crate::upload;
use crate::webhooks::delivery;
use crate::world::{App, World};

/// The largest request body in bytes, except for uploads. A larger one is answered with 413.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address from the configuration.
        address: SocketAddr,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// A redirect URI of the settings is not allowed.
    #[error("invalid settings: {0}")]
    Settings(String),
    /// The HTTP client for webhooks cannot be built.
    #[error("cannot build the HTTP client for webhooks")]
    Webhooks(#[source] reqwest::Error),
}

/// A running simulator. Dropping it stops the server at once.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) shared: Arc<SharedWorld>,
    url: String,
    stop: watch::Sender<()>,
    server: Option<JoinHandle<()>>,
    /// Runs [`delivery::run`].
    background: JoinHandle<()>,
}

impl Simulator {
    /// Binds the address and serves in the background.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, the settings are invalid, or the HTTP client for webhooks cannot be built. Nothing
    /// runs in the background then.
    pub async fn start(config: Config) -> Result<Self, Error> {
        check_registration(&config.settings).map_err(Error::Settings)?;
        let address = config.listen;
        let listen_error = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let bound = listener.local_addr().map_err(listen_error)?;
        let url = format!("http://{bound}");
        let app = App {
            client_key: config.client_key,
            client_secret: config.client_secret,
            public_url: config.public_url.unwrap_or_else(|| url.clone()),
        };
        let ids = IdGenerator::new(StdRng::from_rng(&mut rand::rng()));
        let shared = Arc::new(SharedWorld::new(World::new(app, config.settings, ids)));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(Error::Webhooks)?;
        let background = tokio::spawn(delivery::run(Arc::clone(&shared), client));
        let (stop, stopped) = watch::channel(());
        let server = tokio::spawn(serve(listener, Arc::clone(&shared), stopped));
        Ok(Self { shared, url, stop, server: Some(server), background })
    }

    /// The base URL of the server, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops accepting connections and waits for the calls in progress.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(());
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::warn!(%error, "the server task failed during shutdown");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        self.background.abort();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<SharedWorld>, mut stopped: watch::Receiver<()>) {
    let router = router(shared).into_make_service_with_connect_info::<ConnectionHandle>();
    let stop = async move {
        // An error means that the simulator was dropped, which stops the server as well.
        let _ = stopped.changed().await;
    };
    let served = axum::serve(ControllableListener(listener), router).with_graceful_shutdown(stop);
    if let Err(error) = served.await {
        tracing::error!(%error, "the HTTP server failed");
    }
}

type Connected = ConnectInfo<ConnectionHandle>;

fn router(shared: Arc<SharedWorld>) -> Router {
    let mut router = Router::new();
    for endpoint in Endpoint::ALL {
        let handler =
            move |State(shared): State<Arc<SharedWorld>>, ConnectInfo(connection): Connected, request: Request| {
                serve_call(shared, endpoint, connection, request)
            };
        router = router.route(endpoint.path(), any(handler));
    }
    let fallback = |State(shared): State<Arc<SharedWorld>>, ConnectInfo(connection): Connected, request: Request| {
        serve_call(shared, Endpoint::Unknown, connection, request)
    };
    router.fallback(fallback).with_state(Arc::clone(&shared)).nest("/_simulator", control::router(shared))
}

async fn serve_call(
    shared: Arc<SharedWorld>,
    endpoint: Endpoint,
    connection: ConnectionHandle,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if endpoint == Endpoint::Upload {
        return upload::stream::serve(shared, connection, parts, body).await;
    }
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return respond(Reply::empty(413), None);
    };
    let call = ApiCall::new(endpoint, &parts, body);
    let (subject, fault) = {
        let mut world = shared.lock();
        let now = world.clock.now();
        let subject = subject_of(&world, &call, now);
        let fault = world.faults.fire_for_call(endpoint, subject.user.as_ref(), subject.publish_id.as_ref());
        (subject, fault)
    };
    if let Some(fault) = &fault {
        let target = FaultTarget { endpoint, bearer: call.bearer(), publish_id: subject.publish_id.as_ref() };
        let outcome_of_fault = |reply| CallOutcome {
            reply,
            code: "fault".to_owned(),
            user: subject.user.clone(),
            publish_id: subject.publish_id.clone(),
        };
        match fault.apply_before(&shared, &connection, target).await {
            FaultOutcome::Continue => {}
            FaultOutcome::Reply(reply) => {
                return finish_call(&shared, &connection, &call, Some(fault), outcome_of_fault(reply)).await;
            }
            FaultOutcome::Disconnected => {
                log_call(&shared, &call, Some(fault), &outcome_of_fault(Reply::default()), None);
                return unsent_response();
            }
        }
    }
    let outcome = {
        let mut world = shared.lock();
        let now = world.clock.now();
        handle_call(&mut world, &call, now)
    };
    finish_call(&shared, &connection, &call, fault.as_ref(), outcome).await
}

/// Applies the rest of the fault, logs the call and returns the response to send.
pub(crate) async fn finish_call(
    shared: &SharedWorld,
    connection: &ConnectionHandle,
    call: &ApiCall,
    fault: Option<&FiredFault>,
    outcome: CallOutcome,
) -> Response {
    let Some(fired) = fault else {
        log_call(shared, call, None, &outcome, Some(outcome.reply.status));
        return respond(with_retry_after(shared, outcome.reply), None);
    };
    fired.force_failure(shared, outcome.publish_id.as_ref());
    let reply = outcome.reply.clone();
    let sent = fired.apply_after(shared, connection, call.endpoint, reply).await;
    let status = sent.as_ref().map(|reply| reply.status);
    log_call(shared, call, fault, &outcome, status);
    sent.map_or_else(unsent_response, |reply| respond(with_retry_after(shared, reply), fault))
}

/// Adds the header `Retry-After` to an answer with the status 429 or 5xx, if the settings say so.
fn with_retry_after(shared: &SharedWorld, mut reply: Reply) -> Reply {
    let asked = shared.lock().settings.retry_after_s;
    if let Some(seconds) = asked.filter(|_| matches!(reply.status, 429 | 500..=599)) {
        reply.headers.push(("retry-after", seconds.to_string()));
    }
    reply
}

/// Adds a call to the log of calls. `http_status` is `None` if no answer is sent.
pub(crate) fn log_call(
    shared: &SharedWorld,
    call: &ApiCall,
    fault: Option<&FiredFault>,
    outcome: &CallOutcome,
    http_status: Option<u16>,
) {
    let mut world = shared.lock();
    let record = CallRecord {
        seq: world.calls.len() as u64 + 1,
        time: world.clock.now(),
        endpoint: call.endpoint,
        method: call.method.clone(),
        path: call.path.clone(),
        user: outcome.user.clone(),
        publish_id: outcome.publish_id.clone(),
        http_status,
        code: outcome.code.clone(),
        fault: fault.map(|fired| fired.kind.name().to_owned()),
    };
    tracing::info!(
        call.seq = record.seq,
        call.method = %record.method,
        call.path = %record.path,
        call.code = %record.code,
        http.status = record.http_status,
        post.publish_id = record.publish_id.as_ref().map(tracing::field::display),
        fault = record.fault,
        "call handled"
    );
    world.calls.push(record);
}
