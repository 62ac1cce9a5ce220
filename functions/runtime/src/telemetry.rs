//! Logs: one JSON object a line, as CloudWatch Logs Insights reads them.

use tracing_subscriber::EnvFilter;

use crate::environment;

/// Starts logging to standard output.
///
/// `LOG_LEVEL` is a level (`info`, the default) or a filter in the syntax of
/// `tracing` (`info,posting=debug`). An unreadable one is said to be so, once,
/// and `info` is used.
pub fn start() {
    let wanted = environment::variable("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted);
    let unreadable = filter.is_err();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
        .init();
    if unreadable {
        tracing::warn!(log.level = wanted, "LOG_LEVEL is no level and no filter; info is used");
    }
}
