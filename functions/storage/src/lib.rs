//! The access to AWS: one type for each table, and one for each other service.
//!
//! - DynamoDB: posts, accounts, limits, the repost guard, authorization requests and webhooks
//! - S3: videos and sidecars
//! - KMS: the key that seals tokens and upload URLs
//! - Secrets Manager: the TikTok app's credentials
//! - SQS: the intake queue, here named the wake queue, because this crate only sends wake messages to it; the
//!   dead-letter queue of `notices`
//! - EventBridge: events about posts
//!
//! Only this crate knows attribute names, key formats, condition expressions and AWS error codes. It does not
//! decide what happens to a post: its only decision is whether a write may take effect. SDK clients and the
//! current time are arguments.
//!
//! Two invariants hold in all modules:
//!
//! - Each update of a post, account, limit, guard record or authorization request is conditional on the revision that the
//!   caller read ([`Versioned`]). An unconditional update could undo another worker's, and lead to a second post.
//! - No error contains a secret: [`AwsError`] keeps neither the request nor the response.
//!
//! The modules are listed in reading order.

mod aws;
mod clients;
mod versioned;

mod attribute;
mod table;

mod accounts;
mod authorization_requests;
mod bucket_check;
mod limits;
mod posts;
mod repost_guard;
mod webhook_log;

mod objects;

mod app;
mod cipher;
mod dead_letter_queue;
mod event_bus;
mod wake_queue;

#[cfg(test)]
mod scripted_aws;

pub use accounts::Accounts;
pub use app::{AppCredentials, AppSecret, AppSecretError};
pub use authorization_requests::AuthorizationRequests;
pub use aws::AwsError;
pub use bucket_check::BucketChecks;
pub use cipher::{CipherError, EncryptionContext, KmsCipher, Purpose};
pub use clients::{Clients, Lazy};
pub use dead_letter_queue::DeadLetterQueue;
pub use event_bus::{EventBus, EventEntry, PutEventsError};
pub use limits::{Counter, LimitKey, Limits, StoredCounter};
pub use objects::{
    BrokeOff, ByteRange, ChunkBody, LatestVersion, ListedVersion, MAX_SIDECAR, MAX_SMALL_READ, MAX_WINDOW, MIN_WINDOW,
    ObjectError, ObjectMeta, Objects, PresignTarget, ReadAhead, Recency, UploadedPart, VersionPage, Window,
    WindowError,
};
pub use posts::{Created, DuePage, Listed, OpenPage, PageKey, Posts, QueueEntry, Shard, change_of};
pub use repost_guard::{GuardKey, RepostGuard, StoredGuard};
pub use table::{RecordError, SaveError, StoreError};
pub use versioned::{Revision, Versioned};
pub use wake_queue::WakeQueue;
pub use webhook_log::{WebhookLog, WebhookRecord};
