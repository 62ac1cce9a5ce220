//! The judgement of the whole run, third part: what was counted of it. Each number is
//! one that CloudWatch would take and that a dashboard or an alarm knows by name.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use posting::Metric;
use serde_json::json;
use tests::{Cloud, emf};

use crate::events::invoke;
use crate::harness::stories;
use crate::seeing::lines_of;

stories![among: every_number_in_a_log_is_one_that_cloudwatch_takes_and_the_dashboard_knows];

/// What numbers may be counted by.
const BY: [&str; 2] = ["State", "Reason"];
/// How many metrics a stack may come to, with every word of every dimension.
const MOST: usize = 150;

async fn every_number_in_a_log_is_one_that_cloudwatch_takes_and_the_dashboard_knows(cloud: Arc<Cloud>) -> Result<()> {
    let outputs = cloud.outputs();
    invoke(&cloud, &outputs.status_function, &json!({})).await?;
    let known = Metric::ALL.map(|metric| metric.name_and_unit().0);
    let mut made = BTreeSet::new();
    for function in [&outputs.publish_function, &outputs.status_function, &outputs.api_function] {
        for line in lines_of(&cloud, function, None).await? {
            for datum in emf::read(&line).with_context(|| format!("{function}: {line}"))? {
                ensure!(known.contains(&datum.name.as_str()), "nobody looks at {}: {line}", datum.name);
                ensure!(datum.value >= 0.0 && datum.value.is_finite(), "{line}");
                for by in datum.by {
                    ensure!(by.iter().all(|(name, _)| BY.contains(&name.as_str())), "{line}");
                    made.insert((datum.name.clone(), by));
                }
            }
        }
    }
    // Whatever stories were told, somebody has looked at what is due.
    ensure!(made.iter().any(|(name, _)| name == "OldestDuePostAge"), "nothing was counted: this says nothing");
    ensure!(made.len() <= MOST, "{} metrics: {made:?}", made.len());
    Ok(())
}
