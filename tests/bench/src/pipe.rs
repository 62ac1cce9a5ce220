//! The baseline programs, with which `publish` is compared. Such a *pipe* copies the same
//! bytes between the same servers and does nothing else.
//!
//! Each pipe is a process of its own (`bench pipe …`). It prints the seconds from
//! its first connection to its last response. [`Strategy::UploadOnly`] and
//! [`Strategy::DownloadOnly`] are half a pipe each: they measure what the servers
//! alone can do.

mod http;
mod source;

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use futures::stream;

use crate::test_video::TestVideo;
use http::Connection;
use source::Source;

/// TikTok's maximum chunk size in bytes.
pub(crate) const MAX_CHUNK_BYTES: u64 = 64_000_000;
/// The chunk size of [`Strategy::Loop`] in bytes: 10 MiB.
const LOOP_CHUNK_BYTES: u64 = 10 * 1024 * 1024;

/// How a pipe copies the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// One GET whose bytes are forwarded to the PUTs as they arrive.
    Stream,
    /// Like `Stream`, but the GET continues while the pipe waits for the response
    /// to a PUT.
    ReadAhead,
    /// The usual loop: GET 10 MiB, PUT them, repeat.
    Loop,
    /// PUTs of bytes from memory, without a GET.
    UploadOnly,
    /// A GET whose bytes are discarded, without a PUT.
    DownloadOnly,
}

impl Strategy {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::ReadAhead => "read-ahead",
            Self::Loop => "loop",
            Self::UploadOnly => "upload-only",
            Self::DownloadOnly => "download-only",
        }
    }

    /// Parses the name on the command line.
    pub(crate) fn from_name(name: &str) -> Result<Self> {
        let all = [Self::Stream, Self::ReadAhead, Self::Loop, Self::UploadOnly, Self::DownloadOnly];
        all.into_iter().find(|strategy| strategy.name() == name).with_context(|| format!("no strategy {name}"))
    }
}

/// One video to copy, between two servers.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) strategy: Strategy,
    pub(crate) video: TestVideo,
    /// The address of S3.
    pub(crate) from: SocketAddr,
    /// The address of the upload host.
    pub(crate) to: SocketAddr,
    /// The size of every chunk except the last, in bytes. `Loop` ignores it.
    pub(crate) chunk_bytes: u64,
}

impl Transfer {
    /// Copies the video and returns the elapsed seconds.
    pub(crate) async fn run(&self) -> Result<f64> {
        let started = Instant::now();
        match self.strategy {
            Strategy::Stream => self.put_all(Source::direct(self.get(0, self.video.bytes()).await?)).await?,
            Strategy::ReadAhead => self.put_all(Source::read_ahead(self.get(0, self.video.bytes()).await?)).await?,
            Strategy::UploadOnly => {
                let pieces = stream::iter(self.video.range(0, self.video.bytes()).map(Ok));
                self.put_all(Source::direct(pieces.boxed())).await?;
            }
            Strategy::DownloadOnly => {
                let mut bytes = self.get(0, self.video.bytes()).await?;
                while let Some(piece) = bytes.next().await {
                    piece?;
                }
            }
            Strategy::Loop => self.get_put_loop().await?,
        }
        Ok(started.elapsed().as_secs_f64())
    }

    /// Sends a GET over a connection of its own.
    async fn get(&self, first: u64, end: u64) -> Result<source::Pieces> {
        Connection::open(self.from).await?.get(&self.object_path(), first, end).await
    }

    async fn put_all(&self, source: Source) -> Result<()> {
        let mut upload_host = Connection::open(self.to).await?;
        let upload = upload_path();
        for (first, end) in chunks(self.video.bytes(), self.chunk_bytes) {
            let status = upload_host.put(&upload, (first, end, self.video.bytes()), source.take(end - first)).await?;
            check_accepted(status)?;
        }
        Ok(())
    }

    /// Runs [`Strategy::Loop`]: buffers each chunk, and never has a GET and a PUT
    /// in flight at once.
    async fn get_put_loop(&self) -> Result<()> {
        let mut s3 = Connection::open(self.from).await?;
        let mut upload_host = Connection::open(self.to).await?;
        let upload = upload_path();
        for (first, end) in chunks(self.video.bytes(), LOOP_CHUNK_BYTES) {
            let mut bytes = s3.get(&self.object_path(), first, end).await?;
            let mut chunk = Vec::new();
            while let Some(piece) = bytes.next().await {
                chunk.extend_from_slice(&piece?);
            }
            let body = stream::iter([Ok(chunk.into())]).boxed();
            check_accepted(upload_host.put(&upload, (first, end, self.video.bytes()), body).await?)?;
        }
        Ok(())
    }

    fn object_path(&self) -> String {
        format!("/bench/drop/{}", self.video.file_name())
    }
}

fn upload_path() -> String {
    format!("/upload?upload_id={}", uuid::Uuid::new_v4())
}

fn check_accepted(status: u16) -> Result<()> {
    if matches!(status, 201 | 206) { Ok(()) } else { bail!("the upload host answered with HTTP status {status}") }
}

/// TikTok's chunk plan as (first, end) offsets: `floor(size / chunk)` chunks, of
/// which the last also takes the remainder.
pub(crate) fn chunks(size: u64, chunk: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = (size / chunk).max(1);
    (0..count).map(move |index| (index * chunk, if index + 1 == count { size } else { (index + 1) * chunk }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_chunk_takes_the_remainder() {
        let plan = |size, chunk| chunks(size, chunk).collect::<Vec<_>>();
        assert_eq!(plan(25, 10), [(0, 10), (10, 25)]);
        assert_eq!(plan(30, 10), [(0, 10), (10, 20), (20, 30)]);
        assert_eq!(plan(5, 10), [(0, 5)]);
    }

    #[test]
    fn every_strategy_is_parsed_from_its_name() {
        for strategy in
            [Strategy::Stream, Strategy::ReadAhead, Strategy::Loop, Strategy::UploadOnly, Strategy::DownloadOnly]
        {
            assert_eq!(Strategy::from_name(strategy.name()).unwrap(), strategy);
        }
        assert!(Strategy::from_name("fly").is_err());
    }
}
