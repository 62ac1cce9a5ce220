//! Every timeout of this crate.
//!
//! A chunk has no total timeout, because sending 64 MB over a slow connection is not an error. It has an idle timeout.

use std::time::Duration;

/// The times after which a call fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Until a connection is made, including TLS.
    pub(crate) connect: Duration,
    /// For a whole JSON call, from the connection to the end of the response.
    pub(crate) call: Duration,
    /// Until the next bytes of a chunk are sent.
    pub(crate) idle: Duration,
    /// Until the response, after a chunk's last byte was handed to the socket. The socket's buffers still hold some
    /// megabytes at that moment.
    pub(crate) answer: Duration,
    /// How long an idle connection is kept for reuse. A connection that was idle for longer, for example while Lambda
    /// had frozen the function, has probably been closed by TikTok.
    pub(crate) pool: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(20),
            idle: Duration::from_mins(1),
            answer: Duration::from_mins(2),
            pool: Duration::from_secs(15),
        }
    }
}
