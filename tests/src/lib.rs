//! What the scenarios and the demo share: a way into the local cloud, people to
//! play with, films to drop, and questions to what came of them.
//!
//! It stands outside of the stack, as a user does: it drops files, waits, and
//! reads the posts, the accounts and TikTok's ledger. It reaches into no function,
//! and knows only what `cloud.json` says of where things are.
//!
//! In reading order: [`Cloud`] (where everything is), [`Creator`] (who posts),
//! [`Footage`] (what is posted), [`Dropped`] (what became a post), and then the
//! two that judge: `watch` (what the post says) and [`Counter`] (what TikTok says).
//! Where the functions' own clock is in a story's way, `staff` has workers with
//! another one, and [`Hiccup`] a table that fails; [`Secrets`] looks for what
//! nobody may see, and [`emf`] for what is counted.

mod cloud;

mod creator;
mod footage;

mod dropped;

mod apart;

mod book;
mod hiccup;
mod pulse;
mod staff;
mod watch;

pub mod emf;
mod secrets;

pub use apart::{Apart, App};
pub use book::Counter;
pub use cloud::{Cloud, Contract, Outputs};
pub use creator::{Casting, Creator};
pub use dropped::{Dropped, Put};
pub use footage::Footage;
pub use hiccup::{Hiccup, Writes};
pub use pulse::Pulse;
pub use secrets::Secrets;
pub use staff::{apart, worker};
pub use watch::{PATIENCE, Patience};
