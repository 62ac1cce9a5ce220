//! A TikTok that answers whatever it is told to, over a real connection.
//!
//! One connection on the loopback serves for all inputs, so that an input takes
//! some microseconds. The answer is framed as HTTP wants it, because what comes
//! in another frame ends in the HTTP client, which has fuzz targets of its own.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;

use tiktok::{Config, TikTok, UploadHosts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// A client, and what it will be answered.
pub(crate) struct Stage {
    runtime: Runtime,
    tasks: LocalSet,
    tiktok: TikTok,
    base: String,
    reply: Reply,
}

type Reply = Rc<RefCell<Vec<u8>>>;

thread_local! {
    static STAGE: Stage = Stage::set().expect("there is a loopback interface");
}

/// Has a call made that is answered with this status, these headers (lines
/// `name: value`) and this body.
pub(crate) fn answered<T>(http: u16, headers: &[String], body: &[u8], call: impl AsyncFnOnce(&TikTok, &str) -> T) -> T {
    STAGE.with(|stage| {
        *stage.reply.borrow_mut() = framed(http, headers, body);
        stage.tasks.block_on(&stage.runtime, call(&stage.tiktok, &stage.base))
    })
}

fn framed(http: u16, headers: &[String], body: &[u8]) -> Vec<u8> {
    // These have no body, whatever they declare.
    let body = if matches!(http, 204 | 304) { &[] } else { body };
    let mut head = format!("HTTP/1.1 {http} -\r\n");
    if http != 204 {
        // A text takes all that is written to it.
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

impl Stage {
    fn set() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let base = format!("http://{address}");
        let config = Config {
            api: base.parse().map_err(io::Error::other)?,
            upload_hosts: UploadHosts::parse(&format!("{address},{}", UploadHosts::TIKTOKS_OWN))
                .map_err(io::Error::other)?,
        };
        let (tasks, reply) = (LocalSet::new(), Reply::default());
        let at_hand = Rc::clone(&reply);
        tasks.spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(converse(socket, Rc::clone(&at_hand)));
            }
        });
        let tiktok = TikTok::new(config).map_err(io::Error::other)?;
        Ok(Self { runtime, tasks, tiktok, base, reply })
    }
}

/// Answers every request of a connection, each once it is there as a whole.
async fn converse(mut socket: TcpStream, reply: Reply) {
    let mut heard = Vec::new();
    loop {
        while let Some(end) = end_of_request(&heard) {
            heard.drain(..end);
            let answer = reply.borrow().clone();
            if socket.write_all(&answer).await.is_err() {
                return;
            }
        }
        if !matches!(socket.read_buf(&mut heard).await, Ok(1..)) {
            return;
        }
    }
}

/// Where the first request ends, if it is there as a whole. Our client always
/// states the length of a body.
fn end_of_request(heard: &[u8]) -> Option<usize> {
    let body = heard.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let lines = str::from_utf8(&heard[..body]).ok()?.lines();
    let length = lines.filter_map(|line| line.split_once(": ")).find(|(name, _)| *name == "content-length");
    let end = body + length.and_then(|(_, length)| length.parse::<usize>().ok()).unwrap_or_default();
    (heard.len() >= end).then_some(end)
}
