//! The environment in which a function runs: clock, variables, randomness, AWS configuration, logs and metrics.
//!
//! Only this crate reads environment variables, the wall clock and the system's randomness, except for the write token
//! in `storage/src/table/write_token.rs`. The other crates take these values as arguments, so that tests can set them.
//! This crate knows nothing about posts or TikTok.

pub mod aws;
pub mod clock;
pub mod deadline;
pub mod environment;
pub mod metrics;
pub mod random;
pub mod telemetry;
