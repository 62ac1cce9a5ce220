//! A road to a server with a length and a width: each answer's first byte comes
//! later, and each connection is held to a rate in both directions.
//!
//! It forwards bytes and knows nothing of HTTP but that an answer follows a
//! question: the first bytes back after bytes forth are an answer's first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::bucket::Bucket;

/// The most that is forwarded at once, in bytes.
const PIECE: usize = 64 * 1024;

/// How long and how wide a road is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Road {
    /// What is added to the first byte of each answer.
    pub(crate) delay: Duration,
    /// What a connection passes in each direction.
    pub(crate) bytes_per_second: u32,
}

/// Opens a road to a server, and returns where it begins.
pub(crate) async fn open(to: SocketAddr, road: Road) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move { forward(client, to, road).await });
        }
    });
    Ok(address)
}

async fn forward(client: TcpStream, to: SocketAddr, road: Road) -> std::io::Result<()> {
    let server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = Arc::new(AtomicBool::new(false));
    let forth = pump(from_client, to_server, road, Arc::clone(&asked), Direction::Forth);
    let back = pump(from_server, to_client, road, asked, Direction::Back);
    tokio::try_join!(forth, back).map(|_| ())
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forth,
    Back,
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    road: Road,
    asked: Arc<AtomicBool>,
    direction: Direction,
) -> std::io::Result<()> {
    let mut bucket = Bucket::new(road.bytes_per_second, Instant::now());
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        match direction {
            Direction::Forth => asked.store(true, Ordering::Release),
            Direction::Back if asked.swap(false, Ordering::AcqRel) => tokio::time::sleep(road.delay).await,
            Direction::Back => {}
        }
        let wait = bucket.take(u32::try_from(length).unwrap_or(u32::MAX), Instant::now());
        if wait >= Duration::from_millis(1) {
            tokio::time::sleep(wait).await;
        }
        to.write_all(&piece[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::film::Film;
    use crate::pipe::{Job, Manner};
    use crate::serve::serve;
    use crate::{drain, store};

    /// The seconds that a film of 3 MB takes over two roads.
    async fn time(manner: Manner, delay_ms: u64, bytes_per_second: u32) -> f64 {
        let road = Road { delay: Duration::from_millis(delay_ms), bytes_per_second };
        let from = open(serve(store::routes()).await.unwrap(), road).await.unwrap();
        let to = open(serve(drain::routes()).await.unwrap(), road).await.unwrap();
        let job = Job { manner, film: Film::new(3_000_000).unwrap(), from, to, chunk: 1_000_000 };
        job.run().await.unwrap()
    }

    #[tokio::test]
    async fn every_answer_comes_later() {
        // One of the store, three of the drain.
        assert!(time(Manner::Stream, 50, 1_000_000_000).await >= 0.2);
    }

    #[tokio::test]
    async fn a_connection_is_held_to_its_rate() {
        // 3 MB at 30 MB/s, but for what may pass at once after a pause.
        for manner in [Manner::Pull, Manner::Push] {
            assert!(time(manner, 0, 30_000_000).await >= 0.08, "{manner:?}");
        }
    }
}
