//! What the judge writes down: every call, every breach of a rule, everything
//! that was published, and the account of each publish.
//!
//! Plain data, which travels over the control interface unchanged. It holds no
//! secret: neither tokens nor upload URLs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::endpoint::Endpoint;
use crate::envelope::Rule;
use crate::ids::{OpenId, PublishId};
use crate::init::{PostInfo, SourceInfo};
use crate::post::{FailReason, Flow};
use crate::users::PrivacyLevel;

/// One call that was received, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the log, from 1, without gaps.
    pub seq: u64,
    /// When the call ended, by the simulator's clock.
    pub time: Timestamp,
    /// What was called.
    pub endpoint: Endpoint,
    /// The HTTP method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// Whose token or upload it was, as far as that is known.
    pub user: Option<OpenId>,
    /// Which publish it concerned, as far as that is known.
    pub publish_id: Option<PublishId>,
    /// The HTTP status that was sent; none if no answer was.
    pub http_status: Option<u16>,
    /// `ok`, TikTok's error code, or a word about an upload's outcome.
    pub code: String,
    /// The fault that was injected into this call, by its kind.
    pub fault: Option<String>,
}

/// A documented rule that the client broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When it happened, by the simulator's clock.
    pub time: Timestamp,
    /// Where.
    pub endpoint: Endpoint,
    /// Which family of rules.
    pub rule: Rule,
    /// Whose token or upload it was, as far as that is known.
    pub user: Option<OpenId>,
    /// Which publish it concerned, as far as that is known.
    pub publish_id: Option<PublishId>,
    /// What was wrong, as a sentence.
    pub sentence: String,
}

/// A video that became visible to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// When, by the simulator's clock.
    pub time: Timestamp,
    /// Whose video it is.
    pub user: OpenId,
    /// The publish that it came from.
    pub publish_id: PublishId,
    /// TikTok's id of the video.
    pub post_id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The caption.
    pub title: String,
    /// Who may see it.
    pub privacy_level: PrivacyLevel,
    /// The way it was posted.
    pub flow: Flow,
}

/// How a chunk's transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkOutcome {
    /// Its bytes are part of the file.
    Accepted,
    /// It had been accepted before; these bytes were looked at and dropped.
    Repeated,
    /// The connection ended before its last byte; nothing was kept.
    Aborted,
    /// It arrived whole and was dropped, because of a fault or an expired URL.
    Dropped,
}

/// One transfer of one chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkReceived {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, as announced.
    pub last: u64,
    /// Bytes that arrived.
    pub bytes: u64,
    /// SHA-256 of the bytes that arrived, in hex.
    pub sha256: String,
    /// When the transfer ended, by the simulator's clock.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: ChunkOutcome,
}

/// The account of one publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The publish.
    pub publish_id: PublishId,
    /// Whose it is.
    pub user: OpenId,
    /// Direct post or draft.
    pub flow: Flow,
    /// What the init asked for; none for drafts.
    pub post_info: Option<PostInfo>,
    /// The file and its chunk plan, as the init declared them.
    pub source_info: SourceInfo,
    /// When the init was answered.
    pub created_at: Timestamp,
    /// When the upload URL expires.
    pub upload_expires_at: Timestamp,
    /// What `status/fetch` says at this moment.
    pub status: String,
    /// Why it failed, if it did.
    pub fail_reason: Option<FailReason>,
    /// Every transfer, in the order in which they ended.
    pub chunks: Vec<ChunkReceived>,
    /// Bytes accepted so far.
    pub bytes_received: u64,
    /// Bytes of the chunk that is arriving at this moment.
    pub bytes_in_flight: u64,
    /// SHA-256 of the whole file in hex, once it is whole.
    pub sha256: Option<String>,
    /// The `Content-Type` of its chunks, once one was sent.
    pub content_type: Option<String>,
    /// What the bytes turned out to be.
    pub container: Option<Container>,
    /// How long the video plays in milliseconds, where its header says so.
    pub duration_ms: Option<u64>,
    /// How often it was published; more than once is possible for drafts alone.
    pub times_published: usize,
    /// Ids of the videos that came of it.
    pub post_ids: Vec<String>,
    /// The rules that were broken on the way.
    pub violations: Vec<Violation>,
}

/// Everything written down so far, but for the log of calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The account of each publish, oldest first.
    pub publishes: Vec<Entry>,
    /// Everything published, in order.
    pub publications: Vec<Publication>,
    /// Every rule broken, in order.
    pub violations: Vec<Violation>,
}

impl Ledger {
    /// Counts how often a file, named by its SHA-256 in hex, was published.
    #[must_use]
    pub fn times_published(&self, sha256: &str) -> usize {
        let same = |publication: &&Publication| publication.sha256 == sha256;
        self.publications.iter().filter(same).count()
    }

    /// Finds the account of a publish.
    #[must_use]
    pub fn publish(&self, id: &PublishId) -> Option<&Entry> {
        self.publishes.iter().find(|entry| entry.publish_id == *id)
    }
}
