//! The records that the simulator keeps: every call, every violation of a rule, every publication, and one entry per
//! publish.
//!
//! A *publish* is one attempt to post a video, named by TikTok's `publish_id`. A *publication* is a video on a creator's
//! profile, public or not, that a publish led to.
//!
//! The types are plain data. The control interface sends them as JSON, so a field's name here is its name on the wire;
//! `README.md` lists them. No record contains a token or an upload URL.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::endpoint::Endpoint;
use crate::envelope::Rule;
use crate::ids::{OpenId, PublishId};
use crate::init::{PostInfo, SourceInfo};
use crate::publish::{FailReason, Flow};
use crate::users::PrivacyLevel;

/// One call that the simulator received, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Position in the log, from 1, without gaps.
    pub seq: u64,
    /// When the call ended, by the simulator's clock.
    pub time: Timestamp,
    /// The endpoint that was called.
    pub endpoint: Endpoint,
    /// The HTTP method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The owner of the token or upload, if known.
    pub user: Option<OpenId>,
    /// The publish that the call concerned, if known.
    pub publish_id: Option<PublishId>,
    /// The HTTP status that was sent, or `None` if no answer was sent.
    pub http_status: Option<u16>,
    /// `ok`, TikTok's error code, or for an upload a code such as `accepted` or `url_expired`.
    pub code: String,
    /// The kind of the fault that was injected into this call.
    pub fault: Option<String>,
}

/// A documented rule that the client broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When the rule was broken, by the simulator's clock.
    pub time: Timestamp,
    /// The endpoint that was called.
    pub endpoint: Endpoint,
    /// The group that the rule belongs to.
    pub rule: Rule,
    /// The owner of the token or upload, if known.
    pub user: Option<OpenId>,
    /// The publish that the call concerned, if known.
    pub publish_id: Option<PublishId>,
    /// What was wrong, as a sentence.
    pub message: String,
}

/// A video that was published on a profile, public or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// When it was published, by the simulator's clock.
    pub time: Timestamp,
    /// The creator.
    pub user: OpenId,
    /// The publish that led to the video.
    pub publish_id: PublishId,
    /// TikTok's id of the video.
    pub post_id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The caption.
    pub title: String,
    /// Who may see the video.
    pub privacy_level: PrivacyLevel,
    /// Direct post or draft.
    pub flow: Flow,
}

/// How a chunk's transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkOutcome {
    /// The chunk's bytes are part of the file.
    Accepted,
    /// The same range had been accepted before. The bytes were hashed and discarded.
    Repeated,
    /// The connection ended before the last byte. Nothing was kept.
    Aborted,
    /// The chunk arrived whole and was discarded, because of a fault or an expired URL.
    Discarded,
}

/// One transfer of one chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkTransfer {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, as declared in `Content-Range`.
    pub last: u64,
    /// Number of bytes that arrived.
    pub bytes: u64,
    /// SHA-256 of the bytes that arrived, in hex.
    pub sha256: String,
    /// When the transfer ended, by the simulator's clock.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: ChunkOutcome,
}

/// Everything recorded about one publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// TikTok's id of the publish.
    pub publish_id: PublishId,
    /// The creator.
    pub user: OpenId,
    /// Direct post or draft.
    pub flow: Flow,
    /// The `post_info` of the init; `None` for drafts.
    pub post_info: Option<PostInfo>,
    /// The `source_info` of the init: file size and chunk plan.
    pub source_info: SourceInfo,
    /// When the init was answered.
    pub created_at: Timestamp,
    /// When the upload URL expires.
    pub upload_expires_at: Timestamp,
    /// The status that `status/fetch` would answer now.
    pub status: String,
    /// Why the publish failed, if it did.
    pub fail_reason: Option<FailReason>,
    /// Every transfer, in the order in which they ended.
    pub chunks: Vec<ChunkTransfer>,
    /// Number of bytes accepted so far.
    pub bytes_received: u64,
    /// Number of bytes received so far of the chunk that is arriving now.
    pub bytes_in_flight: u64,
    /// SHA-256 of the file in hex, once every byte was accepted.
    pub sha256: Option<String>,
    /// The `Content-Type` of its chunks, once one was sent.
    pub content_type: Option<String>,
    /// The container format that the bytes were recognised as.
    pub container: Option<Container>,
    /// The video's duration in milliseconds, if its header states one.
    pub duration_ms: Option<u64>,
    /// Number of times it was published. Only a draft can be published more than once.
    pub times_published: usize,
    /// Ids of the videos that it led to.
    pub post_ids: Vec<String>,
    /// The rules that the client broke in calls for this publish.
    pub violations: Vec<Violation>,
}

/// Every record except the log of calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// One entry per publish, oldest first.
    pub publishes: Vec<LedgerEntry>,
    /// Every publication, in order.
    pub publications: Vec<Publication>,
    /// Every violation, in order.
    pub violations: Vec<Violation>,
}

impl Ledger {
    /// Counts the publications of a file, given its SHA-256 in hex.
    #[must_use]
    pub fn times_published(&self, sha256: &str) -> usize {
        self.publications.iter().filter(|publication| publication.sha256 == sha256).count()
    }

    /// Finds the entry of a publish.
    #[must_use]
    pub fn publish(&self, id: &PublishId) -> Option<&LedgerEntry> {
        self.publishes.iter().find(|entry| entry.publish_id == *id)
    }
}
