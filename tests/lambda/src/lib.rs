//! Lambda, played: a function's real process behind the Runtime API, one
//! invocation at a time. Nothing in the process knows it.
//!
//! It knows the Runtime API and processes; not what the functions are for, and
//! not what the time is: the end of an invocation is handed in.

mod function;
mod runtime_api;

pub use function::{Environment, Function};
pub use runtime_api::RuntimeApi;
