//! The schema of the metrics in the logs: CloudWatch accepts each, and each is one of `posting::Metric`, which the
//! dashboard and the alarms use.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use harness::{Cloud, emf};
use posting::Metric;
use serde_json::json;

use crate::observability::lines_of;
use crate::recorded_events::invoke;
use crate::runner::scenarios;

scenarios![concurrent: every_logged_metric_is_valid_and_known];

/// The allowed dimensions.
const DIMENSIONS: [&str; 2] = ["State", "Reason"];
/// The maximum number of metrics of a run, counting every combination of dimension values. A larger
/// number means that a dimension has too many values; each metric costs money (docs/cost.md).
const MAX_METRICS: usize = 150;

async fn every_logged_metric_is_valid_and_known(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    invoke(&cloud, &outputs.status_function, &json!({})).await?;
    let known: Vec<_> = Metric::ALL.iter().map(|metric| metric.name_and_unit().0).collect();
    let mut metrics = BTreeSet::new();
    for function in [&outputs.publish_function, &outputs.status_function, &outputs.api_function] {
        for line in lines_of(&cloud, function, None).await? {
            for datum in emf::parse(&line).with_context(|| format!("{function}: {line}"))? {
                ensure!(known.contains(&datum.name.as_str()), "{} is unknown: {line}", datum.name);
                ensure!(datum.value >= 0.0 && datum.value.is_finite(), "{line}");
                for set in datum.dimensions {
                    ensure!(set.iter().all(|(name, _)| DIMENSIONS.contains(&name.as_str())), "{line}");
                    metrics.insert((datum.name.clone(), set));
                }
            }
        }
    }
    // In every run, at least the poll above measures this.
    let measured = metrics.iter().any(|(name, _)| name == "OldestDuePostAge");
    ensure!(measured, "there are no metrics, so this check proves nothing");
    ensure!(metrics.len() <= MAX_METRICS, "{} metrics: {metrics:?}", metrics.len());
    Ok(())
}
