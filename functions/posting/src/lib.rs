//! The use cases of Dropcast: each decides what happens next to a post or an account.
//!
//! This crate combines the state machine of a post (`domain`), TikTok's API (`tiktok`) and the stores (`storage`). A
//! function only translates its trigger into a call of a use case, and the result into its answer. This crate reads
//! neither the environment nor the system clock; the functions pass both in.
//!
//! A use case is a type, built from [`Dependencies`]:
//!
//! | type | what it does |
//! |---|---|
//! | [`Submit`] | stores a post for an S3 event, once |
//! | [`IgnoredObjects`] | reports dropped objects of which no post is made |
//! | [`UploadWorker`] | claims a post and sends its video to TikTok |
//! | [`CreatePost`], [`CreateUpload`] | store a post for an API request; the latter also returns upload URLs |
//! | [`Poller`] | polls TikTok about due posts, wakes a worker for them, or expires them |
//! | [`BucketCheck`] | submits objects whose S3 events are late or lost |
//! | [`Webhooks`] | applies TikTok's webhooks |
//! | [`Commands`] | approves, cancels and retries posts, and changes their options |
//! | [`Connections`] | connects and disconnects accounts |
//! | [`AccountSettings`] | changes how an account posts |
//! | [`Creators`] | asks TikTok what a creator may post now |
//! | [`Tokens`], [`Renewal`] | refresh access tokens, also of idle accounts |
//!
//! A problem ends in one of three places: on the post as a failure with advice; on the post as a deferral with the time
//! of the next attempt; or, if the post cannot be written, as an error. After an error the caller must not acknowledge
//! its event, so that the event is delivered again.

#[macro_use]
mod dependencies;
mod config;
mod invocation;
mod measure;

mod best_effort;
mod compare_and_swap;

mod exit;
mod limited_calls;
mod rate_limit;
mod tokens;

mod account_names;
mod account_queue;
mod links;
mod open_posts;
mod repost_check;
mod state_recorder;

mod create;
mod ignored_objects;
mod submit;
mod upload;

mod bucket_check;
mod commands;
mod poller;
mod webhooks;

mod account_settings;
mod connect;
mod creators;
mod renewal;

pub use account_settings::{AccountSettings, ConfigureError};
pub use bucket_check::{BucketCheck, BucketCheckConfig, BucketCheckError, BucketCheckSummary};
pub use commands::{CommandError, Commands};
pub use config::{Config, ConfigError};
pub use connect::{AuthorizationLink, ConnectConfig, ConnectError, Connected, Connections, Disconnected, Revocation};
pub use create::{CreateError, CreatePost, CreateUpload, CreatedUpload, Intake, PartTarget, UploadTarget};
pub use creators::{CreatorError, Creators};
pub use dependencies::Dependencies;
pub use ignored_objects::IgnoredObjects;
pub use invocation::{Clock, Instruments, Worker};
pub use measure::{Measurement, Meter, Metric};
pub use poller::{DueSummary, Poller};
pub use renewal::{Renewal, RenewalSummary};
pub use submit::{Submit, SubmitError, Submitted};
pub use tokens::{RefreshError, Tokens};
pub use upload::{UploadWorker, WorkOutcome};
pub use webhooks::{ReceiveError, WebhookConfig, Webhooks};
