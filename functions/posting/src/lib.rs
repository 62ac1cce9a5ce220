//! The use cases: what happens next to a post.
//!
//! Three things are composed here and nowhere else: what a post is (`domain`),
//! how TikTok is spoken to (`tiktok`) and where things are kept (`storage`).
//! A function only translates its trigger in and the result out. This crate
//! reads neither the environment nor the clock; both are handed in.
//!
//! - [`submit`](Posting::submit): an event becomes a stored post, once; [`take_up`](Posting::take_up) works on it too.
//! - [`create_post`](Posting::create_post), [`create_upload`](Posting::create_upload): so does a request.
//! - [`upload`](Posting::upload): a claimed post goes to TikTok, as far as it can.
//! - [`work_due`](Posting::work_due): whatever is due is polled or sent to work.
//! - [`hear`](Posting::hear): TikTok says by itself what became of a publish.
//! - [`Connections`]: a user consents, and an account can be posted to.
//! - [`renew_idle`](Posting::renew_idle): no account is lost for want of posts.
//! - [`creator`](Posting::creator): what a creator may post at this moment.
//! - [`configure`](Posting::configure): an operator says how an account posts.
//! - [`approve`](Posting::approve), [`cancel`](Posting::cancel), [`retry`](Posting::retry),
//!   [`reword`](Posting::reword): what people ask of a post.
//!
//! Everything that can go wrong ends in one of three places: on the post, as a
//! failure that says what to do; on the post, as a time to try again; or, where
//! not even the post can be written, as an error to the caller, who must then
//! not acknowledge the event.

mod config;
mod posting;

mod configure;
mod creator;
mod submit;
mod tokens;

mod account_queue;
mod rate_limit;

mod create;
mod exit;
mod header;
mod options;
mod record_state;
mod upload;

mod commands;
mod due;
mod poll;
mod webhooks;

mod measure;

mod connect;

pub use commands::CommandError;
pub use config::{Config, ConfigError};
pub use configure::ConfigureError;
pub use connect::{Asked, ConnectConfig, ConnectError, Connected, Connections, Disconnected, Revocation};
pub use create::{CreateError, CreatedUpload, Intake, PartTarget, UploadTarget};
pub use creator::CreatorError;
pub use due::DueSummary;
pub use measure::{Measurement, Meter, Metric};
pub use posting::{Clock, Posting, Worker};
pub use submit::Submitted;
pub use tokens::{RenewalSummary, Unrefreshed};
pub use upload::Worked;
pub use webhooks::{ReceiveError, WebhookConfig};
