//! The writer of metrics, to the log in CloudWatch's embedded metric format.
//!
//! The format is one JSON object per line. It needs no client and no thread, costs nothing at the start, and loses
//! nothing when Lambda freezes the function. This module knows no metric by its name.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{clock, environment};

/// Writes the metrics of this function.
#[derive(Debug, Clone)]
pub struct Metrics {
    namespace: String,
}

/// A name and a value: a dimension, or a property of the log line.
pub type Label = (&'static str, String);

impl Metrics {
    /// Reads the namespace of this stack's metrics from `METRICS_NAMESPACE`; `Dropcast` if it is not set.
    pub fn start() -> Self {
        Self { namespace: environment::variable("METRICS_NAMESPACE").unwrap_or_else(|| "Dropcast".to_owned()) }
    }

    /// Writes metrics to standard output, each with its name, unit and value.
    ///
    /// CloudWatch aggregates each metric in total, by the first dimension, by the first two dimensions, and so on.
    /// It stores and charges for one metric per combination of values, so the dimensions must have few values.
    /// Properties are only in the log.
    pub fn write(
        &self,
        metrics: impl IntoIterator<Item = (&'static str, &'static str, f64)>,
        dimensions: &[Label],
        properties: &[Label],
    ) {
        let line = self.line(clock::now(), metrics, dimensions, properties);
        // If the log cannot be written, the error cannot be logged either.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn line(
        &self,
        at: Timestamp,
        metrics: impl IntoIterator<Item = (&'static str, &'static str, f64)>,
        dimensions: &[Label],
        properties: &[Label],
    ) -> Value {
        let mut line: Map<String, Value> =
            dimensions.iter().chain(properties).map(|(name, value)| ((*name).into(), json!(value))).collect();
        let mut definitions = Vec::new();
        for (name, unit, value) in metrics {
            definitions.push(json!({ "Name": name, "Unit": unit }));
            line.insert(name.to_owned(), json!(value));
        }
        let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
        let sets: Vec<&[&str]> = (0..=names.len()).map(|count| &names[..count]).collect();
        let directive = json!({ "Namespace": self.namespace, "Dimensions": sets, "Metrics": definitions });
        line.insert("_aws".to_owned(), json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive] }));
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_metrics_dimension_sets_and_properties() {
        let metrics = Metrics { namespace: "Dropcast/dev".to_owned() };
        let dimensions = [("State", "failed".to_owned()), ("Reason", "file_empty".to_owned())];
        let properties = [("post.id", "p1".to_owned())];
        let line =
            metrics.line(Timestamp::from_second(5).unwrap(), [("PostsEnded", "Count", 1.0)], &dimensions, &properties);
        let directive = json!({
            "Namespace": "Dropcast/dev",
            "Dimensions": [[], ["State"], ["State", "Reason"]],
            "Metrics": [{ "Name": "PostsEnded", "Unit": "Count" }],
        });
        let expected = json!({
            "_aws": { "Timestamp": 5000, "CloudWatchMetrics": [directive] },
            "PostsEnded": 1.0, "State": "failed", "Reason": "file_empty", "post.id": "p1",
        });
        assert_eq!(line, expected);
    }
}
