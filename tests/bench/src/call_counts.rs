//! Call counters that the fake servers serve as JSON.

use std::collections::BTreeMap;

use anyhow::Result;

/// The number of calls by operation name, since a server started.
pub(crate) type CallCounts = BTreeMap<String, u64>;

/// The calls between two snapshots; operations without a new call are left out.
pub(crate) fn difference(before: &CallCounts, after: &CallCounts) -> CallCounts {
    let added = |(name, count): (&String, &u64)| (name.clone(), count - before.get(name).copied().unwrap_or(0));
    after.iter().map(added).filter(|(_, count)| *count > 0).collect()
}

/// Fetches the counters of a running fake server, without a proxy.
pub(crate) async fn fetch(url: &str) -> Result<CallCounts> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_keeps_only_new_calls() {
        let counts =
            |pairs: &[(&str, u64)]| pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<CallCounts>();
        let (before, after) = (counts(&[("a", 1), ("b", 2)]), counts(&[("a", 1), ("b", 5), ("c", 1)]));
        assert_eq!(difference(&before, &after), counts(&[("b", 3), ("c", 1)]));
    }
}
