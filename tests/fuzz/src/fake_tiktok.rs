//! A fake of TikTok's servers: it sends the production client a given response over
//! a real connection.
//!
//! One loopback connection serves all inputs, so that an input takes a few
//! microseconds. The response is always well-formed HTTP: malformed HTTP fails in
//! the HTTP client, which has fuzz targets of its own.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;

use tiktok::{Config, TikTok, UploadHosts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// The client, the server, and the response to the next request.
struct FakeTikTok {
    runtime: Runtime,
    tasks: LocalSet,
    tiktok: TikTok,
    base_url: String,
    response: Response,
}

/// The bytes of an HTTP response.
type Response = Rc<RefCell<Vec<u8>>>;

thread_local! {
    static FAKE: FakeTikTok = FakeTikTok::start().expect("the loopback interface is available");
}

/// Runs `call` with a client whose requests receive this HTTP status, these
/// headers (lines of the form `name: value`) and this body. `call` also receives
/// the server's base URL.
pub(crate) fn with_response<T>(
    http_status: u16,
    headers: &[String],
    body: &[u8],
    call: impl AsyncFnOnce(&TikTok, &str) -> T,
) -> T {
    FAKE.with(|fake| {
        *fake.response.borrow_mut() = http_response(http_status, headers, body);
        fake.tasks.block_on(&fake.runtime, call(&fake.tiktok, &fake.base_url))
    })
}

fn http_response(http_status: u16, headers: &[String], body: &[u8]) -> Vec<u8> {
    // HTTP permits no body with these, even if `content-length` is not 0.
    let body = if matches!(http_status, 204 | 304) { &[] } else { body };
    let mut head = format!("HTTP/1.1 {http_status} -\r\n");
    if http_status != 204 {
        // Writing to a String cannot fail.
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

impl FakeTikTok {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let base_url = format!("http://{address}");
        let config = Config {
            api: base_url.parse().map_err(io::Error::other)?,
            upload_hosts: UploadHosts::parse(&format!("{address},{}", UploadHosts::TIKTOKS_OWN))
                .map_err(io::Error::other)?,
        };
        let (tasks, response) = (LocalSet::new(), Response::default());
        let server_response = Rc::clone(&response);
        tasks.spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(socket, Rc::clone(&server_response)));
            }
        });
        let tiktok = TikTok::new(config).map_err(io::Error::other)?;
        Ok(Self { runtime, tasks, tiktok, base_url, response })
    }
}

/// Answers every request of a connection once the request has arrived completely.
async fn serve(mut socket: TcpStream, response: Response) {
    let mut received = Vec::new();
    loop {
        while let Some(end) = end_of_request(&received) {
            received.drain(..end);
            let response = response.borrow().clone();
            if socket.write_all(&response).await.is_err() {
                return;
            }
        }
        if !matches!(socket.read_buf(&mut received).await, Ok(1..)) {
            return;
        }
    }
}

/// The end of the first request; none if the request is incomplete. The client
/// sends `content-length` with every body.
fn end_of_request(received: &[u8]) -> Option<usize> {
    let body = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let lines = str::from_utf8(&received[..body]).ok()?.lines();
    let length = lines.filter_map(|line| line.split_once(": ")).find(|(name, _)| *name == "content-length");
    let end = body + length.and_then(|(_, length)| length.parse::<usize>().ok()).unwrap_or_default();
    (received.len() >= end).then_some(end)
}
