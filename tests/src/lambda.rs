//! A fake of Lambda: it runs a function's unchanged binary behind a fake of the Runtime API, one invocation at a time.
//!
//! It does not know what a function does, and the caller passes the deadline of each invocation.

mod function;
mod runtime_api;

pub use function::{Environment, Function};
pub use runtime_api::{ANY_TRACE, RuntimeApi};
