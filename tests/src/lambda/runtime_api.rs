//! A fake server of the Lambda Runtime API, for one function process and one invocation at a time.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

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

/// A message of the function to the Runtime API.
enum FunctionMessage {
    /// The first request for an event, and its time.
    Ready(Instant),
    /// The response of an invocation.
    Response(Vec<u8>),
    /// The error of an invocation or of the function's start.
    Error(Vec<u8>),
}

/// A fake server of the Runtime API.
pub struct RuntimeApi {
    /// The server's address, for `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    messages: mpsc::UnboundedReceiver<FunctionMessage>,
    server: JoinHandle<()>,
}

/// An event, with the deadline and the trace header of its invocation.
type Event = (Value, Timestamp, String);

/// The trace header of an invocation whose trace does not matter. Its value is arbitrary, in AWS's format.
pub const ANY_TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

/// The state of the HTTP handlers.
#[derive(Clone)]
struct Handlers {
    events: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>>,
    messages: mpsc::UnboundedSender<FunctionMessage>,
    /// Whether the function has requested its first event.
    is_ready: Arc<Mutex<bool>>,
}

impl RuntimeApi {
    /// Serves on a free port until this is dropped.
    ///
    /// # Errors
    /// The server could not listen.
    pub async fn start() -> Result<Self> {
        let (events, event_receiver) = mpsc::unbounded_channel();
        let (message_sender, messages) = mpsc::unbounded_channel();
        let handlers = Handlers {
            events: Arc::new(tokio::sync::Mutex::new(event_receiver)),
            messages: message_sender,
            is_ready: Arc::default(),
        };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{result}", post(invocation_result))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(handlers);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // Responses are smaller than a packet. Without TCP_NODELAY, the kernel might hold one back until more data
        // follows.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let server = tokio::spawn(async move { drop(axum::serve(listener, routes).await) });
        Ok(Self { address, events, messages, server })
    }

    /// Waits for the function's first request for an event and returns its time.
    ///
    /// # Errors
    /// The function reported that it could not start.
    pub async fn ready(&mut self) -> Result<Instant> {
        match self.next_message().await? {
            FunctionMessage::Ready(at) => Ok(at),
            FunctionMessage::Response(_) => bail!("the function sent a response before it requested an event"),
            FunctionMessage::Error(error) => {
                bail!("the function could not start: {}", String::from_utf8_lossy(&error))
            }
        }
    }

    /// Passes an event, and the deadline and the trace header of its invocation, to the function, and returns the
    /// response. [`ready`](Self::ready) must have returned before.
    ///
    /// # Errors
    /// The function reported an error.
    pub async fn invoke(&mut self, event: Value, deadline: Timestamp, trace: &str) -> Result<Value> {
        self.events.send((event, deadline, trace.to_owned()))?;
        match self.next_message().await? {
            FunctionMessage::Response(response) => Ok(serde_json::from_slice(&response)?),
            FunctionMessage::Error(error) => bail!("the invocation failed: {}", String::from_utf8_lossy(&error)),
            FunctionMessage::Ready(_) => bail!("the function requested its first event during an invocation"),
        }
    }

    async fn next_message(&mut self) -> Result<FunctionMessage> {
        self.messages.recv().await.context("the server of the Runtime API has ended")
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(handlers): State<Handlers>) -> Response {
    let first = handlers.is_ready.lock().is_ok_and(|mut is_ready| !std::mem::replace(&mut *is_ready, true));
    if first {
        handlers.forward(FunctionMessage::Ready(Instant::now()));
    }
    let Some((event, deadline, trace)) = handlers.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    // The ARN is an arbitrary value in AWS's format.
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:111122223333:function:test".to_owned()),
        ("lambda-runtime-trace-id", trace),
    ];
    (headers, axum::Json(event)).into_response()
}

async fn invocation_result(
    State(handlers): State<Handlers>,
    Path((_, result)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let body = body.to_vec();
    handlers.forward(if result == "response" { FunctionMessage::Response(body) } else { FunctionMessage::Error(body) })
}

async fn init_error(State(handlers): State<Handlers>, body: Bytes) -> StatusCode {
    handlers.forward(FunctionMessage::Error(body.to_vec()))
}

impl Handlers {
    /// Forwards a message to the owner of the [`RuntimeApi`].
    fn forward(&self, message: FunctionMessage) -> StatusCode {
        self.messages.send(message).map_or(StatusCode::GONE, |()| StatusCode::ACCEPTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A function that handles one invocation: requests the event, then sends `body` as the invocation's result
    /// (`response` or `error`).
    async fn run_function(address: SocketAddr, result: &'static str, body: &'static str) {
        let url = format!("http://{address}/2018-06-01/runtime/invocation");
        let next = reqwest::get(format!("{url}/next")).await.unwrap();
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        assert!(next.headers().contains_key("lambda-runtime-deadline-ms"));
        assert_eq!(next.json::<Value>().await.unwrap(), json!({ "an": "event" }));
        let answer = reqwest::Client::new().post(format!("{url}/{id}/{result}")).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }

    async fn invoke(result: &'static str, body: &'static str) -> Result<Value> {
        let mut runtime = RuntimeApi::start().await.unwrap();
        let function = tokio::spawn(run_function(runtime.address, result, body));
        runtime.ready().await.unwrap();
        let response = runtime.invoke(json!({ "an": "event" }), Timestamp::UNIX_EPOCH, ANY_TRACE).await;
        function.await.unwrap();
        response
    }

    #[tokio::test]
    async fn invoke_returns_the_function_response() {
        assert_eq!(invoke("response", r#"{"an":"answer"}"#).await.unwrap(), json!({ "an": "answer" }));
    }

    #[tokio::test]
    async fn failed_invocation_returns_the_function_error() {
        let error = invoke("error", "no luck").await.unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
    }

    #[tokio::test]
    async fn init_error_fails_ready() {
        let mut runtime = RuntimeApi::start().await.unwrap();
        let url = format!("http://{}/2018-06-01/runtime/init/error", runtime.address);
        reqwest::Client::new().post(url).body("no table").send().await.unwrap();
        assert!(runtime.ready().await.unwrap_err().to_string().contains("no table"));
    }
}
