//! Metrics: lines of the log from which CloudWatch makes numbers.
//!
//! The embedded metric format is one JSON object a line, so a few lines of our own
//! are all it takes: no client, no thread, nothing at the start, and nothing that
//! is lost when the function is frozen. No metric is known here by name.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{clock, environment};

/// Where the metrics of this function go.
#[derive(Debug, Clone)]
pub struct Metrics {
    namespace: String,
}

/// A name and what it stands for: a dimension, or a word beside the numbers.
pub type Label = (&'static str, String);

impl Metrics {
    /// `METRICS_NAMESPACE`: the namespace of this stack's metrics.
    #[must_use]
    pub fn start() -> Self {
        Self { namespace: environment::variable("METRICS_NAMESPACE").unwrap_or_else(|| "Dropcast".to_owned()) }
    }

    /// Writes numbers, each with its name and unit, to standard output.
    ///
    /// They are counted as a whole, and by the first of `by`, by the first two, and
    /// so on. CloudWatch makes, and charges for, a metric for each value of those, so
    /// there must be few. What `about` says is in the log alone.
    pub fn write(
        &self,
        figures: impl IntoIterator<Item = (&'static str, &'static str, f64)>,
        by: &[Label],
        about: &[Label],
    ) {
        let line = self.line(clock::now(), figures, by, about);
        // Where the log takes nothing, there is nobody left to tell.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn line(
        &self,
        at: Timestamp,
        figures: impl IntoIterator<Item = (&'static str, &'static str, f64)>,
        by: &[Label],
        about: &[Label],
    ) -> Value {
        let mut line: Map<String, Value> =
            by.iter().chain(about).map(|(name, word)| ((*name).into(), json!(word))).collect();
        let mut metrics = Vec::new();
        for (name, unit, value) in figures {
            metrics.push(json!({ "Name": name, "Unit": unit }));
            line.insert(name.to_owned(), json!(value));
        }
        let dimensions: Vec<Vec<&str>> =
            (0..=by.len()).map(|few| by[..few].iter().map(|(name, _)| *name).collect()).collect();
        let directive = json!({ "Namespace": self.namespace, "Dimensions": dimensions, "Metrics": metrics });
        line.insert("_aws".to_owned(), json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive] }));
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_numbers_and_what_they_are_counted_by() {
        let metrics = Metrics { namespace: "Dropcast/dev".to_owned() };
        let by = [("State", "failed".to_owned()), ("Reason", "file_empty".to_owned())];
        let about = [("post.id", "p1".to_owned())];
        let line = metrics.line(Timestamp::from_second(5).unwrap(), [("PostsEnded", "Count", 1.0)], &by, &about);
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
