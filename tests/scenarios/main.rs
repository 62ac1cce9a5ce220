//! The scenarios: end-to-end tests on the local cloud.
//!
//! A scenario drops files or calls the API, waits, and reads TikTok's ledger. It knows of the functions only what a
//! user or an operator can see: tables, tags, logs and responses. Each has creators of its own, so most scenarios run
//! concurrently. Those that change settings for everyone run exclusively, after the others. At the end,
//! [`postconditions`] checks the whole run.
//!
//! `tests/README.md` says how to run and how to write a scenario.

mod runner;

mod aws_cli;
mod http;
mod recorded_events;

mod drops;
mod options;
mod schedule;

mod limits;
mod outcomes;
mod recovery;
mod tokens;
mod transfers;
mod workers;

mod access;
mod accounts;
mod posts;
mod uploaders;
mod uploads;
mod webhooks;

mod observability;
mod operations;

mod postconditions;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The slowest modules first, so that they do not delay the end.
    let scenarios = [
        limits::scenarios(),
        outcomes::scenarios(),
        recovery::scenarios(),
        workers::scenarios(),
        transfers::scenarios(),
        accounts::scenarios(),
        posts::scenarios(),
        uploaders::scenarios(),
        uploads::scenarios(),
        tokens::scenarios(),
        options::scenarios(),
        schedule::scenarios(),
        drops::scenarios(),
        webhooks::scenarios(),
        observability::scenarios(),
        operations::scenarios(),
        access::scenarios(),
    ];
    runner::run(scenarios.concat(), postconditions::scenarios())
}
