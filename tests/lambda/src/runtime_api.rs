//! The Lambda Runtime API, for one process of a function and one invocation at
//! a time. <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a function says to the runtime.
enum Said {
    /// It is ready for an event; and when it first asked.
    Ready(Instant),
    Answer(Vec<u8>),
    Error(Vec<u8>),
}

/// The side of the runtime.
pub struct RuntimeApi {
    /// Where it is, for `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    said: mpsc::UnboundedReceiver<Said>,
    server: JoinHandle<()>,
}

/// An event, and when its invocation ends.
type Event = (Value, Timestamp);

#[derive(Clone)]
struct Desk {
    events: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>>,
    says: mpsc::UnboundedSender<Said>,
    asked: Arc<Mutex<bool>>,
}

impl RuntimeApi {
    /// Serves on a free port, until it is dropped.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> Result<Self> {
        let (events, receiver) = mpsc::unbounded_channel();
        let (says, said) = mpsc::unbounded_channel();
        let desk = Desk { events: Arc::new(tokio::sync::Mutex::new(receiver)), says, asked: Arc::default() };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{end}", post(ended))
            .route("/2018-06-01/runtime/init/error", post(failed))
            .with_state(desk);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // Answers are smaller than a packet, and nothing may wait for a second one.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let server = tokio::spawn(async move { drop(axum::serve(listener, routes).await) });
        Ok(Self { address, events, said, server })
    }

    /// Waits until the function first asks for an event.
    ///
    /// # Errors
    /// It said instead that it cannot start.
    pub async fn ready(&mut self) -> Result<Instant> {
        match self.said().await? {
            Said::Ready(at) => Ok(at),
            Said::Answer(_) => bail!("the function answered before it was asked"),
            Said::Error(error) => bail!("the function cannot start: {}", String::from_utf8_lossy(&error)),
        }
    }

    /// Hands an event to a function that is ready, with the end of the
    /// invocation, and returns its answer.
    ///
    /// # Errors
    /// The function reported an error.
    pub async fn invoke(&mut self, event: Value, deadline: Timestamp) -> Result<Value> {
        self.events.send((event, deadline))?;
        match self.said().await? {
            Said::Answer(answer) => Ok(serde_json::from_slice(&answer)?),
            Said::Error(error) => bail!("the invocation failed: {}", String::from_utf8_lossy(&error)),
            Said::Ready(_) => bail!("the function asked for another event without an answer to this one"),
        }
    }

    async fn said(&mut self) -> Result<Said> {
        self.said.recv().await.context("the Runtime API has ended")
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(desk): State<Desk>) -> Response {
    let first = desk.asked.lock().is_ok_and(|mut asked| !std::mem::replace(&mut *asked, true));
    if first {
        desk.hear(Said::Ready(Instant::now()));
    }
    let Some((event, deadline)) = desk.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:111122223333:function:played".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
    ];
    (headers, axum::Json(event)).into_response()
}

async fn ended(State(desk): State<Desk>, Path((_, end)): Path<(String, String)>, body: Bytes) -> StatusCode {
    desk.hear(if end == "response" { Said::Answer(body.to_vec()) } else { Said::Error(body.to_vec()) })
}

async fn failed(State(desk): State<Desk>, body: Bytes) -> StatusCode {
    desk.hear(Said::Error(body.to_vec()))
}

impl Desk {
    fn hear(&self, said: Said) -> StatusCode {
        self.says.send(said).map_or(StatusCode::GONE, |()| StatusCode::ACCEPTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Plays a function: asks, and says what it is told to.
    async fn function(at: SocketAddr, end: &'static str, said: &'static str) {
        let at = format!("http://{at}/2018-06-01/runtime/invocation");
        let asked = reqwest::get(format!("{at}/next")).await.unwrap();
        let id = asked.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        assert!(asked.headers().contains_key("lambda-runtime-deadline-ms"));
        assert_eq!(asked.json::<Value>().await.unwrap(), json!({ "an": "event" }));
        let answer = reqwest::Client::new().post(format!("{at}/{id}/{end}")).body(said).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }

    async fn invoke(end: &'static str, said: &'static str) -> Result<Value> {
        let mut runtime = RuntimeApi::start().await.unwrap();
        let playing = tokio::spawn(function(runtime.address, end, said));
        runtime.ready().await.unwrap();
        let answer = runtime.invoke(json!({ "an": "event" }), Timestamp::UNIX_EPOCH).await;
        playing.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_event_goes_to_the_function_and_its_answer_comes_back() {
        assert_eq!(invoke("response", r#"{"an":"answer"}"#).await.unwrap(), json!({ "an": "answer" }));
    }

    #[tokio::test]
    async fn a_failed_invocation_is_an_error_with_what_the_function_said() {
        let error = invoke("error", "no luck").await.unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
    }

    #[tokio::test]
    async fn a_function_that_cannot_start_is_an_error() {
        let mut runtime = RuntimeApi::start().await.unwrap();
        let at = format!("http://{}/2018-06-01/runtime/init/error", runtime.address);
        reqwest::Client::new().post(at).body("no table").send().await.unwrap();
        assert!(runtime.ready().await.unwrap_err().to_string().contains("no table"));
    }
}
