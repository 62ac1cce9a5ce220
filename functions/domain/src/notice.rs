//! What others are told when a post changes: the events that people hang mail,
//! chat and programs on. `events/notices` has their schema and an example each.
//!
//! A notice is derived from what a write changed, so that nobody can forget to
//! send one. It is made of facts that a user may see; upload URLs, leases and
//! tokens are not among them, and it has no field that could hold one.

use jiff::Timestamp;
use serde::Serialize;

use crate::failure::{Deferral, Failure};
use crate::identity::{Alias, PostId, PublishId, VideoId};
use crate::options::Mode;
use crate::post::{HoldReason, Outcome, Post, PostState, StateName};
use crate::report::Links;
use crate::source::{ObjectVersion, Source};

/// The version of the schema. What is added leaves it; what is taken away, or means
/// something else, raises it.
pub const VERSION: u32 = 1;

/// Which kind of change a notice is about: EventBridge's `detail-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The post is in another state than before, or new.
    StateChanged,
    /// It is in the same state, and something else that is told has changed: what
    /// it waits for, its links.
    Updated,
}

impl NoticeKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateChanged => "Post State Changed",
            Self::Updated => "Post Updated",
        }
    }
}

/// What others are told of a post: EventBridge's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    version: u32,
    stack: String,
    post_id: PostId,
    account: Alias,
    state: StateName,
    previous_state: Option<StateName>,
    /// Grows with each write of the post: later changes have greater ones.
    sequence: u64,
    at: Timestamp,
    object: Object,
    dropped_at: Timestamp,
    #[serde(flatten)]
    told: Told,
    note: String,
}

/// Where the video is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Object {
    bucket: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// What is told in one state or another. Where any of it changes, others are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_reason: Option<HoldReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deferral: Option<Wait>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_id: Option<PublishId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    video_ids: Vec<VideoId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cover_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Reason>,
}

/// What a queued post waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Wait {
    code: String,
    message: String,
    until: Timestamp,
}

/// Why a post failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Reason {
    code: String,
    message: String,
    advice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_id: Option<String>,
    outcome: Outcome,
}

/// What a write did to a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The post before it; none, where the write created it.
    pub before: Option<Post>,
    /// The post from then on.
    pub after: Post,
    /// How often it has been written.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
}

impl Change {
    /// What others are told of the change; nothing, where it concerns nobody: a
    /// lease was renewed, a chunk was sent, TikTok was asked.
    #[must_use]
    pub fn notice(&self, stack: &str) -> Option<(NoticeKind, Notice)> {
        let (state, told) = (self.after.state_name(), Told::of(&self.after));
        let previous_state = self.before.as_ref().map(Post::state_name);
        let kind = if previous_state != Some(state) {
            NoticeKind::StateChanged
        } else if self.before.as_ref().map(Told::of).as_ref() != Some(&told) {
            NoticeKind::Updated
        } else {
            return None;
        };
        let notice = Notice {
            version: VERSION,
            stack: stack.to_owned(),
            post_id: self.after.id.clone(),
            account: self.after.account.clone(),
            state,
            previous_state,
            sequence: self.sequence,
            at: self.at,
            object: Object::of(&self.after.source),
            dropped_at: self.after.dropped_at,
            told,
            note: self.after.history.last().map_or_else(String::new, |line| line.note.clone()),
        };
        Some((kind, notice))
    }
}

impl Notice {
    /// When the change was made.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl Object {
    fn of(source: &Source) -> Self {
        let (version_id, etag) = match source.version.clone() {
            ObjectVersion::Id(id) => (Some(id), None),
            ObjectVersion::ETag(etag) => (None, Some(etag)),
            ObjectVersion::Awaited => (None, None),
        };
        Self { bucket: source.bucket.clone(), key: source.key.clone(), version_id, etag }
    }
}

impl Told {
    fn of(post: &Post) -> Self {
        let told = Self {
            title: post.settings.as_ref().map(|settings| settings.title.as_str().to_owned()),
            mode: post.mode(),
            publish_id: post.publish_id().cloned(),
            ..Self::default()
        };
        match post.state.clone() {
            PostState::Held { reason } => Self { hold_reason: Some(reason), ..told },
            PostState::Scheduled { publish_at } => Self { publish_at: Some(publish_at), ..told },
            PostState::Queued { not_before, deferral, .. } => {
                let wait = |Deferral { code, message, .. }| Wait { code, message, until: not_before };
                Self { deferral: deferral.map(wait), ..told }
            }
            PostState::Published { video_ids, links: Links { share_url, cover_url }, .. } => {
                Self { video_ids, share_url, cover_url, ..told }
            }
            PostState::Failed { failure: Failure { code, message, log_id, advice }, outcome, .. } => {
                Self { failure: Some(Reason { code, message, advice, log_id, outcome }), ..told }
            }
            PostState::Uploading { .. }
            | PostState::Processing { .. }
            | PostState::Delivered { .. }
            | PostState::Cancelled { .. } => told,
        }
    }
}

#[cfg(test)]
mod tests;
