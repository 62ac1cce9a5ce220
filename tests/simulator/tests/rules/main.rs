//! TikTok's rules, put to a running simulator over plain HTTP.
//!
//! One module a family of rules. Nothing here uses a client of this project: the
//! judge is judged by hand-made requests alone.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod client;
mod consent;
mod faults;
mod init;
mod life;
mod limits;
mod oauth;
mod profile;
mod program;
mod upload;
mod webhooks;
