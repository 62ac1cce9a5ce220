//! A fake of Lambda: runs a function's binary behind the Runtime API, one invocation at a time. The function cannot
//! tell it from Lambda.
//!
//! It knows only the Runtime API and processes. It does not know what a function does, and it reads no clock: the
//! caller passes the deadline of an invocation.

mod function;
mod runtime_api;

pub use function::{Environment, Function};
pub use runtime_api::RuntimeApi;
