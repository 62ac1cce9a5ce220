//! A fake HTTP/1.1 server for unit tests, which sends scripted replies.
//!
//! A test determines every byte of a reply. A reply can be cut off, stop in the middle, arrive before the
//! server has read the request's body, or never arrive. The server sends the replies in the order of the
//! script, one for each request, and records every request. It knows nothing about AWS or TikTok.
//!
//! When the server is dropped, it asserts that it sent every reply and that no whole request came
//! after the last one.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "only tests depend on this crate")]

mod reply;
mod request;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub use reply::Reply;
pub use request::Request;

use reply::{Next, ReadBody};

/// How long [`ScriptedServer::wait_for_requests`] waits before it fails the test.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// One step of a script: makes the reply to a request. The slice holds all requests so far, and the last one
/// is the request to reply to. The body of that request has not been read yet.
pub type Step = Box<dyn Fn(&[Request]) -> Reply + Send>;

/// A step that sends this reply to any request.
#[must_use]
pub fn reply(reply: Reply) -> Step {
    Box::new(move |_| reply.clone())
}

/// A step that computes the reply from the requests.
#[must_use]
pub fn reply_with(reply: impl Fn(&[Request]) -> Reply + Send + 'static) -> Step {
    Box::new(reply)
}

/// A server on a free port of the loopback address.
pub struct ScriptedServer {
    port: u16,
    shared: Arc<Shared>,
    accept_loop: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Step>,
    requests: Vec<Request>,
    /// How many whole requests came after the end of the script.
    unexpected: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a request is complete.
    completed: Notify,
}

impl ScriptedServer {
    /// Starts a server with this script.
    pub async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        shared.state.lock().unwrap().script.extend(script);
        let accept_loop = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(serve(socket, Arc::clone(&shared)));
                }
            }
        });
        Self { port, shared, accept_loop }
    }

    /// Starts a server that sends these replies.
    pub async fn with_replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(replies.into_iter().map(reply)).await
    }

    /// Appends a step to the script.
    pub fn push(&self, step: Step) {
        self.shared.state.lock().unwrap().script.push_back(step);
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a path on this server. The path begins with `/` or is empty.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All requests so far, in the order in which their heads arrived.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state.lock().unwrap().requests.clone()
    }

    /// The request, if exactly one came; otherwise the test fails.
    #[must_use]
    pub fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    /// Waits until this many requests are complete, and fails the test after 20 seconds. A request is complete when
    /// its body was read, or when the client closed the connection. With [`Reply::never_reads_body`], it is complete
    /// after the reply.
    pub async fn wait_for_requests(&self, count: usize) {
        let complete = tokio::time::timeout(MAX_WAIT, self.shared.wait_for(count)).await;
        assert!(complete.is_ok(), "{count} requests were expected: {:?}", self.requests());
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.accept_loop.abort();
        if !std::thread::panicking() {
            let state = self.shared.state.lock().unwrap();
            assert_eq!(state.script.len(), 0, "replies of the script that were not sent");
            assert_eq!(state.unexpected, 0, "requests for which the script has no reply");
        }
    }
}

impl Shared {
    /// Records a request whose head was read. Returns its index, and its reply if the script has one left.
    fn reply_to(&self, request: Request) -> (usize, Option<Reply>) {
        let mut state = self.state.lock().unwrap();
        state.requests.push(request);
        let step = state.script.pop_front();
        let reply = step.map(|step| step(&state.requests));
        (state.requests.len() - 1, reply)
    }

    /// Records the body of a request, as far as it arrived.
    fn complete(&self, index: usize, body: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        state.requests[index].complete(body);
        drop(state);
        self.completed.notify_waiters();
    }

    async fn wait_for(&self, count: usize) {
        loop {
            // Created before the check, so that a request between the check and the wait is not missed.
            let next = self.completed.notified();
            if self.state.lock().unwrap().requests.iter().filter(|request| request.is_complete()).count() >= count {
                return;
            }
            next.await;
        }
    }
}

/// Serves the requests of one connection.
async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(head) = read_head(&mut socket, &mut buffer).await {
        let request = Request::parse(&head);
        let (method, length) = (request.method.clone(), request.declared_length());
        let (index, reply) = shared.reply_to(request);
        let is_expected = reply.is_some();
        let reply = reply.unwrap_or_else(|| Reply::new(500, "the script has no more replies"));
        if reply.read_body == ReadBody::BeforeReply {
            let body = read_body(&mut socket, &mut buffer, length).await;
            let is_whole = body.len() == length;
            shared.complete(index, body);
            if !is_whole {
                return;
            }
            shared.state.lock().unwrap().unexpected += usize::from(!is_expected);
        }
        shared.wait_for(reply.after_requests).await;
        // An error means that the client closed the connection. The test then checks what the client returns.
        let _ = socket.write_all(&reply.bytes(&method)).await;
        match reply.read_body {
            ReadBody::BeforeReply => {}
            ReadBody::AfterReply => {
                let body = read_body(&mut socket, &mut buffer, length).await;
                shared.complete(index, body);
            }
            ReadBody::Never => shared.complete(index, Vec::new()),
        }
        match reply.next {
            Next::Serve => {}
            Next::Close => return drop(socket.shutdown().await),
            Next::Stall => return std::future::pending().await,
        }
    }
}

/// Reads a request's head, up to the empty line; none if the client closes the connection before.
async fn read_head(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = buffer.drain(..end + 4).collect();
            return Some(String::from_utf8(head).unwrap());
        }
        if !read_some(socket, buffer).await {
            return None;
        }
    }
}

/// Reads a body of this length, or less if the client closes the connection before.
async fn read_body(socket: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Vec<u8> {
    while buffer.len() < length && read_some(socket, buffer).await {}
    buffer.drain(..length.min(buffer.len())).collect()
}

/// Reads more bytes. Returns false if the client has closed the connection.
async fn read_some(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    matches!(socket.read_buf(buffer).await, Ok(bytes) if bytes > 0)
}
