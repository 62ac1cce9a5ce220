//! The test harness: everything that the scenarios, the fault-injection campaigns, the benchmarks and the demo share.
//!
//! - [`aws`] and [`lambda`] are fakes, for tests that need no local cloud.
//! - [`cloud`] is a client of the local cloud. It acts as a user does: it puts objects,
//!   waits, and reads posts, accounts and the ledger of the simulated TikTok. It knows
//!   nothing of a function's inside.
//! - [`TestVideo`] is a file to post, [`Secrets`] searches for secrets where they must
//!   not be, and [`emf`] parses the metrics in a log.

pub mod aws;
pub mod lambda;

mod test_video;

#[cfg(feature = "cloud")]
pub mod cloud;
pub mod emf;
#[cfg(feature = "cloud")]
mod secrets;

#[cfg(feature = "cloud")]
pub use cloud::{
    App, Cloud, Contract, Creator, CreatorSetup, Dropped, IsolatedEnv, LedgerView, Outputs, Put, WORK_TIME, WriteFault,
    Writes, deferral_code, is_linked, is_published, worker,
};
#[cfg(feature = "cloud")]
pub use secrets::Secrets;
pub use test_video::TestVideo;
