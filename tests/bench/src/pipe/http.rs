//! A minimal HTTP client for the pipes: a connection that carries one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, RANGE};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::source::Pieces;

type Body = UnsyncBoxBody<Bytes, anyhow::Error>;

/// A connection that consecutive requests reuse.
pub(super) struct Connection {
    host: String,
    sender: SendRequest<Body>,
}

impl Connection {
    pub(super) async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { host: to.to_string(), sender })
    }

    /// Gets the bytes from `first` up to but excluding `end`.
    pub(super) async fn get(&mut self, path: &str, first: u64, end: u64) -> Result<Pieces> {
        let request = Request::get(path).header(HOST, &self.host).header(RANGE, format!("bytes={first}-{}", end - 1));
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(body)?).await?;
        let status = response.status();
        ensure!(status == StatusCode::PARTIAL_CONTENT, "S3 answered with HTTP status {status}");
        let pieces = BodyStream::new(response.into_body()).map(|frame| {
            let frame = frame.context("S3's response ended early")?;
            frame.into_data().map_err(|_| anyhow::anyhow!("S3's response has trailers"))
        });
        Ok(pieces.boxed())
    }

    /// Puts the chunk from `first` up to but excluding `end` of a video of `total`
    /// bytes, and returns the HTTP status.
    pub(super) async fn put(&mut self, path: &str, (first, end, total): (u64, u64, u64), bytes: Pieces) -> Result<u16> {
        let request = Request::put(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "video/mp4")
            .header(CONTENT_LENGTH, end - first)
            .header(CONTENT_RANGE, format!("bytes {first}-{}/{total}", end - 1));
        let body = BodyExt::boxed_unsync(StreamBody::new(bytes.map(|piece| piece.map(Frame::data))));
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.body(body)?).await?.status().as_u16())
    }
}
