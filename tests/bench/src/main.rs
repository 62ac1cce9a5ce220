//! Measures what the functions cost, beside what could be had.
//!
//! ```text
//!            Runtime API (here)
//!                   │ event, answer
//!  store ──GET──▶ publish ──PUT──▶ drain, or the simulator
//!                   │
//!                   └── calls ──▶ AWS in memory, the simulator
//! ```
//!
//! Each box is a process. `publish` is the binary that ships, started anew for
//! each post; what it is compared with moves the same bytes between the same
//! servers, in turns with it. Nothing in it knows that it is measured.
//!
//! Measurement order: [`measure`] for what is measured and how, then `stage` for
//! what it takes, then the servers.

mod measure;

mod stage;

mod account;
mod server;

mod amazon;
mod drain;
mod film;
mod lane;
mod pipe;
mod store;

mod bucket;
mod numbers;
mod report;
mod serve;

mod arguments;

use std::io::Write;

use anyhow::Result;

use arguments::{Asked, Measuring, What};
use measure::{calls, latency, memory, size, start, throughput};
use report::Report;
use stage::Stage;

#[tokio::main]
async fn main() -> Result<()> {
    match arguments::read()? {
        Asked::Amazon => serve::announce(amazon::routes()).await,
        Asked::Store => serve::announce(store::routes()).await,
        Asked::Drain => serve::announce(drain::routes()).await,
        Asked::Pipe(job) => Ok(writeln!(std::io::stdout(), "{}", job.run().await?)?),
        Asked::Measure(measuring) => run(measuring).await,
    }
}

async fn run(asked: Measuring) -> Result<()> {
    let Measuring { extent, only, json, places } = asked;
    std::fs::create_dir_all(&places.scratch)?;
    let stage = Stage::set_up(places).await?;
    let mut report = Report::new(extent);
    let wanted = |what| only.is_empty() || only.contains(&what);
    if wanted(What::Start) {
        report.start = Some(start::measure(&stage, extent).await?);
    }
    if wanted(What::Throughput) {
        report.throughput = Some(throughput::measure(&stage, extent).await?);
    }
    if wanted(What::Latency) {
        report.latency = Some(latency::measure(&stage, extent).await?);
    }
    if wanted(What::Memory) {
        report.memory = Some(memory::measure(&stage, extent).await?);
    }
    if wanted(What::Calls) {
        report.calls = calls::measure(&stage).await?;
    }
    report.zip_mb = size::measure(&stage)?;
    let report = report.conclude();
    report.write(&json)?;
    writeln!(std::io::stdout(), "{report}\nWritten to {}", json.display())?;
    Ok(())
}
