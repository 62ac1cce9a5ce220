//! The result of sending a chunk. `functions/posting/src/upload` acts on each variant.

use std::fmt;
use std::time::Duration;

use domain::failure::Failure;

/// The result of sending a chunk.
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
    /// TikTok expects another position in the video. Ask TikTok for its position and continue there.
    Resync {
        /// How much TikTok says it has, as in `Accepted`.
        uploaded: Option<u64>,
    },
    /// TikTok did not take the chunk and takes no more bytes at this URL. Ask TikTok for the publish's status before
    /// another init: a chunk may have been accepted without a response.
    UrlRejected(Failure),
    /// Send the same chunk again. Either TikTok did not take it, or it did, and sending it again to this URL cannot
    /// publish the video twice.
    Retry {
        /// The minimum wait.
        after: Duration,
        /// What happened.
        why: Failure,
    },
    /// TikTok may or may not have the chunk. Ask TikTok before the chunk is sent again.
    Unknown {
        /// What happened.
        why: Failure,
    },
    /// The source of the bytes failed, so the request was aborted. TikTok has less than the chunk.
    SourceFailed(SourceFault),
    /// TikTok did not take the chunk because the request is wrong, or the URL's host is not allowed and nothing was
    /// sent. A retry would fail in the same way.
    Rejected(Failure),
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
    /// It yielded nothing for one minute.
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
            Self::UrlRejected(why) | Self::Retry { why, .. } | Self::Unknown { why } | Self::Rejected(why) => {
                why.fmt(f)
            }
            Self::SourceFailed(fault) => fault.fmt(f),
        }
    }
}
