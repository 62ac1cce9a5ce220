//! The result of sending one chunk. `functions/posting/src/upload/react.rs` acts on each variant.
//!
//! # A wrong variant can publish a video twice
//!
//! [`ChunkOutcome::is_surely_not_taken`] states that TikTok does not have this chunk. After the first attempt at the
//! last chunk, the worker then removes the mark "TikTok may have every byte" (`Post::uncommit`) and may begin another
//! upload. This is decided by what was sent, and not by what TikTok answered: without its last byte TikTok cannot have
//! a chunk, and with its last byte TikTok may have it, whatever the status.

use std::fmt;
use std::time::Duration;

use domain::failure::Failure;

/// How much of a chunk was handed to the connection when its PUT ended. No byte is handed over after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Less than the chunk, so TikTok cannot have the chunk.
    Partly,
    /// The whole chunk, so TikTok may have it.
    Whole,
}

/// The result of sending one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkOutcome {
    /// TikTok has the chunk. Send the next one.
    Accepted {
        /// How much TikTok says it has: a number of bytes or the last byte's index.
        /// [`domain::chunk::ChunkPlan::boundary_of`] interprets it.
        uploaded: Option<u64>,
    },
    /// TikTok has every byte and begins to publish.
    Complete,
    /// The whole last chunk was sent, and TikTok's response neither confirms nor disproves that it has every byte: an
    /// undocumented 2xx, or an error that came after the last byte. Ask TikTok for the publish's status. Send nothing
    /// meanwhile, and begin no other upload.
    Unconfirmed(Failure),
    /// TikTok expects another position in the video. Ask TikTok for its position and continue there.
    Resync {
        /// How much TikTok says it has, as in `Accepted`.
        uploaded: Option<u64>,
    },
    /// TikTok did not take this chunk, and accepts no more bytes at this URL. Ask TikTok for the publish's status
    /// before another init: TikTok may have accepted an earlier chunk, or an earlier attempt at this one, without a
    /// response.
    UrlRejected(Failure),
    /// TikTok responded with a temporary error, or could not be reached. Send the same chunk again to the same URL.
    /// That cannot publish the video twice, even if TikTok took the chunk in spite of its error.
    Retry {
        /// The minimum wait.
        after: Duration,
        /// What happened.
        why: Failure,
        /// How much of the chunk was sent.
        sent: Sent,
    },
    /// The chunk, or a part of it, was sent, and the connection or the wait ended without a valid response. Ask TikTok
    /// for its position before anything else: TikTok may have all of the chunk, and then expects the next one.
    Unknown {
        /// What happened.
        why: Failure,
        /// How much of the chunk was sent.
        sent: Sent,
    },
    /// The source of the bytes failed, so the request was aborted. TikTok has less than the chunk.
    SourceFailed(SourceFault),
    /// TikTok did not take this chunk, and every retry would fail in the same way: TikTok found the request wrong, or
    /// the URL's host is not allowed and nothing was sent. An earlier attempt at the last chunk may still have
    /// succeeded.
    Rejected(Failure),
}

impl ChunkOutcome {
    /// Tells whether TikTok surely does not have the last chunk by this attempt. If this were wrong, the video could be
    /// published twice; see the module's documentation.
    pub fn is_surely_not_taken(&self) -> bool {
        match self {
            // For the last chunk, these three exist only if it was not sent as a whole.
            Self::UrlRejected(_) | Self::Rejected(_) | Self::SourceFailed(_) => true,
            Self::Retry { sent, .. } | Self::Unknown { sent, .. } => *sent == Sent::Partly,
            Self::Accepted { .. } | Self::Complete | Self::Unconfirmed(_) | Self::Resync { .. } => false,
        }
    }
}

/// How the source of a chunk's bytes failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// It yielded an error. The caller, which made the stream, knows the error.
    #[error("reading the video failed")]
    Erred,
    /// It ended before the chunk's last byte.
    #[error("the video ended before the chunk did")]
    EndedEarly,
    /// It yielded more bytes than the chunk has.
    #[error("there was more to read than the chunk")]
    TooLong,
    /// It yielded nothing for one minute (`chunk_stall` in `functions/tiktok/src/timeouts.rs`).
    #[error("reading the video stalled")]
    Stalled,
}

impl fmt::Display for ChunkOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { .. } => f.write_str("accepted"),
            Self::Complete => f.write_str("complete"),
            Self::Resync { uploaded: Some(uploaded) } => write!(f, "TikTok reports position {uploaded}"),
            Self::Resync { uploaded: None } => f.write_str("TikTok expects another position"),
            Self::Unconfirmed(why)
            | Self::UrlRejected(why)
            | Self::Retry { why, .. }
            | Self::Unknown { why, .. }
            | Self::Rejected(why) => why.fmt(f),
            Self::SourceFailed(fault) => fault.fmt(f),
        }
    }
}
