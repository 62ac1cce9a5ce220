//! The scenarios: what a user of Dropcast lives through, told against the local cloud.
//!
//! A story drops files, waits, and asks TikTok's ledger what came of them. It
//! knows no more of the functions than a user does: their table, their tags, and
//! what they say of a failure. Stories are told many at once, each with a creator
//! of its own; those that change how all of TikTok behaves are told alone, after
//! the others. When the last has ended, the whole run is judged (`aftermath`, `secrecy`, `figures`).
//!
//! `README.md` in the folder above tells how to run one and how to write one.

mod harness;

mod defaults;
mod drops;
mod options;
mod outages;
mod videos;

mod drafts;
mod events;
mod schedule;

mod creators;
mod lifetimes;
mod limits;
mod refusals;
mod rotation;
mod tokens;
mod transfers;
mod verdicts;
mod workers;

mod checkpoints;
mod streaming;

mod unaudited;
mod unknowns;

mod access;
mod api;
mod browser;
mod chromium;
mod connect;
mod issuer;
mod pages;
mod posts;
mod stack;
mod uploads;
mod web;

mod forgeries;
mod notices;
mod operating;
mod post_office;
mod seeing;
mod webhooks;

mod aftermath;
mod figures;
mod secrecy;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The slow ones first, so that nobody waits for them at the end; those that are told alone last.
    let stories = [
        limits::stories(),
        refusals::stories(),
        verdicts::stories(),
        workers::stories(),
        checkpoints::stories(),
        transfers::stories(),
        connect::stories(),
        posts::stories(),
        uploads::stories(),
        browser::stories(),
        tokens::stories(),
        lifetimes::stories(),
        creators::stories(),
        defaults::stories(),
        drafts::stories(),
        schedule::stories(),
        drops::stories(),
        options::stories(),
        videos::stories(),
        events::stories(),
        webhooks::stories(),
        forgeries::stories(),
        notices::stories(),
        api::stories(),
        seeing::stories(),
        operating::stories(),
        streaming::stories(),
        access::stories(),
        pages::stories(),
        outages::stories(),
        rotation::stories(),
        unknowns::stories(),
        unaudited::stories(),
    ];
    harness::tell(
        stories.into_iter().flatten().collect(),
        [aftermath::stories(), secrecy::stories(), figures::stories()].into_iter().flatten().collect(),
    )
}
