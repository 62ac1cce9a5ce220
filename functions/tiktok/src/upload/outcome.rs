//! What became of a chunk.

use std::fmt;
use std::time::Duration;

use domain::failure::Failure;

/// What became of a chunk that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkOutcome {
    /// TikTok has it: the next chunk follows.
    Accepted {
        /// How much TikTok says to have, in bytes or as the last byte's index;
        /// [`domain::chunk::ChunkPlan::boundary_of`] reads it.
        uploaded: Option<u64>,
    },
    /// TikTok has every byte, and begins to publish.
    Complete,
    /// TikTok stands elsewhere: ask where, go on there.
    Resync {
        /// How much TikTok says to have, as in `Accepted`.
        uploaded: Option<u64>,
    },
    /// The URL takes nothing more. Ask how the publish stands before another
    /// init: an earlier answer may have been lost.
    UrlRejected(Failure),
    /// The same chunk again. It was not taken; or if it was, sending it again to
    /// this URL can publish nothing twice.
    Retry {
        /// The least wait.
        after: Duration,
        /// What happened.
        why: Failure,
    },
    /// It may have been taken: ask before sending it again.
    Unknown {
        /// What happened.
        why: Failure,
    },
    /// The bytes ran out, ran over or failed, so the request was broken off:
    /// TikTok has less than the chunk.
    SourceFailed(SourceFault),
    /// The request itself was wrong, or its URL is on a host that no video may be
    /// sent to: it would be so again.
    Rejected(Failure),
}

/// How a chunk's source failed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// It gave an error; whoever made the stream knows which.
    #[error("reading the video failed")]
    Erred,
    /// It ended before the chunk did.
    #[error("the video ended before the chunk did")]
    EndedEarly,
    /// It gave more than the chunk.
    #[error("there was more to read than the chunk")]
    TooLong,
    /// It gave nothing for a minute.
    #[error("reading the video stalled")]
    Stalled,
}

impl fmt::Display for ChunkOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { .. } => f.write_str("accepted"),
            Self::Complete => f.write_str("complete"),
            Self::Resync { uploaded: Some(uploaded) } => write!(f, "TikTok stands at {uploaded}"),
            Self::Resync { uploaded: None } => f.write_str("TikTok stands elsewhere"),
            Self::UrlRejected(why) | Self::Retry { why, .. } | Self::Unknown { why } | Self::Rejected(why) => {
                why.fmt(f)
            }
            Self::SourceFailed(fault) => fault.fmt(f),
        }
    }
}
