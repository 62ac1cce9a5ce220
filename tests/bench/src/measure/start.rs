//! How long a function takes from the start of its process to its first call
//! for an event, beside a function that does nothing: in turns, many times.
//!
//! They find the environment of a function on AWS, where nothing names another
//! endpoint or whom to believe. By that first call they have spoken to nobody else.

use std::collections::BTreeMap;

use anyhow::Result;
use lambda::Function;
use serde::Serialize;

use super::Extent;
use crate::numbers::{greatest, median};
use crate::stage::Stage;

/// What was measured: medians in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) runs: usize,
    pub(crate) empty_ms: f64,
    pub(crate) functions_ms: BTreeMap<&'static str, f64>,
    /// The slowest function over the empty one.
    pub(crate) ratio: f64,
}

/// Tells whether a variable leads away from AWS.
fn leads_elsewhere(name: &str) -> bool {
    name.starts_with("AWS_ENDPOINT_URL") || ["AWS_CA_BUNDLE", "SSL_CERT_FILE"].contains(&name)
}

/// Measures.
pub(crate) async fn measure(stage: &Stage, extent: Extent) -> Result<Start> {
    let runs = extent.choose(40, 5);
    let tiktok = stage.tiktok(None).await?;
    let mut environment = stage.environment(stage.store.address, &tiktok);
    environment.retain(|(name, _)| !leads_elsewhere(name));
    let log = stage.places.scratch.join("start.log");
    let mut programs = vec![("empty", stage.program("empty"))];
    programs.extend(["publish", "status", "notices", "api"].map(|name| (name, stage.function(name))));
    let mut starts: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..runs {
        for (name, program) in &programs {
            let function = Function::start(program, &environment, &log).await?;
            starts.entry(name).or_default().push(function.start.as_secs_f64() * 1000.0);
            function.stop().await?;
        }
    }
    let mut functions_ms: BTreeMap<_, _> = starts.iter().map(|(name, times)| (*name, median(times))).collect();
    let empty_ms = functions_ms.remove("empty").unwrap_or(f64::NAN);
    let slowest = greatest(&functions_ms.values().copied().collect::<Vec<_>>());
    Ok(Start { runs, empty_ms, functions_ms, ratio: slowest / empty_ms })
}
