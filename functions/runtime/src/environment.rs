//! The environment variables of this process. Only this module reads them.

/// The value of a variable; none if it is unset, blank or not Unicode.
#[expect(clippy::disallowed_methods, reason = "the only place that may call it")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
