//! The real sockets, with a handle for each that can slow it, cut it, and tell
//! whether the client is still there.
//!
//! Knows nothing of HTTP. A cut connection transmits no further byte: the client
//! sees a reset, or an end of stream, and never half an answer by accident.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use bytes::BufMut;
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

/// How long a slowed connection pauses between two reads.
const PACE: Duration = Duration::from_millis(50);

const OPEN: u8 = 0;
const CUT: u8 = 1;

/// How a connection is ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client's kernel reports a reset.
    Reset,
    /// The client sees the end of the stream.
    Close,
}

/// A handle on one connection.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    stream: Weak<TcpStream>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: AtomicU8,
    bytes_per_second: AtomicU64,
}

impl Wire {
    /// Ends the connection: whatever is answered from here on is not sent.
    pub(crate) fn cut(&self, how: Cut) {
        if let (Cut::Reset, Some(stream)) = (how, self.stream.upgrade())
            && let Err(error) = stream.set_zero_linger()
        {
            tracing::warn!(%error, "a connection is closed instead of reset");
        }
        self.state.cut.store(CUT, Ordering::Release);
    }

    /// Limits how fast the connection is read.
    pub(crate) fn slow_down(&self, bytes_per_second: u64) {
        self.state.bytes_per_second.store(bytes_per_second.max(1), Ordering::Release);
    }

    /// Tells whether the client has closed or reset the connection.
    pub(crate) fn is_closed(&self) -> bool {
        let Some(stream) = self.stream.upgrade() else {
            return true;
        };
        match stream.ready(Interest::READABLE | Interest::WRITABLE).now_or_never() {
            Some(Ok(ready)) => ready.is_read_closed() || ready.is_write_closed(),
            Some(Err(_)) => true,
            None => false,
        }
    }
}

impl Connected<IncomingStream<'_, Doorway>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Doorway>) -> Self {
        let io = stream.io();
        Self { stream: Arc::downgrade(&io.stream), state: Arc::clone(&io.state) }
    }
}

/// A listener whose connections can be interfered with.
#[derive(Debug)]
pub(crate) struct Doorway(pub(crate) TcpListener);

impl Listener for Doorway {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let connection = Connection { stream: Arc::new(stream), state: Arc::default(), pause: None };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Arc<TcpStream>,
    state: Arc<State>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn check(&self) -> io::Result<()> {
        if self.state.cut.load(Ordering::Acquire) == OPEN { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
    }

    /// Says how many bytes may be read now, after the pause that a slowed connection makes.
    fn allowance(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let rate = self.state.bytes_per_second.load(Ordering::Acquire);
        if rate == 0 {
            return Poll::Ready(usize::MAX);
        }
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PACE)));
        ready!(pause.as_mut().poll(cx));
        let share = u128::from(rate) * PACE.as_millis() / 1000;
        Poll::Ready(usize::try_from(share).unwrap_or(usize::MAX).max(1))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let allowance = ready!(self.allowance(cx));
        loop {
            self.check()?;
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(&mut (&mut *buf).limit(allowance)) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if let Some(pause) = &mut self.pause {
            pause.as_mut().reset(Instant::now() + PACE);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            self.check()?;
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.check())
    }

    /// Leaves the closing to the drop that follows, which honours a pending reset.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
