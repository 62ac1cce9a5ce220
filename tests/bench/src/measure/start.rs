//! Start benchmark: the time from the start of a function's process to its first
//! request for an event, compared with a function that does nothing.
//!
//! The functions alternate for many rounds. Their environment has no custom AWS
//! endpoint and no custom CA, as on AWS. The functions make no other call
//! before that first request, so none reaches AWS.

use std::collections::BTreeMap;

use anyhow::Result;
use harness::lambda::Function;
use serde::Serialize;

use super::Extent;
use crate::harness::Harness;
use crate::statistics::{max, median};

/// The measurements: medians in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) runs: usize,
    pub(crate) empty_ms: f64,
    pub(crate) functions_ms: BTreeMap<&'static str, f64>,
    /// The slowest function divided by the empty one.
    pub(crate) ratio: f64,
}

/// Whether a variable replaces an AWS endpoint or the trusted CAs.
fn is_local_override(name: &str) -> bool {
    name.starts_with("AWS_ENDPOINT_URL") || ["AWS_CA_BUNDLE", "SSL_CERT_FILE"].contains(&name)
}

/// Runs the benchmark.
pub(crate) async fn measure(harness: &Harness, extent: Extent) -> Result<Start> {
    let runs = extent.choose(40, 5);
    let tiktok = harness.tiktok(None).await?;
    let mut environment = harness.environment(harness.s3.address, &tiktok);
    environment.retain(|(name, _)| !is_local_override(name));
    let log = harness.config.scratch.join("start.log");
    let mut programs = vec![("empty", harness.program("empty"))];
    programs.extend(["publish", "status", "notices", "api"].map(|name| (name, harness.function(name))));
    let mut starts_ms: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..runs {
        for (name, program) in &programs {
            let function = Function::start(program, &environment, &log).await?;
            starts_ms.entry(name).or_default().push(function.init_duration.as_secs_f64() * 1000.0);
            function.stop().await?;
        }
    }
    let mut functions_ms: BTreeMap<_, _> = starts_ms.iter().map(|(name, times)| (*name, median(times))).collect();
    let empty_ms = functions_ms.remove("empty").unwrap_or(f64::NAN);
    let slowest = max(&functions_ms.values().copied().collect::<Vec<_>>());
    Ok(Start { runs, empty_ms, functions_ms, ratio: slowest / empty_ms })
}
