//! A post as an item: flat, with one named attribute per fact, so that a person can read it in the console.
//!
//! The data that only some states have is in [`StateRecord`], in the same item. These attributes are not needed to
//! restore a post: `title` is for people, `updated_at` is for people and for the events that `change.rs` makes, and
//! `kind`, `due_shard`, `account_queue` and `queue_*` are for the indexes.

use domain::identity::{Alias, PostId};
use domain::options::{Mode, PostOptions};
use domain::post::{Approval, HistoryEntry, Post, PostFacts, Repost, StateName};
use domain::request::RequestDigest;
use domain::settings::Settings;
use domain::source::{ObjectVersion, Source};
use domain::trace::TraceId;
use domain::video::VideoFacts;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::Shard;
use super::state_record::StateRecord;
use crate::attribute::{self, Millis};
use crate::table::{Item, Record, RecordError};

/// The table's key.
pub(super) const KEY: &str = "id";
/// The partition key of the index `due`.
pub(super) const DUE_SHARD: &str = "due_shard";
/// The sort key of the index `due`.
pub(super) const DUE_AT: &str = "due_at";

/// The partition key of the index `account`.
pub(super) const ACCOUNT: &str = "account";
/// The sort key of the indexes `account` and `time`.
pub(super) const CREATED_AT: &str = "created_at";
/// The state's name.
pub(super) const STATE: &str = "state";
/// The partition key of the index `time`. All posts have the same value, [`POST`].
pub(super) const KIND: &str = "kind";
/// The value of [`KIND`].
pub(super) const POST: &str = "post";

/// The partition key of the index `account_queue`.
pub(super) const ACCOUNT_QUEUE: &str = "account_queue";
/// The sort key of the index `account_queue`.
pub(super) const DROPPED_AT: &str = "dropped_at";

/// The attributes that do not depend on the state. A new attribute must be optional or have a default, because existing
/// items lack it.
#[derive(Debug, Serialize, Deserialize)]
struct FactsRecord {
    id: PostId,
    kind: String,
    #[serde(deserialize_with = "any_alias")]
    account: Alias,
    state: StateName,
    title: Option<String>,
    bytes: Option<u64>,
    bucket: String,
    key: String,
    version_id: Option<String>,
    etag: Option<String>,
    created_at: Millis,
    dropped_at: Millis,
    account_queue: Option<String>,
    queue_mode: Option<Mode>,
    queue_not_before: Option<Millis>,
    updated_at: Timestamp,
    due_shard: Option<Shard>,
    due_at: Option<Millis>,
    attempt: u32,
    inits: u32,
    publish_failures: u32,
    denied_since: Option<Timestamp>,
    approval: Approval,
    repost: Option<Repost>,
    retries: Option<u32>,
    request: Option<PostOptions>,
    trace: Option<TraceId>,
    request_digest: Option<RequestDigest>,
    multipart_upload_id: Option<String>,
    settings: Option<Settings>,
    video: Option<VideoFacts>,
    history: Vec<HistoryEntry>,
}

/// Reads an alias without a check: the folder of a failed post can have any name ([`Alias::of_folder`]).
fn any_alias<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Alias, D::Error> {
    String::deserialize(deserializer).map(|text| Alias::of_folder(&text))
}

/// Converts a post to the attributes of its item. `now` is the time of the write.
pub(super) fn item_of(post: &Post, now: Timestamp) -> Result<Item, RecordError> {
    let mut item = attribute::item_of(&FactsRecord::of(post, now))?;
    item.extend(attribute::item_of(&StateRecord::of(&post.state))?);
    Ok(item)
}

impl Record for Post {
    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        let facts: FactsRecord = attribute::record_of(item)?;
        let state: StateRecord = attribute::record_of(item)?;
        facts.restore(state)
    }
}

/// Reads the id of a post from an index entry; none if it is invalid.
pub(super) fn id_of(item: &Item) -> Option<PostId> {
    PostId::new(attribute::text(item, KEY)).ok()
}

/// Reads the time at which an item was written.
pub(super) fn written_at(item: &Item) -> Result<Timestamp, RecordError> {
    attribute::record_of(item).map(|facts: FactsRecord| facts.updated_at)
}

impl FactsRecord {
    fn of(post: &Post, now: Timestamp) -> Self {
        let (version_id, etag) = match &post.source.version {
            ObjectVersion::Awaited => (None, None),
            ObjectVersion::Id(id) => (Some(id.clone()), None),
            ObjectVersion::ETag(etag) => (None, Some(etag.clone())),
        };
        let in_queue = Some(post).filter(|post| post.is_in_account_queue());
        let resolved_title = post.settings.as_ref().map(|settings| settings.title.as_str());
        Self {
            id: post.id.clone(),
            kind: POST.to_owned(),
            account: post.account.clone(),
            state: post.state_name(),
            title: resolved_title.or(post.request.title.as_deref()).map(str::to_owned),
            bytes: post.bytes,
            bucket: post.source.bucket.clone(),
            key: post.source.key.clone(),
            version_id,
            etag,
            created_at: Millis::floor(post.created_at),
            dropped_at: Millis::floor(post.dropped_at),
            account_queue: in_queue.map(|post| post.account.to_string()),
            queue_mode: in_queue.and_then(Post::mode),
            queue_not_before: in_queue.and_then(Post::queue_not_before).map(Millis::ceil),
            updated_at: now,
            due_shard: post.due_at.map(|_| Shard::of(&post.id)),
            due_at: post.due_at.map(Millis::ceil),
            attempt: post.attempt,
            inits: post.inits,
            publish_failures: post.publish_failures,
            denied_since: post.denied_since,
            approval: post.approval,
            repost: Some(post.repost).filter(|repost| *repost != Repost::Guarded),
            retries: Some(post.retries).filter(|retries| *retries > 0),
            trace: post.trace.clone(),
            request: (post.request != PostOptions::default()).then(|| post.request.clone()),
            request_digest: post.request_digest.clone(),
            multipart_upload_id: post.multipart_upload_id.clone(),
            settings: post.settings.clone(),
            video: post.video.clone(),
            history: post.history.clone(),
        }
    }

    fn restore(self, state: StateRecord) -> Result<Post, RecordError> {
        let version = match (self.version_id, self.etag) {
            (Some(id), _) => ObjectVersion::Id(id),
            (None, Some(etag)) => ObjectVersion::ETag(etag),
            (None, None) => ObjectVersion::Awaited,
        };
        Ok(Post::restore(PostFacts {
            id: self.id,
            account: self.account,
            source: Source { bucket: self.bucket, key: self.key, version },
            bytes: self.bytes,
            created_at: self.created_at.timestamp(CREATED_AT)?,
            dropped_at: self.dropped_at.timestamp(DROPPED_AT)?,
            request: self.request.unwrap_or_default(),
            trace: self.trace,
            request_digest: self.request_digest,
            multipart_upload_id: self.multipart_upload_id,
            approval: self.approval,
            repost: self.repost.unwrap_or(Repost::Guarded),
            retries: self.retries.unwrap_or_default(),
            settings: self.settings,
            video: self.video,
            attempt: self.attempt,
            inits: self.inits,
            publish_failures: self.publish_failures,
            denied_since: self.denied_since,
            due_at: self.due_at.map(|at| at.timestamp(DUE_AT)).transpose()?,
            history: self.history,
            state: state.restore(self.state)?,
        }))
    }
}
