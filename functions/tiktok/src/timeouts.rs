//! The timeouts of requests to TikTok.
//!
//! A v2 or OAuth call has one timeout for all of it. A chunk has no total timeout, because sending 64 MB over a slow
//! connection is not an error. It has `chunk_stall` until its last byte is sent, and `chunk_response` afterwards.

use std::time::Duration;

/// The times after which a request fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// The longest time for making a connection, including TLS.
    pub(crate) connect: Duration,
    /// The longest time for a whole v2 or OAuth call, from the connection to the end of the response.
    pub(crate) call: Duration,
    /// The longest time without a sent byte while a chunk is sent. It must exceed the time in which a stalled read from
    /// S3 resumes (`STALL_TIMEOUT` in `functions/runtime/src/aws.rs`).
    pub(crate) chunk_stall: Duration,
    /// The longest wait for the response, after a chunk's last byte was handed to the socket. The socket's buffers
    /// still hold some megabytes at that moment.
    pub(crate) chunk_response: Duration,
    /// How long an idle connection is kept for reuse. A connection that was idle for longer, for example while Lambda
    /// had frozen the function, has probably been closed by TikTok.
    pub(crate) pool_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(20),
            chunk_stall: Duration::from_mins(1),
            chunk_response: Duration::from_mins(2),
            pool_idle: Duration::from_secs(15),
        }
    }
}
