//! A TCP proxy that adds latency and limits the bandwidth of each connection.
//!
//! The proxy delays the first byte of each response and limits the byte rate in
//! both directions. It does not parse HTTP: the first bytes from the server after
//! bytes from the client are the start of a response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::token_bucket::TokenBucket;

/// The size of the forwarding buffer in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// The latency and bandwidth of a slow link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The delay before the first byte of each response.
    pub(crate) latency: Duration,
    /// The bandwidth of a connection in each direction.
    pub(crate) bytes_per_second: u32,
}

/// Starts a proxy to `server` and returns the proxy's address.
pub(crate) async fn start(server: SocketAddr, link: Link) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move { forward(client, server, link).await });
        }
    });
    Ok(address)
}

async fn forward(client: TcpStream, server: SocketAddr, link: Link) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let awaiting_response = Arc::new(AtomicBool::new(false));
    let requests = copy(from_client, to_server, link, Arc::clone(&awaiting_response), Direction::ToServer);
    let responses = copy(from_server, to_client, link, awaiting_response, Direction::ToClient);
    tokio::try_join!(requests, responses).map(|_| ())
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToServer,
    ToClient,
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    link: Link,
    awaiting_response: Arc<AtomicBool>,
    direction: Direction,
) -> std::io::Result<()> {
    let mut bucket = TokenBucket::new(link.bytes_per_second, Instant::now());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        match direction {
            Direction::ToServer => awaiting_response.store(true, Ordering::Release),
            Direction::ToClient if awaiting_response.swap(false, Ordering::AcqRel) => {
                tokio::time::sleep(link.latency).await;
            }
            Direction::ToClient => {}
        }
        let wait = bucket.take(u32::try_from(length).unwrap_or(u32::MAX), Instant::now());
        // A timer is not precise enough for shorter waits; the bucket keeps account of them.
        if wait >= Duration::from_millis(1) {
            tokio::time::sleep(wait).await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{Strategy, Transfer};
    use crate::serve::serve;
    use crate::test_video::TestVideo;
    use crate::{s3_fake, upload_host};

    /// The seconds to copy a video of 3 MB in chunks of 1 MB, with a slow link to
    /// S3 and another one to the upload host.
    async fn time(strategy: Strategy, latency_ms: u64, bytes_per_second: u32) -> f64 {
        let link = Link { latency: Duration::from_millis(latency_ms), bytes_per_second };
        let from = start(serve(s3_fake::routes()).await.unwrap(), link).await.unwrap();
        let to = start(serve(upload_host::routes()).await.unwrap(), link).await.unwrap();
        let video = TestVideo::new(3_000_000).unwrap();
        Transfer { strategy, video, from, to, chunk_bytes: 1_000_000 }.run().await.unwrap()
    }

    #[tokio::test]
    async fn link_delays_every_response() {
        // One response of S3 and three of the upload host, each 50 ms late.
        assert!(time(Strategy::Stream, 50, 1_000_000_000).await >= 0.2);
    }

    #[tokio::test]
    async fn link_limits_each_connection_to_its_rate() {
        // 3 MB at 30 MB/s take 0.1 s, less the burst that may pass after a pause.
        for strategy in [Strategy::DownloadOnly, Strategy::UploadOnly] {
            assert!(time(strategy, 0, 30_000_000).await >= 0.08, "{strategy:?}");
        }
    }
}
