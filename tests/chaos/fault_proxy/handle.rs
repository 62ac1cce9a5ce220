//! The handler of a call: it injects the call's fault, and passes the call to the in-memory AWS or to the simulator.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, header};
use bytes::Bytes;
use futures::stream;
use harness::aws::{self, Answer, reply};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use simulator::Endpoint;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::call::{Call, endpoint_of};
use super::fault::{Fault, Moment};
use super::{FaultProxy, Interruption};

/// The real time of one shifted second of a stall: long enough for the processes to do the work of that second.
const STALLED_SECOND: Duration = Duration::from_millis(20);
/// The longest stall by the shifted clock, in seconds: Lambda's longest invocation.
const MAX_STALL_S: u32 = 900;

/// The error that makes the HTTP server end the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("the fault proxy dropped the connection")]
struct ConnectionDropped;

impl FaultProxy {
    async fn handle(&self, request: Request<Incoming>) -> Result<Answer, ConnectionDropped> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| ConnectionDropped)?.to_bytes();
        let request = Request::from_parts(parts, body);
        match self.register(Call::of(&request)) {
            None => self.answer(&request).await,
            Some(fault) => self.inject(&request, fault).await,
        }
    }

    async fn inject(&self, request: &Request<Bytes>, fault: Fault) -> Result<Answer, ConnectionDropped> {
        let name = fault.name();
        match fault {
            Fault::Kill(moment) => {
                self.reach(moment, request).await;
                self.interrupt(Interruption::Kill).await;
                Err(ConnectionDropped)
            }
            Fault::Op(op, Moment::Before) => {
                self.interrupt(|done| Interruption::Op(op, name, done)).await;
                self.answer(request).await
            }
            Fault::Op(op, Moment::After) => {
                let answer = self.answer(request).await;
                self.interrupt(|done| Interruption::Op(op, name, done)).await;
                answer
            }
            Fault::DropConnection(moment) => {
                self.reach(moment, request).await;
                Err(ConnectionDropped)
            }
            Fault::Stall(moment) => {
                self.reach(moment, request).await;
                self.stall().await
            }
            Fault::ErrorResponse(status, code) => Ok(error_response(request, status, code)),
            Fault::TruncateResponse => truncate(self.answer(request).await?).await,
            Fault::InvalidResponse => {
                self.answer(request).await?;
                Ok(reply(200, "text/html", "<html><body>Bad Gateway</body></html>"))
            }
            Fault::Simulator(kind) => {
                if let Some(endpoint) = endpoint_of(request) {
                    let id = self.tiktok.inject(simulator::Fault::new(endpoint, kind));
                    self.state().simulator_faults.push((name, id));
                }
                self.answer(request).await
            }
            Fault::Delay(seconds) => {
                self.advance(seconds).map_err(|_| ConnectionDropped)?;
                self.answer(request).await
            }
        }
    }

    /// Lets the call take effect if the moment is after it, and discards the response.
    async fn reach(&self, moment: Moment, request: &Request<Bytes>) {
        match moment {
            Moment::Before => {}
            Moment::After => drop(self.answer(request).await),
        }
    }

    /// Sends no response. The clocks and timers run faster than real time, so that the caller's timeout elapses. When
    /// the caller ends the connection, this future is dropped.
    async fn stall(&self) -> Result<Answer, ConnectionDropped> {
        for _ in 0..MAX_STALL_S {
            tokio::time::sleep(STALLED_SECOND).await;
            self.clock.advance_with_timers(1).map_err(|_| ConnectionDropped)?;
            self.tiktok.advance(1);
        }
        std::future::pending().await
    }

    /// Sends an interruption to the [`Lambda`](crate::test_env::Lambda), and waits until it is done.
    async fn interrupt(&self, interruption: impl FnOnce(oneshot::Sender<()>) -> Interruption) {
        let (done, is_done) = oneshot::channel();
        if self.interrupts.send(interruption(done)).is_ok() {
            // An error means that the receiver has ended, and then there is nothing to wait for.
            drop(is_done.await);
        }
    }

    async fn answer(&self, request: &Request<Bytes>) -> Result<Answer, ConnectionDropped> {
        match endpoint_of(request) {
            Some(Endpoint::StatusFetch) if self.must_send_webhooks_first() => {
                Ok(reply(500, "application/json", INTERNAL_ERROR))
            }
            Some(_) => self.forward(request).await,
            None => Ok(self.aws.answer(request, self.clock.now())),
        }
    }

    /// Whether TikTok answers status requests with an error, because it has webhooks to send.
    fn must_send_webhooks_first(&self) -> bool {
        let is_enabled = self.state().webhooks_before_status;
        is_enabled && self.tiktok.webhooks().iter().any(|webhook| webhook.due_at.is_some())
    }

    /// Forwards a call to the simulator.
    async fn forward(&self, request: &Request<Bytes>) -> Result<Answer, ConnectionDropped> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let mut forwarded = self.http.request(request.method().clone(), format!("{}{path}", self.tiktok.url()));
        let hop_by_hop = [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING];
        for (name, value) in request.headers().iter().filter(|(name, _)| !hop_by_hop.contains(name)) {
            forwarded = forwarded.header(name, value);
        }
        let response = forwarded.body(request.body().clone()).send().await.map_err(|_| ConnectionDropped)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Response::new(Body::from(response.bytes().await.map_err(|_| ConnectionDropped)?));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer.headers_mut().remove(header::TRANSFER_ENCODING);
        Ok(answer)
    }
}

/// The body of TikTok's response if it has an internal error.
const INTERNAL_ERROR: &str = r#"{"data":{},"error":{"code":"internal_error","message":"","log_id":"none"}}"#;

/// An error response in the format of the called service.
fn error_response(request: &Request<Bytes>, status: u16, code: &'static str) -> Answer {
    let error = aws::AwsError { status, ..aws::AwsError::new(code, "injected by the fault proxy") };
    if aws::target_of(request).is_some() { error.json() } else { error.xml() }
}

/// Truncates a response: half of its body under the `Content-Length` of the whole, then the connection ends.
async fn truncate(answer: Answer) -> Result<Answer, ConnectionDropped> {
    let (mut parts, body) = answer.into_parts();
    let whole = body.collect().await.map_err(|_| ConnectionDropped)?.to_bytes();
    if whole.is_empty() {
        return Err(ConnectionDropped);
    }
    parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let half = whole.slice(..whole.len() / 2);
    Ok(Response::from_parts(parts, Body::from_stream(stream::iter([Ok(half), Err(ConnectionDropped)]))))
}

/// Serves a port until the task is dropped.
pub(super) async fn serve(port: TcpListener, proxy: Arc<FaultProxy>) {
    loop {
        let Ok((stream, _)) = port.accept().await else {
            // The process has no free file descriptor. Wait until connections end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        drop(stream.set_nodelay(true));
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(|request| proxy.handle(request));
            // An error means that a fault dropped the connection.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
