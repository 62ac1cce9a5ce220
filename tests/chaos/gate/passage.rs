//! What happens to a call on its way through the gate.

use std::sync::Arc;
use std::time::Duration;

use aws::{Answer, reply};
use axum::body::Body;
use axum::http::{Request, Response, header};
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use simulator::{Endpoint, Fault};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::call::{Call, endpoint_of};
use super::trouble::{Moment, Trouble};
use super::{Gate, Interruption};

/// How long a second takes for whoever waits in vain: long enough for a busy machine
/// to do what is done in a second.
const A_SECOND: Duration = Duration::from_millis(20);
/// The longest that anybody waits, in seconds: an invocation's time.
const LONGEST_STALL_S: u32 = 900;

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
                self.interrupt(Interruption::Kill).await;
                Err(Broken)
            }
            Trouble::Meanwhile(deed, Moment::Before) => {
                let name = trouble.name();
                self.interrupt(|done| Interruption::Meanwhile(deed, name, done)).await;
                self.answer(request).await
            }
            Trouble::Meanwhile(deed, Moment::After) => {
                let (answer, name) = (self.answer(request).await, trouble.name());
                self.interrupt(|done| Interruption::Meanwhile(deed, name, done)).await;
                answer
            }
            Trouble::Lose(moment) => {
                self.until(moment, request).await;
                Err(Broken)
            }
            Trouble::Stall(moment) => {
                self.until(moment, request).await;
                self.stall().await
            }
            Trouble::Refuse(status, code) => Ok(refusal(request, status, code)),
            Trouble::Cut => cut(self.answer(request).await?).await,
            Trouble::InvalidResponse => {
                self.answer(request).await?;
                Ok(reply(200, "text/html", "<html><body>Bad Gateway</body></html>"))
            }
            Trouble::TikTok(_) => {
                if let (Some(endpoint), Some(tiktok)) = (endpoint_of(request), self.tiktok.get()) {
                    let name = trouble.name();
                    let Trouble::TikTok(trouble) = trouble else { return Err(Broken) };
                    let id = tiktok.inject(Fault::new(endpoint, trouble));
                    self.watch().handed_on.push((name, id));
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

    /// Says nothing. Time passes, much faster than it does, until whoever called has
    /// had enough: then its connection ends, and this with it.
    async fn stall(&self) -> Result<Answer, Broken> {
        for _ in 0..LONGEST_STALL_S {
            tokio::time::sleep(A_SECOND).await;
            self.clock.wait(1).map_err(|_| Broken)?;
            if let Some(tiktok) = self.tiktok.get() {
                tiktok.advance(1);
            }
        }
        std::future::pending().await
    }

    /// Lets time pass for everybody.
    fn advance(&self, seconds: u64) -> Result<(), Broken> {
        self.clock.advance(seconds).map_err(|_| Broken)?;
        if let Some(tiktok) = self.tiktok.get() {
            tiktok.advance(seconds);
        }
        Ok(())
    }

    /// Has something happen while a call waits.
    async fn interrupt(&self, what: impl FnOnce(oneshot::Sender<()>) -> Interruption) {
        let (happened, over) = oneshot::channel();
        if self.interrupts.send(what(happened)).is_ok() {
            // An error says that nobody waits any more, which is as good.
            drop(over.await);
        }
    }

    async fn answer(&self, request: &Request<Bytes>) -> Result<Answer, Broken> {
        if let Some(endpoint) = endpoint_of(request) {
            if endpoint == Endpoint::StatusFetch && self.is_to_tell() {
                return Ok(reply(500, "application/json", NOT_NOW));
            }
            return self.forward(request).await;
        }
        Ok(self.aws.answer(request, self.clock.now()))
    }

    /// Whether TikTok has yet to tell something by itself, and says nothing before.
    fn is_to_tell(&self) -> bool {
        let tells_first = self.watch().tells_first;
        let to_tell = self.tiktok.get().is_some_and(|tiktok| tiktok.webhooks().iter().any(|it| it.due_at.is_some()));
        tells_first && to_tell
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

/// TikTok's answer where it has trouble of its own.
const NOT_NOW: &str = r#"{"data":{},"error":{"code":"internal_error","message":"","log_id":"none"}}"#;

/// A refusal in the words of the service that is called.
fn refusal(request: &Request<Bytes>, status: u16, code: &'static str) -> Answer {
    let refusal = aws::AwsError { status, ..aws::AwsError::new(code, "refused, as ordered") };
    if aws::target_of(request).is_some() { refusal.json() } else { refusal.xml() }
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
