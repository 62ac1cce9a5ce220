//! What others are detail when a post changes: the events that people hang mail,
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
pub enum PostEventKind {
    /// The post is in another state than before, or new.
    StateChanged,
    /// It is in the same state, and something else that is detail has changed: what
    /// it waits for, its links.
    Updated,
}

impl PostEventKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateChanged => "Post State Changed",
            Self::Updated => "Post Updated",
        }
    }
}

/// What others are detail of a post: EventBridge's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostEvent {
    version: u32,
    stack: String,
    post_id: PostId,
    account: Alias,
    state: StateName,
    previous_state: Option<StateName>,
    /// Grows with each write of the post: later changes have greater ones.
    sequence: u64,
    at: Timestamp,
    source: EventSource,
    dropped_at: Timestamp,
    #[serde(flatten)]
    detail: EventDetail,
    note: String,
}

/// Where the video is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct EventSource {
    bucket: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// What is detail in one state or another. Where any of it changes, others are detail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct EventDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_reason: Option<HoldReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deferral: Option<EventDeferral>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_id: Option<PublishId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    video_ids: Vec<VideoId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cover_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<EventFailure>,
}

/// What a queued post waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct EventDeferral {
    code: String,
    message: String,
    not_before: Timestamp,
}

/// Why a post failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct EventFailure {
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
    /// What others are detail of the change; nothing, where it concerns nobody: a
    /// lease was renewed, a chunk was sent, TikTok was asked.
    #[must_use]
    pub fn notice(&self, stack: &str) -> Option<(PostEventKind, PostEvent)> {
        let (state, detail) = (self.after.state_name(), EventDetail::of(&self.after));
        let previous_state = self.before.as_ref().map(Post::state_name);
        let kind = if previous_state != Some(state) {
            PostEventKind::StateChanged
        } else if self.before.as_ref().map(EventDetail::of).as_ref() != Some(&detail) {
            PostEventKind::Updated
        } else {
            return None;
        };
        let notice = PostEvent {
            version: VERSION,
            stack: stack.to_owned(),
            post_id: self.after.id.clone(),
            account: self.after.account.clone(),
            state,
            previous_state,
            sequence: self.sequence,
            at: self.at,
            source: EventSource::of(&self.after.source),
            dropped_at: self.after.dropped_at,
            detail,
            note: self.after.history.last().map_or_else(String::new, |line| line.note.clone()),
        };
        Some((kind, notice))
    }
}

impl PostEvent {
    /// When the change was made.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl EventSource {
    fn of(source: &Source) -> Self {
        let (version_id, etag) = match source.version.clone() {
            ObjectVersion::Id(id) => (Some(id), None),
            ObjectVersion::ETag(etag) => (None, Some(etag)),
            ObjectVersion::Awaited => (None, None),
        };
        Self { bucket: source.bucket.clone(), key: source.key.clone(), version_id, etag }
    }
}

impl EventDetail {
    fn of(post: &Post) -> Self {
        let detail = Self {
            title: post.settings.as_ref().map(|settings| settings.title.as_str().to_owned()),
            mode: post.mode(),
            publish_id: post.publish_id().cloned(),
            ..Self::default()
        };
        match post.state.clone() {
            PostState::Held { reason } => Self { hold_reason: Some(reason), ..detail },
            PostState::Scheduled { publish_at } => Self { publish_at: Some(publish_at), ..detail },
            PostState::Queued { not_before, deferral, .. } => {
                let wait = |Deferral { code, message, .. }| EventDeferral { code, message, not_before };
                Self { deferral: deferral.map(wait), ..detail }
            }
            PostState::Published { video_ids, links: Links { share_url, cover_url }, .. } => {
                Self { video_ids, share_url, cover_url, ..detail }
            }
            PostState::Failed { failure: Failure { code, message, log_id, advice }, outcome, .. } => {
                Self { failure: Some(EventFailure { code, message, advice, log_id, outcome }), ..detail }
            }
            PostState::Uploading { .. }
            | PostState::Processing { .. }
            | PostState::Delivered { .. }
            | PostState::Cancelled { .. } => detail,
        }
    }
}

#[cfg(test)]
mod tests;
