//! The scenarios: end-to-end tests on the local cloud.
//!
//! A scenario drops files or calls the API, waits, and reads TikTok's ledger. It knows of the functions only what a
//! user can see: tables, tags, logs and responses. Each has creators of its own, so most scenarios run concurrently.
//! Those that change settings for everyone run exclusively, after the others. At the end, [`postconditions`] checks the
//! whole run.
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
mod tokens;
mod transfers;
mod workers;

mod access;
mod accounts;
mod posts;
mod uploads;
mod webhooks;

mod observability;
mod operations;

mod postconditions;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The slowest modules first, so that they do not delay the end. Exclusive scenarios last.
    let scenarios = [
        limits::scenarios(),
        outcomes::refusals::scenarios(),
        outcomes::scenarios(),
        workers::scenarios(),
        transfers::checkpoints::scenarios(),
        transfers::scenarios(),
        accounts::scenarios(),
        posts::scenarios(),
        uploads::scenarios(),
        accounts::browser::scenarios(),
        tokens::scenarios(),
        tokens::lifetimes::scenarios(),
        limits::creators::scenarios(),
        options::defaults::scenarios(),
        drops::drafts::scenarios(),
        schedule::scenarios(),
        drops::scenarios(),
        options::scenarios(),
        drops::videos::scenarios(),
        drops::events::scenarios(),
        webhooks::scenarios(),
        webhooks::auth::scenarios(),
        observability::notices::scenarios(),
        posts::api::scenarios(),
        observability::scenarios(),
        operations::scenarios(),
        // Exclusive from here on.
        drops::streaming::scenarios(),
        access::scenarios(),
        posts::pages::scenarios(),
        workers::outages::scenarios(),
        tokens::rotation::scenarios(),
        transfers::unknowns::scenarios(),
        limits::unaudited::scenarios(),
    ];
    let postconditions = [
        postconditions::scenarios(),
        postconditions::secret_leaks::scenarios(),
        postconditions::metric_schema::scenarios(),
    ];
    runner::run(scenarios.into_iter().flatten().collect(), postconditions.into_iter().flatten().collect())
}
