//! A real HTTP server whose answers a test writes down beforehand, to the byte:
//! an answer may promise more than it sends, and then hang up.
//!
//! It serves one request a connection, in the order of the script, and keeps
//! what it was asked. It knows nothing of AWS. When it is dropped, it insists
//! that the script was played to its end, and that nobody asked for more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The method and the path with its query, as in `GET /bucket/key?versionId=1`.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer, down to what is really sent of it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    sent: Option<usize>,
    end: End,
    once_asked: usize,
}

/// What comes after the bytes that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    HangsUp,
    SaysNoMore,
}

impl Answer {
    /// An answer of this status with this body.
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), sent: None, end: End::HangsUp, once_asked: 0 }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends only so many bytes of the body, and hangs up.
    pub(crate) fn cut_at(mut self, sent: usize) -> Self {
        self.sent = Some(sent);
        self
    }

    /// Sends only so many bytes of the body, and then nothing, for ever.
    pub(crate) fn silent_at(mut self, sent: usize) -> Self {
        (self.sent, self.end) = (Some(sent), End::SaysNoMore);
        self
    }

    /// Is sent once so many requests have come, this one counted.
    pub(crate) fn once_asked(mut self, requests: usize) -> Self {
        self.once_asked = requests;
        self
    }

    /// The answer on the wire; `HEAD` is answered without the body.
    fn wire(&self, request: &Request) -> Vec<u8> {
        let mut head = vec![format!("HTTP/1.1 {} Scripted", self.status), "connection: close".to_owned()];
        head.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.headers.iter().any(|(name, _)| name == "content-length") {
            head.push(format!("content-length: {}", self.body.len()));
        }
        let mut wire = format!("{}\r\n\r\n", head.join("\r\n")).into_bytes();
        if !request.line.starts_with("HEAD") {
            wire.extend_from_slice(&self.body[..self.sent.unwrap_or(self.body.len())]);
        }
        wire
    }
}

/// A line of the script: what is answered, in view of all requests so far; or
/// nothing, and the connection is closed.
pub(crate) type Line = Box<dyn Fn(&[Request]) -> Option<Answer> + Send>;

/// Answers with this.
pub(crate) fn say(answer: Answer) -> Line {
    Box::new(move |_| Some(answer.clone()))
}

/// Answers as the requests so far demand.
pub(crate) fn reply(answer: impl Fn(&[Request]) -> Answer + Send + 'static) -> Line {
    Box::new(move |requests| Some(answer(requests)))
}

/// Hangs up without an answer.
pub(crate) fn hang_up() -> Line {
    Box::new(|_| None)
}

#[derive(Default)]
struct Stage {
    script: VecDeque<Line>,
    requests: Vec<Request>,
    unexpected: usize,
}

/// The server.
pub(crate) struct ScriptedServer {
    url: String,
    stage: Arc<Mutex<Stage>>,
    came: Arc<Notify>,
}

impl ScriptedServer {
    /// Starts a server that plays this script.
    pub(crate) async fn start(script: impl IntoIterator<Item = Line>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = script.into_iter().collect();
        let stage = Arc::new(Mutex::new(Stage { script, ..Stage::default() }));
        let server = Self { url, stage, came: Arc::default() };
        let (stage, came) = (Arc::clone(&server.stage), Arc::clone(&server.came));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&stage), Arc::clone(&came)));
            }
        });
        server
    }

    /// Waits until so many requests have come.
    pub(crate) async fn asked(&self, requests: usize) {
        until_asked(requests, &self.stage, &self.came).await;
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.stage.lock().unwrap().requests.clone()
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.url);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(self.s3_config().build())
    }

    /// A client that bears silence in the middle of a body for a second at most.
    pub(crate) fn impatient_s3(&self) -> aws_sdk_s3::Client {
        use aws_sdk_s3::config::StalledStreamProtectionConfig;
        let a_second = StalledStreamProtectionConfig::enabled().grace_period(std::time::Duration::from_secs(1));
        aws_sdk_s3::Client::from_conf(self.s3_config().stalled_stream_protection(a_second.build()).build())
    }

    fn s3_config(&self) -> aws_sdk_s3::config::Builder {
        use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig};
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .force_path_style(true)
            .endpoint_url(&self.url)
    }

    pub(crate) fn event_bus(&self) -> crate::EventBus {
        use aws_sdk_eventbridge::config::{
            BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig,
        };
        let config = aws_types::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.url);
        crate::EventBus::new(&config.build(), "default")
    }

    pub(crate) fn kms(&self) -> aws_sdk_kms::Client {
        use aws_sdk_kms::config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.url);
        aws_sdk_kms::Client::from_conf(config.build())
    }

    pub(crate) fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.url);
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.url);
        aws_sdk_sqs::Client::from_conf(config.build())
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let stage = self.stage.lock().unwrap();
            assert_eq!(stage.script.len(), 0, "the script was not played to its end");
            assert_eq!(stage.unexpected, 0, "there were more requests than the script has answers");
        }
    }
}

async fn serve(mut connection: TcpStream, stage: Arc<Mutex<Stage>>, came: Arc<Notify>) {
    let Some(request) = receive(&mut connection).await else { return };
    let answer = {
        let mut stage = stage.lock().unwrap();
        stage.requests.push(request.clone());
        let line = stage.script.pop_front();
        stage.unexpected += usize::from(line.is_none());
        line.and_then(|line| line(&stage.requests))
    };
    came.notify_waiters();
    if let Some(answer) = answer {
        until_asked(answer.once_asked, &stage, &came).await;
        // The client may have hung up: then it sees what it deserves.
        let _ = connection.write_all(&answer.wire(&request)).await;
        if answer.end == End::SaysNoMore {
            std::future::pending::<()>().await;
        }
        let _ = connection.shutdown().await;
    }
}

async fn until_asked(requests: usize, stage: &Mutex<Stage>, came: &Notify) {
    loop {
        let more = came.notified();
        if stage.lock().unwrap().requests.len() >= requests {
            return;
        }
        more.await;
    }
}

async fn receive(connection: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let (line, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    let headers: Vec<_> = rest
        .lines()
        .filter_map(|header| header.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { line, headers, body: String::from_utf8_lossy(&bytes[head + 4..]).into_owned() })
}
