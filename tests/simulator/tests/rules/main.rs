//! Tests of TikTok's rules: they send hand-made HTTP requests to a running simulator.
//!
//! There is one module per group of rules. No client of this project is used, so that a mistake in a client cannot hide
//! a mistake in the simulator.

#![expect(clippy::unwrap_used, reason = "a test fails at the unwrap")]

mod authorize;
mod client;
mod faults;
mod init;
mod limits;
mod oauth;
mod profile;
mod program;
mod publish_states;
mod upload;
mod webhooks;
