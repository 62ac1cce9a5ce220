//! A small server with scripted answers, for this crate's tests.
//!
//! It speaks raw HTTP/1.1 over a socket and keeps every request as it came over
//! the wire. It knows nothing of TikTok's rules; the tests do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::chunk::{ChunkCeiling, ChunkPlan};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::settings::{Settings, StackDefaults};
use domain::size::VideoSize;
use domain::title::TitleLimit;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::client::{Config, TikTok};
use crate::credentials::AccessToken;
use crate::timeouts::Timeouts;
use crate::upload_hosts::UploadHosts;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Reads it whole and answers.
    Answer { status: u16, headers: String, body: String },
    /// Answers after the head, and only then reads the body.
    TimestampInFuture { status: u16 },
    /// Reads it whole and answers with less than it declares.
    CutOff { status: u16, declared: usize, body: String },
    /// Reads it whole, and closes the connection without a word.
    Close,
    /// Reads it whole, and says nothing.
    Silence,
    /// Reads the head and then nothing more.
    Deaf,
    /// Answers after the head, and reads nothing more.
    EarlyDeaf { status: u16 },
}

impl Reply {
    pub(crate) fn answer(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: String::new(), body: body.to_owned() }
    }

    /// An answer of the v2 API that succeeds, with log id `log-1`.
    pub(crate) fn ok(data: &Value) -> Self {
        let error = json!({ "code": "ok", "message": "", "log_id": "log-1" });
        Self::answer(200, &json!({ "data": data, "error": error }).to_string())
    }

    /// Adds header lines, each with its line end.
    pub(crate) fn with_headers(self, more: &str) -> Self {
        match self {
            Self::Answer { status, body, .. } => Self::Answer { status, headers: more.to_owned(), body },
            other => panic!("{other:?} has no headers"),
        }
    }
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// Whether as many bytes came as the head declares.
    pub(crate) fn is_whole(&self) -> bool {
        self.declared() == self.body.len()
    }

    fn declared(&self) -> usize {
        self.header("content-length").map_or(0, |length| length.parse().unwrap())
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request>>,
    seen: Notify,
}

pub(crate) struct MockServer {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl MockServer {
    pub(crate) async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { script: Mutex::new(script.into()), ..Shared::default() });
        let accepting = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(converse(socket, shared.clone()));
                }
            }
        });
        Self { port, shared, accepting }
    }

    /// Adds to the script.
    pub(crate) fn then(&self, reply: Reply) {
        self.shared.script.lock().unwrap().push_back(reply);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn client(&self) -> TikTok {
        self.impatient_client(|_| ())
    }

    pub(crate) fn impatient_client(&self, adjust: impl FnOnce(&mut Timeouts)) -> TikTok {
        let mut patience = Timeouts::default();
        adjust(&mut patience);
        let upload_hosts = UploadHosts::parse(&format!("127.0.0.1:{}", self.port)).unwrap();
        TikTok::with_timeouts(Config { api: self.url("/").parse().unwrap(), upload_hosts }, patience).unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    /// Waits until a request has ended, whole or not.
    pub(crate) async fn ended_request(&self) -> Request {
        tokio::time::timeout(Duration::from_secs(20), self.shared.seen.notified()).await.expect("no request came");
        self.only_request()
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.accepting.abort();
        if !std::thread::panicking() {
            let left = self.shared.script.lock().unwrap();
            assert!(left.is_empty(), "the script says more than was asked for: {left:?}");
        }
    }
}

async fn converse(mut socket: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(mut request) = read_head(&mut socket, &mut buffer).await {
        let next = shared.script.lock().unwrap().pop_front();
        let reply = next.unwrap_or_else(|| Reply::answer(500, "not in the script"));
        if let Reply::TimestampInFuture { status } | Reply::EarlyDeaf { status } = reply {
            answer(&mut socket, status, "", "").await;
        }
        if matches!(reply, Reply::Deaf | Reply::EarlyDeaf { .. }) {
            shared.requests.lock().unwrap().push(request);
            shared.seen.notify_one();
            return std::future::pending().await;
        }
        read_body(&mut socket, &mut buffer, &mut request).await;
        let whole = request.is_whole();
        shared.requests.lock().unwrap().push(request);
        shared.seen.notify_one();
        match reply {
            Reply::Answer { status, headers, body } if whole => answer(&mut socket, status, &headers, &body).await,
            Reply::CutOff { status, declared, body } => {
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {declared}\r\n\r\n{body}");
                let _ = socket.write_all(head.as_bytes()).await;
                return;
            }
            Reply::Silence if whole => return std::future::pending().await,
            Reply::Answer { .. }
            | Reply::Silence
            | Reply::TimestampInFuture { .. }
            | Reply::Close
            | Reply::Deaf
            | Reply::EarlyDeaf { .. } => return,
        }
    }
}

async fn answer(socket: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
    // The peer may have seen enough and gone.
    let _ = socket.write_all(head.as_bytes()).await;
}

async fn read_head(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        read_some(socket, buffer).await?;
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers = lines.filter(|line| !line.is_empty()).map(header).collect();
    Some(Request { method: first.next().unwrap(), target: first.next().unwrap(), headers, body: Vec::new() })
}

async fn read_body(socket: &mut TcpStream, buffer: &mut Vec<u8>, request: &mut Request) {
    while buffer.len() < request.declared() {
        if read_some(socket, buffer).await.is_none() {
            break;
        }
    }
    let there = buffer.len().min(request.declared());
    request.body = buffer.drain(..there).collect();
}

async fn read_some(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    match socket.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

/// The token of the tests: `access-1`.
pub(crate) fn access() -> AccessToken {
    AccessToken::new("access-1".into())
}

/// A plan with chunks of at most 10,000,025 bytes.
pub(crate) fn plan(bytes: u64) -> ChunkPlan {
    ChunkPlan::new(VideoSize::new(bytes).unwrap(), ChunkCeiling::new(10_000_025).unwrap())
}

/// Settings of a private post without comments and stitches.
pub(crate) fn settings(mode: Mode) -> Settings {
    let stack = StackDefaults { mode, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let options = PostOptions {
        title: Some("A title ü 👍".into()),
        disable_comment: Some(true),
        disable_stitch: Some(true),
        ..PostOptions::default()
    };
    Settings::resolve(&options, "a.mp4", &stack).unwrap()
}
