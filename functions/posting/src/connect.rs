//! Connects accounts: a user authorizes the app on TikTok's page, and then videos can be posted for the user. Also
//! reconnects an account whose authorization was lost, and disconnects one.
//!
//! ```text
//!  operator ── start ──▶ an authorization request is stored, with its state's fingerprint
//!      │                                               ▲
//!      └── link ──▶ user ──▶ TikTok's page ────────────┤ code and state
//!                                                      │
//!                    finish: the request is closed (once), the code is exchanged (once),
//!                    the grant is checked and stored, and the account's posts resume
//! ```
//!
//! The response comes through a browser, so its sender is unknown. Nothing is done before its `state` parameter is
//! found to belong to an open request. The request is closed before the code is exchanged. If anything fails after
//! that, the user must start again, and no step is repeated.

mod connections;
mod disconnect;
mod error;
mod finish;

pub use connections::{AuthorizationLink, ConnectConfig, Connections};
pub use disconnect::{Disconnected, Revocation};
pub use error::ConnectError;
pub use finish::Connected;
