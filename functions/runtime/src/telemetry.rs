//! Logs: one JSON object a line, as CloudWatch Logs Insights reads them; and traces, where they are wanted.

mod segments;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

use segments::Segments;

use crate::environment;

/// Who names the invocation in each line, at whatever level lines are wanted: the
/// span is of level info, and the crate says next to nothing else.
const INVOCATION: &str = "lambda_runtime=info";

/// Crates that write whole requests into the log where they are let to, and
/// with them tokens. No setting gets more than this out of them.
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

/// Starts logging to standard output. Each line says in `spans` in which invocation
/// and trace it was said, and for which post. Where X-Ray's daemon is, it is told of those spans.
///
/// `LOG_LEVEL` is a level (`info`, the default) or a filter in the syntax of
/// `tracing` (`info,posting=debug`). An unreadable one is said to be so, once,
/// and `info` is used.
pub fn start() {
    let wanted = environment::variable("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(cap_levels(&wanted));
    let unreadable = filter.is_err();
    let lines = tracing_subscriber::fmt::layer();
    let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(true);
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry().with(filter).with(lines).with(Segments::start()).init();
    if unreadable {
        tracing::warn!(log.level = wanted, "LOG_LEVEL is no level and no filter; info is used");
    }
}

/// A filter in which the talkative crates say no more than `info`, whatever was
/// asked for: later directives replace earlier ones for the same crate.
fn cap_levels(wanted: &str) -> String {
    let mentions = |directive: &&str| NOISY_CRATES.iter().any(|name| directive.trim().starts_with(name));
    let asked = wanted.split(',').filter(|directive| !mentions(directive)).map(str::to_owned);
    let capped = NOISY_CRATES.iter().map(|name| format!("{name}=info"));
    asked.chain([INVOCATION.to_owned()]).chain(capped).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_makes_the_sdk_log_its_requests() {
        for wanted in ["trace", "debug,aws_smithy_runtime=trace", "info, aws_smithy_runtime::client=trace", "error"] {
            let filter = cap_levels(wanted);
            let directives: Vec<_> = filter.split(',').filter(|d| d.contains("aws_smithy_runtime")).collect();
            assert!(!directives.is_empty() && directives.iter().all(|d| d.ends_with("=info")), "{filter}");
            assert!(EnvFilter::try_new(&filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn what_is_asked_of_our_own_crates_is_heard() {
        assert!(cap_levels("warn,posting=debug").starts_with("warn,posting=debug,"));
    }
}
