//! An upload under way: TikTok's ticket for it, and how far it has come.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chunk::{Chunk, ChunkPlan};
use crate::identity::PublishId;
use crate::secret::Sealed;

/// How long an upload URL lives; the whole upload must end within it.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>
pub const URL_LIFETIME: Duration = Duration::from_hours(1);
/// How long after the URL's end an unfinished publish is given up: clocks differ.
pub const URL_MARGIN: Duration = Duration::from_mins(10);

/// What an init gave, and what became of it so far.
///
/// The offset is stored after each accepted chunk and before the next leaves,
/// and [`LastChunk::MayBeSent`] before the first byte of the last chunk. So what
/// is stored bounds what can have happened. The mark does not follow the
/// offset: TikTok may name an earlier position after it has taken every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// TikTok's id of the publish.
    pub publish_id: PublishId,
    /// Where the bytes go; a secret, sealed.
    pub url: Sealed,
    /// When TikTok gave it.
    pub issued_at: Timestamp,
    /// How the video is cut.
    pub plan: ChunkPlan,
    /// How many bytes TikTok has accepted: a boundary of the plan.
    pub offset: u64,
    /// Whether the last chunk may have left.
    pub last_chunk: LastChunk,
}

/// Whether the last chunk of an upload may have left: the point of no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastChunk {
    /// It cannot have.
    NotSent,
    /// It may have; TikTok may publish.
    MayBeSent,
}

impl Upload {
    /// The next chunk to send; none where all have been accepted.
    #[must_use]
    pub fn next_chunk(&self) -> Option<Chunk> {
        self.plan.chunk_at(self.offset)
    }

    /// Tells whether TikTok may have every byte, so that it may publish.
    #[must_use]
    pub fn may_be_complete(&self) -> bool {
        self.last_chunk == LastChunk::MayBeSent
    }

    /// Tells whether bytes can still be sent: the URL lives for at least
    /// `needed` longer.
    #[must_use]
    pub fn can_send(&self, now: Timestamp, needed: Duration) -> bool {
        now + needed < self.issued_at + URL_LIFETIME
    }

    /// Tells whether the URL is dead on every clock.
    #[must_use]
    pub fn is_dead(&self, now: Timestamp) -> bool {
        now > self.issued_at + URL_LIFETIME + URL_MARGIN
    }
}
