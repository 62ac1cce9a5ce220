//! Metrics in a log: the lines that CloudWatch would make numbers of.
//!
//! The local cloud makes none of them. So each is held here against the rules of the
//! embedded metric format, of which CloudWatch says nothing to whoever breaks them:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The units that CloudWatch knows, of those that anybody here would use.
const UNITS: [&str; 8] =
    ["None", "Count", "Percent", "Seconds", "Milliseconds", "Bytes", "Bytes/Second", "Count/Second"];
/// The most dimensions that a metric may have.
const MOST_DIMENSIONS: usize = 30;
/// The most metrics of one line.
const MOST_METRICS: usize = 100;

/// A number, as CloudWatch would take it.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// The metric's name.
    pub name: String,
    /// What it is counted by: sets of names and words, each a metric of its own.
    pub by: Vec<Vec<(String, String)>>,
    /// The number.
    pub value: f64,
}

/// Reads the metrics of a line of the log; none, where it is no such line.
///
/// # Errors
/// It means to be one, and CloudWatch would not take it.
pub fn read(line: &Value) -> Result<Vec<Datum>> {
    let Some(metadata) = line.get("_aws") else { return Ok(Vec::new()) };
    metadata["Timestamp"].as_u64().context("the time is in milliseconds since 1970")?;
    let directives = metadata["CloudWatchMetrics"].as_array().context("there are directives")?;
    ensure!(!directives.is_empty(), "there is a directive");
    let mut data = Vec::new();
    for directive in directives {
        let namespace = directive["Namespace"].as_str().context("a namespace is text")?;
        ensure!(
            (1..=1024).contains(&namespace.len()) && !namespace.starts_with("AWS/"),
            "{namespace:?} is no namespace"
        );
        let sets = directive["Dimensions"].as_array().context("there are sets of dimensions")?;
        ensure!(!sets.is_empty(), "there is a set of dimensions, if only an empty one");
        let by: Vec<_> = sets.iter().map(|set| dimensions(line, set)).collect::<Result<_>>()?;
        let metrics = directive["Metrics"].as_array().context("there are metrics")?;
        ensure!((1..=MOST_METRICS).contains(&metrics.len()), "{} metrics", metrics.len());
        for metric in metrics {
            let name = metric["Name"].as_str().context("a metric has a name")?;
            let unit = metric["Unit"].as_str().context("a metric has a unit")?;
            ensure!(UNITS.contains(&unit), "{unit:?} is no unit");
            let value = line[name].as_f64().with_context(|| format!("{name} is no number"))?;
            data.push(Datum { name: name.to_owned(), by: by.clone(), value });
        }
    }
    Ok(data)
}

fn dimensions(line: &Value, set: &Value) -> Result<Vec<(String, String)>> {
    let names = set.as_array().context("a set of dimensions is a list")?;
    ensure!(names.len() <= MOST_DIMENSIONS, "{} dimensions", names.len());
    let word = |name: &Value| {
        let name = name.as_str().context("a dimension is named by a text")?;
        match line[name].as_str() {
            Some(word) if (1..=1024).contains(&word.len()) => Ok((name.to_owned(), word.to_owned())),
            _ => bail!("the dimension {name} has no text in the line"),
        }
    };
    names.iter().map(word).collect()
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
    fn a_line_by_the_rules_is_read() {
        let by = vec![vec![], vec![("State".to_owned(), "failed".to_owned())]];
        assert_eq!(read(&line()).unwrap(), [Datum { name: "PostsEnded".to_owned(), by, value: 1.0 }]);
        assert_eq!(read(&json!({ "message": "post published" })).unwrap(), []);
    }

    #[test]
    fn a_line_that_cloudwatch_would_pass_over_is_refused() {
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
            assert!(read(&broken).is_err(), "{pointer}");
        }
    }
}
