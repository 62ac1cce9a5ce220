//! TikTok, played on one machine: strict, with a ledger and faults on demand.
//!
//! A server that enforces every documented rule of the Content Posting API, of
//! Login Kit and of webhooks, moves posts through their lives, writes down what
//! it received and what it published, and causes trouble when it is told to.
//! Where TikTok's behaviour is unknown it can be set either way ([`Settings`]).
//!
//! It was written from TikTok's documents, not from a client, and shares no code
//! with one. Invariants that its users rely on: a chunk's bytes are never held,
//! whatever its size; no secret is logged; nothing is published but through the
//! one function that writes it into the ledger.
//!
//! Reading order: [`Settings`] and [`Fault`] for what can be asked of it, then
//! `endpoint`, `api`, `init`, `upload` and `post` for what TikTok does, `trouble`
//! and `wire` for what goes wrong, [`Control`] for how a test talks to it.

mod settings;

mod config;

mod clock;
mod ids;

mod call;
mod endpoint;
mod envelope;

mod users;

mod consent;
mod oauth;
mod redirect;
mod tokens;

mod container;
mod creator;
mod init;
mod limits;
mod plan;
mod post;
mod status;
mod upload;
mod videos;
mod webhooks;

mod ledger;
mod stage;
mod world;

mod api;
mod faults;
mod server;
mod trouble;
mod wire;

mod control;

pub use config::Config;
pub use container::Container;
pub use control::client::{Control, ControlError};
pub use control::orders::{Clock, DraftPost, OrderError};
pub use endpoint::Endpoint;
pub use envelope::Rule;
pub use faults::{Effect, Ending, Fault, InjectedFault, Moment, Trouble, WrongShape};
pub use ids::{OpenId, PublishId};
pub use init::{PostInfo, SourceInfo};
pub use ledger::{ChunkOutcome, ChunkReceived, Entry, Event, Ledger, Publication, Violation};
pub use post::{FailReason, Flow};
pub use server::{Error, Simulator};
pub use settings::{
    Audit, BodyCheck, BrandToggle, Consulted, ContentRangeCounts, ExpiredUpload, LoopbackRedirects, NoneUploaded, Open,
    PostIds, RefreshRotation, RefreshWindow, RepeatedRange, Settings, StatusShape, UploadedBytes, WebhookOrder,
    WebhookSignature, WebhookSpelling,
};
pub use tokens::{Scope, TokenKind, TokenPair};
pub use users::{PrivacyLevel, Standing, User, Visibility, Webhooks};
pub use webhooks::Delivery;
