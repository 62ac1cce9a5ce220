//! The test harness: everything that the scenarios, the fault-injection campaigns, the benchmarks and the demo share.
//!
//! - [`aws`] is an in-memory fake of AWS and [`lambda`] a fake of Lambda, for tests
//!   without a local cloud.
//! - [`cloud`] is a client of the local cloud: the stack that `infra/local` deploys on
//!   MiniStack. It acts as a user does: it puts objects, waits, and reads posts, accounts
//!   and the ledger of the simulated TikTok. Only `in_process` and `isolated_env` in it
//!   call the functions' use cases directly.
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

#[cfg(test)]
mod guarantees;
