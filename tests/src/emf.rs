//! A parser of metrics in a log, in CloudWatch's embedded metric format (EMF).
//!
//! The local cloud extracts no metrics from log lines. CloudWatch silently ignores a line that breaks the rules of the
//! format, so this parser checks the rules:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The permitted units: those of CloudWatch's units that Dropcast may use.
const UNITS: [&str; 8] =
    ["None", "Count", "Percent", "Seconds", "Milliseconds", "Bytes", "Bytes/Second", "Count/Second"];
/// CloudWatch's maximum number of dimensions of a metric.
const MAX_DIMENSIONS: usize = 30;
/// CloudWatch's maximum number of metrics in a line.
const MAX_METRICS: usize = 100;

/// A measured value, as CloudWatch stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// The metric's name.
    pub name: String,
    /// Sets of dimensions with their values. Each set makes a metric of its own.
    pub dimensions: Vec<Vec<(String, String)>>,
    /// The value.
    pub value: f64,
}

/// Parses the metrics in a log line; a line without metrics has none.
///
/// # Errors
/// The line has metrics, but breaks a rule of the format.
pub fn parse(line: &Value) -> Result<Vec<Datum>> {
    let Some(metadata) = line.get("_aws") else { return Ok(Vec::new()) };
    metadata["Timestamp"].as_u64().context("Timestamp is not a number of milliseconds since 1970")?;
    let directives = metadata["CloudWatchMetrics"].as_array().context("CloudWatchMetrics is not a list")?;
    ensure!(!directives.is_empty(), "CloudWatchMetrics is empty");
    let mut data = Vec::new();
    for directive in directives {
        let namespace = directive["Namespace"].as_str().context("Namespace is not text")?;
        let valid = (1..=1024).contains(&namespace.len()) && !namespace.starts_with("AWS/");
        ensure!(valid, "the namespace {namespace:?} is invalid");
        let sets = directive["Dimensions"].as_array().context("Dimensions is not a list")?;
        ensure!(!sets.is_empty(), "there must be a set of dimensions, which may be empty");
        let dimensions: Vec<_> = sets.iter().map(|set| parse_set(line, set)).collect::<Result<_>>()?;
        let metrics = directive["Metrics"].as_array().context("Metrics is not a list")?;
        ensure!((1..=MAX_METRICS).contains(&metrics.len()), "{} metrics", metrics.len());
        for metric in metrics {
            let name = metric["Name"].as_str().context("a metric has no name")?;
            let unit = metric["Unit"].as_str().context("a metric has no unit")?;
            ensure!(UNITS.contains(&unit), "the unit {unit:?} is unknown");
            let value = line[name].as_f64().with_context(|| format!("{name} is not a number"))?;
            data.push(Datum { name: name.to_owned(), dimensions: dimensions.clone(), value });
        }
    }
    Ok(data)
}

fn parse_set(line: &Value, set: &Value) -> Result<Vec<(String, String)>> {
    let names = set.as_array().context("a set of dimensions is not a list")?;
    ensure!(names.len() <= MAX_DIMENSIONS, "{} dimensions", names.len());
    let dimension = |name: &Value| {
        let name = name.as_str().context("the name of a dimension is not text")?;
        match line[name].as_str() {
            Some(value) if (1..=1024).contains(&value.len()) => Ok((name.to_owned(), value.to_owned())),
            _ => bail!("the dimension {name} has no text value in the line"),
        }
    };
    names.iter().map(dimension).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line() -> Value {
        let metric = json!({ "Name": "PostsEnded", "Unit": "Count" });
        let directive = json!({ "Namespace": "Dropcast/dev", "Dimensions": [[], ["State"]], "Metrics": [metric] });
        json!({ "_aws": { "Timestamp": 5, "CloudWatchMetrics": [directive] }, "PostsEnded": 1.0, "State": "failed" })
    }

    #[test]
    fn valid_line_is_parsed() {
        let dimensions = vec![vec![], vec![("State".to_owned(), "failed".to_owned())]];
        assert_eq!(parse(&line()).unwrap(), [Datum { name: "PostsEnded".to_owned(), dimensions, value: 1.0 }]);
        assert_eq!(parse(&json!({ "message": "post published" })).unwrap(), []);
    }

    #[test]
    fn line_that_cloudwatch_would_ignore_is_error() {
        for (pointer, wrong) in [
            ("/_aws/Timestamp", json!("now")),
            ("/_aws/CloudWatchMetrics", json!([])),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("")),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([])),
            ("/_aws/CloudWatchMetrics/0/Dimensions/1", json!(["Reason"])),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Unit", json!("posts")),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Name", json!("PostsBegun")),
            ("/PostsEnded", json!("1")),
            ("/State", json!(3)),
        ] {
            let mut broken = line();
            *broken.pointer_mut(pointer).unwrap() = wrong;
            assert!(parse(&broken).is_err(), "{pointer}");
        }
    }
}
