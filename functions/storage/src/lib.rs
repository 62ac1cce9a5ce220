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
//! was read ([`Kept`]). And no error shows a secret: what AWS said is kept as
//! [`AwsError`], which has no request and no answer in it.
//!
//! In reading order:

mod aws;
mod clients;
mod kept;

mod attribute;
mod table;

mod accounts;
mod budgets;
mod consents;
mod inbox;
mod posts;

mod objects;

mod app;
mod bell;
mod event_bus;
mod vault;

#[cfg(test)]
mod scripted_server;

pub use accounts::Accounts;
pub use app::{AppCredentials, AppSecret, AppSecretError};
pub use aws::AwsError;
pub use bell::{Bell, BellError};
pub use budgets::{Book, BookKey, Budgets, Opened};
pub use clients::{Clients, Later};
pub use consents::Consents;
pub use event_bus::{EventBus, Telling, Untold};
pub use inbox::{Inbox, Letter};
pub use kept::{Kept, Revision};
pub use objects::{
    BrokeOff, ByteRange, ChunkBody, Current, Described, MAX_SIDECAR, MAX_SMALL_READ, MAX_WINDOW, MIN_WINDOW,
    ObjectError, Objects, ReadAhead, Slot, UploadedPart, Window, WindowError,
};
pub use posts::{Created, Cursor, DuePage, InLine, Listed, OpenPage, Posts, Shard, change_of};
pub use table::{RecordError, SaveError, StoreError};
pub use vault::{Purpose, SealContext, Vault, VaultError};
