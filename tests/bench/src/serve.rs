//! The HTTP server of the fakes, on a free port of the loopback interface.

use std::io::Write;

use anyhow::Result;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

async fn listener() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

/// Serves in the background and returns the address.
#[cfg(test)]
pub(crate) async fn serve(routes: Router) -> Result<std::net::SocketAddr> {
    let listener = listener().await?;
    let address = listener.local_addr()?;
    tokio::spawn(run(listener, routes));
    Ok(address)
}

/// Prints the address on standard output, for `Server::start` in `server.rs`, and
/// serves until the process ends.
pub(crate) async fn announce(routes: Router) -> Result<()> {
    let listener = listener().await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    Ok(run(listener, routes).await?)
}

async fn run(listener: TcpListener, routes: Router) -> std::io::Result<()> {
    // Responses are smaller than a packet. Without TCP_NODELAY, the kernel might
    // hold one back until more data follows.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await
}
