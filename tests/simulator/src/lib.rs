//! A simulator of TikTok for tests: strict, with a ledger of what it received and published, and fault injection.
//!
//! It is an HTTP server that enforces every documented rule of the Content Posting API, Login Kit and webhooks. It
//! processes and publishes what is uploaded, records each call in a ledger, and injects the faults that a test asks for.
//! If TikTok's behaviour is not documented, a setting selects between the possible behaviours ([`Settings`]).
//!
//! It was written from TikTok's documentation and shares no code with any client. Its users rely on three invariants:
//! - It never holds a chunk in memory, whatever the chunk's size.
//! - It never logs a secret.
//! - One function, `World::publish_video`, publishes videos, and it writes each into the ledger.
//!
//! Reading order: [`Settings`] and [`Fault`] for what a test can configure; `endpoint`, `api`, `init`, `upload` and
//! `publish` for TikTok's behaviour; `fault_actions` and `connection` for the effect of faults; [`Control`] for the
//! client that a test uses.

mod settings;

mod config;

mod clock;
mod ids;

mod call;
mod endpoint;
mod envelope;

mod users;

mod authorize;
mod oauth;
mod redirect;
mod token_store;

mod container;
mod creator;
mod init;
mod plan;
mod publish;
mod rate_limiter;
mod status;
mod upload;
mod videos;
mod webhooks;

mod ledger;
mod shared;
mod world;

mod api;
mod connection;
mod fault_actions;
mod faults;
mod server;

mod control;

pub use config::Config;
pub use container::Container;
pub use control::client::{Control, ControlError};
pub use control::commands::{ClockReading, CommandError, DraftPost};
pub use endpoint::Endpoint;
pub use envelope::Rule;
pub use faults::{Effect, Ending, Fault, FaultKind, InjectedFault, Moment, WrongShape};
pub use ids::{OpenId, PublishId};
pub use init::{PostInfo, SourceInfo};
pub use ledger::{CallRecord, ChunkOutcome, ChunkTransfer, Ledger, LedgerEntry, Publication, Violation};
pub use publish::{FailReason, Flow};
pub use server::{Error, Simulator};
pub use settings::{
    Audit, BodyCheck, BrandToggle, ContentRangeCounts, ExpiredUpload, InitialUploadedBytes, LoopbackRedirects, PostIds,
    RefreshFields, RefreshRotation, RefreshWindow, RepeatedRange, Settings, SettingsRead, StatusShape, Undocumented,
    UploadedBytes, WebhookOrder, WebhookSignature, WebhookSignatures, WebhookSpelling,
};
pub use token_store::{Scope, TokenKind, TokenPair};
pub use users::{AccountStanding, PrivacyLevel, User, Visibility, WebhookDelivery};
pub use webhooks::Delivery;
