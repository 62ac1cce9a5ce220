//! Benchmarks of the functions, each beside a baseline on the same machine.
//!
//! ```text
//!            Runtime API (in this process)
//!                   │ event, response
//!  S3 fake ──GET──▶ publish ──PUT──▶ upload host fake, or the simulator
//!                   │
//!                   └── calls ──▶ AWS fake, the simulator
//! ```
//!
//! Each box is a process. `publish` is the release binary; each post gets a new
//! process. The baseline programs copy the same bytes between the same servers and
//! alternate with `publish`. `publish` contains no code for the benchmark.
//!
//! Reading order: [`measure`] for what is measured and how, then `harness` for
//! the processes around a post, then the servers.

mod measure;

mod harness;

mod account;
mod server;

mod aws_fake;
mod call_counts;
mod pipe;
mod s3_fake;
mod slow_link;
mod test_video;
mod upload_host;

mod report;
mod serve;
mod statistics;
mod token_bucket;

mod arguments;

use std::io::Write;

use anyhow::Result;

use arguments::{Benchmark, Command, MeasureOptions};
use harness::Harness;
use measure::{calls, latency, memory, size, start, throughput};
use report::Report;

#[tokio::main]
async fn main() -> Result<()> {
    match arguments::read()? {
        Command::Aws => serve::announce(aws_fake::routes()).await,
        Command::S3 => serve::announce(s3_fake::routes()).await,
        Command::UploadHost => serve::announce(upload_host::routes()).await,
        Command::Pipe(transfer) => Ok(writeln!(std::io::stdout(), "{}", transfer.run().await?)?),
        Command::Measure(options) => run(options).await,
    }
}

async fn run(options: MeasureOptions) -> Result<()> {
    let MeasureOptions { extent, only, json, harness } = options;
    std::fs::create_dir_all(&harness.scratch)?;
    let harness = Harness::start(harness).await?;
    let mut report = Report::new(extent);
    let selected = |benchmark| only.is_empty() || only.contains(&benchmark);
    if selected(Benchmark::Start) {
        report.start = Some(start::measure(&harness, extent).await?);
    }
    if selected(Benchmark::Throughput) {
        report.throughput = Some(throughput::measure(&harness, extent).await?);
    }
    if selected(Benchmark::Latency) {
        report.latency = Some(latency::measure(&harness, extent).await?);
    }
    if selected(Benchmark::Memory) {
        report.memory = Some(memory::measure(&harness, extent).await?);
    }
    if selected(Benchmark::Calls) {
        report.calls = calls::measure(&harness).await?;
    }
    report.zip_mb = size::measure(&harness)?;
    let report = report.with_ratios();
    report.write(&json)?;
    writeln!(std::io::stdout(), "{report}\nWritten to {}", json.display())?;
    Ok(())
}
