//! TCP connections that a fault can slow down or end, and a handle that shows whether the client is still connected.
//!
//! This module does not know HTTP. After [`ConnectionHandle::terminate`], no further byte is sent. The client sees a
//! reset or the end of the stream, never half an answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
const SLOW_READ_INTERVAL: Duration = Duration::from_millis(50);

/// How a connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Termination {
    /// The client's kernel reports a reset.
    Reset,
    /// The client sees the end of the stream.
    Close,
}

/// A handle of one connection, for faults and for uploads. It does not keep the connection open.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionHandle {
    stream: Weak<TcpStream>,
    controls: Arc<Controls>,
}

/// The commands of a [`ConnectionHandle`], which the [`Connection`] reads before each read and write.
#[derive(Debug, Default)]
struct Controls {
    terminated: AtomicBool,
    /// The read limit; 0 means no limit.
    bytes_per_second: AtomicU64,
}

impl ConnectionHandle {
    /// Ends the connection. No answer is sent after this.
    pub(crate) fn terminate(&self, how: Termination) {
        // With zero linger, closing the socket sends a reset (RST) instead of an orderly end (FIN).
        if let (Termination::Reset, Some(stream)) = (how, self.stream.upgrade())
            && let Err(error) = stream.set_zero_linger()
        {
            tracing::warn!(%error, "could not set SO_LINGER; the connection is closed instead of reset");
        }
        self.controls.terminated.store(true, Ordering::Release);
    }

    /// Limits how fast the connection is read.
    pub(crate) fn slow_down(&self, bytes_per_second: u64) {
        self.controls.bytes_per_second.store(bytes_per_second.max(1), Ordering::Release);
    }

    /// Returns whether the client has closed or reset the connection.
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

impl Connected<IncomingStream<'_, ControllableListener>> for ConnectionHandle {
    fn connect_info(stream: IncomingStream<'_, ControllableListener>) -> Self {
        let connection = stream.io();
        Self { stream: Arc::downgrade(&connection.stream), controls: Arc::clone(&connection.controls) }
    }
}

/// A listener whose connections can be slowed down or ended.
#[derive(Debug)]
pub(crate) struct ControllableListener(pub(crate) TcpListener);

impl Listener for ControllableListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let connection = Connection { stream: Arc::new(stream), controls: Arc::default(), pause: None };
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
    controls: Arc<Controls>,
    /// The pause before the next read, once the connection has been slowed down.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// Fails if the connection was terminated.
    fn check(&self) -> io::Result<()> {
        if self.controls.terminated.load(Ordering::Acquire) {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }

    /// Returns how many bytes may be read now. On a slowed connection, waits for the pause to end first.
    fn poll_read_allowance(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let rate = self.controls.bytes_per_second.load(Ordering::Acquire);
        if rate == 0 {
            return Poll::Ready(usize::MAX);
        }
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(SLOW_READ_INTERVAL)));
        ready!(pause.as_mut().poll(cx));
        let bytes_per_interval = u128::from(rate) * SLOW_READ_INTERVAL.as_millis() / 1000;
        Poll::Ready(usize::try_from(bytes_per_interval).unwrap_or(usize::MAX).max(1))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let allowance = ready!(self.poll_read_allowance(cx));
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
            pause.as_mut().reset(Instant::now() + SLOW_READ_INTERVAL);
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

    /// Does nothing: a FIN sent here would precede a pending reset. The drop that follows closes or resets the socket.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
