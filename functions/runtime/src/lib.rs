//! What every function needs of the world that it runs in.
//!
//! This crate knows nothing of posts or of TikTok. It is the only one that
//! reads the environment, the wall clock and the system's randomness; the others are given what they
//! need, so that they can be held to what they were given.

pub mod aws;
pub mod clock;
pub mod deadline;
pub mod environment;
pub mod metrics;
pub mod random;
pub mod telemetry;
