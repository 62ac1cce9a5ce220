//! What `publish` is compared with: programs that move the same bytes between
//! the same servers, and do nothing else.
//!
//! Each is a process of its own (`bench pipe …`) and prints the seconds from
//! its first connection to its last answer. `push` and `pull` are halves of a
//! pipe, which tell what the servers can do.

mod http;
mod source;

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use futures::stream;

use crate::film::Film;
use http::Connection;
use source::Source;

/// TikTok's ceiling of a chunk, in bytes.
pub(crate) const LARGEST_CHUNK: u64 = 64_000_000;
/// The chunk of the loop that others use, in bytes: 10 MiB.
const LOOP_CHUNK: u64 = 10 * 1024 * 1024;

/// How bytes are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One GET, whose bytes are passed on to PUTs as they come.
    Stream,
    /// The same, with the GET running ahead while a PUT is answered.
    QueuePosition,
    /// A GET of 10 MiB, then its PUT, then the next.
    Loop,
    /// PUTs from memory.
    Push,
    /// A GET to nowhere.
    Pull,
}

impl Manner {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::QueuePosition => "ahead",
            Self::Loop => "loop",
            Self::Push => "push",
            Self::Pull => "pull",
        }
    }

    /// Reads the name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let all = [Self::Stream, Self::QueuePosition, Self::Loop, Self::Push, Self::Pull];
        all.into_iter().find(|manner| manner.name() == name).with_context(|| format!("no manner {name}"))
    }
}

/// Where bytes come from and go to, and in which chunks.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) manner: Manner,
    pub(crate) film: Film,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// The size of every chunk but the last, in bytes.
    pub(crate) chunk: u64,
}

impl Job {
    /// Moves the film; returns the seconds that it took.
    pub(crate) async fn run(&self) -> Result<f64> {
        let began = Instant::now();
        match self.manner {
            Manner::Stream => self.put_all(Source::passing(self.get(0, self.film.bytes()).await?)).await?,
            Manner::QueuePosition => self.put_all(Source::ahead(self.get(0, self.film.bytes()).await?)).await?,
            Manner::Push => {
                let pieces = stream::iter(self.film.range(0, self.film.bytes()).map(Ok));
                self.put_all(Source::passing(pieces.boxed())).await?;
            }
            Manner::Pull => {
                let mut bytes = self.get(0, self.film.bytes()).await?;
                while let Some(piece) = bytes.next().await {
                    piece?;
                }
            }
            Manner::Loop => self.alternate().await?,
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// A GET over a connection of its own.
    async fn get(&self, first: u64, end: u64) -> Result<source::Pieces> {
        Connection::open(self.from).await?.get(&format!("/bench/drop/{}", self.film.name()), first, end).await
    }

    async fn put_all(&self, source: Source) -> Result<()> {
        let mut drain = Connection::open(self.to).await?;
        let upload = upload_path();
        for (first, end) in chunks(self.film.bytes(), self.chunk) {
            let status = drain.put(&upload, (first, end, self.film.bytes()), source.take(end - first)).await?;
            accepted(status)?;
        }
        Ok(())
    }

    /// The loop that others use: each chunk whole in memory, one thing at a time.
    async fn alternate(&self) -> Result<()> {
        let mut store = Connection::open(self.from).await?;
        let mut drain = Connection::open(self.to).await?;
        let upload = upload_path();
        for (first, end) in chunks(self.film.bytes(), LOOP_CHUNK) {
            let mut bytes = store.get(&format!("/bench/drop/{}", self.film.name()), first, end).await?;
            let mut chunk = Vec::new();
            while let Some(piece) = bytes.next().await {
                chunk.extend_from_slice(&piece?);
            }
            let body = stream::iter([Ok(chunk.into())]).boxed();
            accepted(drain.put(&upload, (first, end, self.film.bytes()), body).await?)?;
        }
        Ok(())
    }
}

fn upload_path() -> String {
    format!("/upload?upload_id={}", uuid::Uuid::new_v4())
}

fn accepted(status: u16) -> Result<()> {
    if matches!(status, 201 | 206) { Ok(()) } else { bail!("the drain answered {status}") }
}

/// TikTok's plan: `floor(size / chunk)` chunks, of which the last takes the rest.
pub(crate) fn chunks(size: u64, chunk: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = (size / chunk).max(1);
    (0..count).map(move |index| (index * chunk, if index + 1 == count { size } else { (index + 1) * chunk }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_takes_the_rest() {
        let plan = |size, chunk| chunks(size, chunk).collect::<Vec<_>>();
        assert_eq!(plan(25, 10), [(0, 10), (10, 25)]);
        assert_eq!(plan(30, 10), [(0, 10), (10, 20), (20, 30)]);
        assert_eq!(plan(5, 10), [(0, 5)]);
    }

    #[test]
    fn every_manner_is_found_by_its_name() {
        for manner in [Manner::Stream, Manner::QueuePosition, Manner::Loop, Manner::Push, Manner::Pull] {
            assert_eq!(Manner::named(manner.name()).unwrap(), manner);
        }
        assert!(Manner::named("fly").is_err());
    }
}
