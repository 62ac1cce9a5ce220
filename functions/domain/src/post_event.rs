//! The event that Dropcast publishes to EventBridge when a post changes.
//!
//! `events/notices` has the schema and an example of each event; `docs/events.md` tells how to use them. The notices
//! function derives an event from the two versions of the post that a write to the posts table leaves
//! (`notices/src/handler.rs`). So no code that changes a post has to publish anything. An event has only data that a
//! user may see: no upload URL, lease or token.

use jiff::Timestamp;
use serde::Serialize;

use crate::identity::{Alias, PostId, PublishId, VideoId};
use crate::macros::named_enum;
use crate::options::Mode;
use crate::post::{HoldReasonName, Outcome, Post, StateFields, StateName};
use crate::reason::Reason;
use crate::source::{ObjectVersion, Source};

/// The version of the schema. It is raised when a field is removed or changes its meaning, not when one is added.
pub const VERSION: u32 = 1;

named_enum! {
    /// The kind of change, which is EventBridge's `detail-type`.
    pub enum PostEventKind {
        /// The post is new or has another state than before.
        StateChanged = "Post State Changed",
        /// The state is the same and another field of the event changed, such as the deferral or the links.
        Updated = "Post Updated",
    }
}

/// The event, which is EventBridge's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostEvent {
    version: u32,
    stack: String,
    post_id: PostId,
    account: Alias,
    state: StateName,
    previous_state: Option<StateName>,
    /// The revision of the post. A later change has a greater one.
    sequence: u64,
    at: Timestamp,
    source: EventSource,
    dropped_at: Timestamp,
    #[serde(flatten)]
    detail: EventDetail,
    note: String,
}

/// The S3 object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EventSource {
    bucket: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// The fields that depend on the state. If any of them changes, an event is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct EventDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_reason: Option<HoldReasonName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_post: Option<PostId>,
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

/// Why a queued post is deferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct EventDeferral {
    code: Reason,
    message: String,
    not_before: Timestamp,
}

/// Why a post failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct EventFailure {
    code: Reason,
    message: String,
    advice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_id: Option<String>,
    outcome: Outcome,
}

/// A write of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The post before the write; `None` if the write created it.
    pub before: Option<Post>,
    /// The post after the write.
    pub after: Post,
    /// The revision after the write.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
}

impl Change {
    /// The event of this change; `None` if no field of the event changed, as when a lease was renewed, a chunk was
    /// sent or the status was polled.
    pub fn event(&self, stack: &str) -> Option<(PostEventKind, PostEvent)> {
        let (state, detail) = (self.after.state_name(), EventDetail::of(&self.after));
        let previous_state = self.before.as_ref().map(Post::state_name);
        let kind = if previous_state != Some(state) {
            PostEventKind::StateChanged
        } else if self.before.as_ref().map(EventDetail::of).as_ref() != Some(&detail) {
            PostEventKind::Updated
        } else {
            return None;
        };
        let event = PostEvent {
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
            note: self.after.history.last().map_or_else(String::new, |entry| entry.note.clone()),
        };
        Some((kind, event))
    }
}

impl PostEvent {
    /// When the change was made.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl EventSource {
    pub(crate) fn of(source: &Source) -> Self {
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
        let StateFields {
            hold_reason,
            earlier_post,
            publish_at,
            not_before,
            deferral,
            publish_id,
            video_ids,
            links,
            failure,
            outcome,
            // The lease and the upload are secret or internal. The others follow from the state and the event's time.
            lease: _,
            upload: _,
            receipt: _,
            sent_at: _,
            visibility: _,
            ended_at: _,
        } = post.state.fields();
        let links = links.cloned().unwrap_or_default();
        Self {
            title: post.settings.as_ref().map(|settings| settings.title.as_str().to_owned()),
            mode: post.mode(),
            hold_reason,
            earlier_post: earlier_post.cloned(),
            publish_at,
            deferral: not_before.zip(deferral).map(|(not_before, deferral)| EventDeferral {
                code: deferral.reason.clone(),
                message: deferral.message.clone(),
                not_before,
            }),
            publish_id: publish_id.cloned(),
            video_ids: video_ids.to_vec(),
            share_url: links.share_url,
            cover_url: links.cover_url,
            failure: failure.cloned().zip(outcome).map(|(failure, outcome)| EventFailure {
                code: failure.reason,
                message: failure.message,
                advice: failure.advice,
                log_id: failure.log_id,
                outcome,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
