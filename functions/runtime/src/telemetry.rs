//! The start of logs and traces. A log line is one JSON object for CloudWatch Logs Insights. X-Ray's daemon gets traces.

mod segments;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

use segments::Segments;

use crate::environment;

/// The filter directive that enables the span of the invocation at any `LOG_LEVEL`. Every log line names this span.
/// `lambda_runtime` creates it at level `info`, and logs little else.
const INVOCATION_DIRECTIVE: &str = "lambda_runtime=info";

/// The crates that log whole requests, and with them tokens, at the levels `debug` and `trace`. No `LOG_LEVEL` enables
/// these levels. If a crate is missing in this list, it can write secrets to the log.
const NOISY_CRATES: [&str; 8] = [
    "aws_config",
    "aws_runtime",
    "aws_sigv4",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "hyper",
    "rustls",
];

/// Starts logging to standard output. The field `spans` of each line names the invocation, the trace and the post. If
/// X-Ray's daemon runs, it receives these spans.
///
/// `LOG_LEVEL` is a level (`info`, the default) or a filter in the syntax of `tracing` (`info,posting=debug`). If it is
/// invalid, a warning is logged once and `info` is used.
pub fn start() {
    let level = environment::variable("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(cap_levels(&level));
    let is_invalid = filter.is_err();
    let lines = tracing_subscriber::fmt::layer();
    let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(true);
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry().with(filter).with(lines).with(Segments::start()).init();
    if is_invalid {
        tracing::warn!(log.level = level, "LOG_LEVEL is invalid: info is used");
    }
}

/// Returns the filter with the level of [`NOISY_CRATES`] set to `info`. Directives for these crates and their modules
/// are removed, because `tracing` prefers the more specific of two directives.
fn cap_levels(wanted: &str) -> String {
    let is_noisy = |directive: &&str| NOISY_CRATES.iter().any(|name| directive.trim().starts_with(name));
    let other = wanted.split(',').filter(|directive| !is_noisy(directive)).map(str::to_owned);
    let capped = NOISY_CRATES.iter().map(|name| format!("{name}=info"));
    other.chain([INVOCATION_DIRECTIVE.to_owned()]).chain(capped).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_enables_request_logs_of_the_sdk() {
        for wanted in ["trace", "debug,aws_smithy_runtime=trace", "info, aws_smithy_runtime::client=trace", "error"] {
            let filter = cap_levels(wanted);
            let directives: Vec<_> = filter.split(',').filter(|d| d.contains("aws_smithy_runtime")).collect();
            assert!(!directives.is_empty() && directives.iter().all(|d| d.ends_with("=info")), "{filter}");
            assert!(EnvFilter::try_new(&filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn levels_of_own_crates_are_kept() {
        assert!(cap_levels("warn,posting=debug").starts_with("warn,posting=debug,"));
    }
}
