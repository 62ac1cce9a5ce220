//! Where things are kept: posts and accounts in DynamoDB, videos in S3, tokens
//! under a KMS key, the app's credentials in Secrets Manager, the bell in SQS, and
//! EventBridge, where others are told.
//!
//! This crate alone knows the names of attributes, the formats of keys, the
//! expressions of conditions, and AWS's errors. It does not know what happens
//! next to a post; nothing in it decides more than whether a write may be made.
//! The SDK's clients are given to it, and so is the time.
//!
//! Two invariants hold throughout. A write is conditional on the revision that
//! was read ([`Versioned`]). And no error shows a secret: what AWS said is kept as
//! [`AwsError`], which has no request and no answer in it.
//!
//! In reading order:

mod aws;
mod clients;
mod versioned;

mod attribute;
mod table;

mod accounts;
mod authorization_requests;
mod limits;
mod posts;
mod webhook_log;

mod objects;

mod app;
mod cipher;
mod event_bus;
mod wake_queue;

#[cfg(test)]
mod scripted_server;

pub use accounts::Accounts;
pub use app::{AppCredentials, AppSecret, AppSecretError};
pub use authorization_requests::AuthorizationRequests;
pub use aws::AwsError;
pub use cipher::{CipherError, EncryptionContext, KmsCipher, Purpose};
pub use clients::{Clients, Lazy};
pub use event_bus::{EventBus, EventEntry, PutEventsError};
pub use limits::{Counter, LimitKey, Limits, StoredCounter};
pub use objects::{
    BrokeOff, ByteRange, ChunkBody, LatestVersion, MAX_SIDECAR, MAX_SMALL_READ, MAX_WINDOW, MIN_WINDOW, ObjectError,
    ObjectMeta, Objects, PresignTarget, ReadAhead, UploadedPart, Window, WindowError,
};
pub use posts::{Created, DuePage, Listed, OpenPage, PageKey, Posts, QueueEntry, Shard, change_of};
pub use table::{RecordError, SaveError, StoreError};
pub use versioned::{Revision, Versioned};
pub use wake_queue::{WakeError, WakeQueue};
pub use webhook_log::{WebhookLog, WebhookRecord};
