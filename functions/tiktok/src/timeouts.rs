//! How long TikTok is waited for: every timeout of this crate, in one place.
//!
//! A chunk has no timeout as a whole, because 64 MB over a slow line is not an
//! error; what it must do is move.

use std::time::Duration;

/// The waits after which a call is given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// For a connection, TLS included.
    pub(crate) connect: Duration,
    /// For a JSON call as a whole, from the connection to the answer's end.
    pub(crate) call: Duration,
    /// For a chunk's next bytes to move.
    pub(crate) idle: Duration,
    /// For the answer, after a chunk's last byte has been handed to the socket.
    /// The socket's buffers still hold some megabytes then.
    pub(crate) answer: Duration,
    /// For a connection to be used again. A connection that slept longer, as
    /// in a frozen function, is likelier dead than alive.
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
