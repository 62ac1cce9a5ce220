//! A port with a fault proxy of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use harness::aws::Aws;
use simulator::Simulator;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::{FaultProxy, Interruptions, handle};
use crate::clock::Clock;

/// A port and its proxy. The proxy's faults hit only the processes that call this port.
pub(crate) struct Listener {
    pub(crate) proxy: Arc<FaultProxy>,
    pub(crate) address: SocketAddr,
    /// What the proxy requests. One `Lambda` at a time holds the lock.
    pub(crate) interruptions: Mutex<Interruptions>,
    server: JoinHandle<()>,
}

impl Listener {
    /// Serves a port until the listener is dropped.
    pub(crate) fn serve(
        port: TcpListener,
        aws: &Arc<Aws>,
        clock: &Arc<Clock>,
        tiktok: &Arc<Simulator>,
    ) -> Result<Self> {
        let address = port.local_addr()?;
        let (proxy, interruptions) = FaultProxy::new(Arc::clone(aws), Arc::clone(clock), Arc::clone(tiktok))?;
        let server = tokio::spawn(handle::serve(port, Arc::clone(&proxy)));
        Ok(Self { proxy, address, interruptions: Mutex::new(interruptions), server })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Binds a free port.
pub(crate) async fn bind() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await.context("could not bind a port")
}
