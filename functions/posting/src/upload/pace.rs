//! How fast an upload goes, so that no chunk is begun that cannot be ended.

use std::time::Duration;

use domain::rate::Rate;

/// The time that is kept free behind a chunk, to store what became of it.
const MARGIN: Duration = Duration::from_secs(10);
/// The rate that is reckoned with while none has been measured: an upload of
/// 4 GB that is slower does not end within its URL's hour by much.
const UNMEASURED: Rate = Rate::new(2_000_000);

/// The rate of an upload, and whether this invocation has moved it on.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    rate: Option<Rate>,
    has_sent: bool,
}

impl Pace {
    /// Notes what an earlier invocation measured, where this one has not yet.
    pub(crate) fn recall(&mut self, stored: Option<Rate>) {
        self.rate = self.rate.or(stored);
    }

    /// Notes that a chunk was accepted.
    pub(crate) fn sent(&mut self, bytes: u64, time: Duration) {
        let measured = Rate::of(bytes, time);
        self.rate = Some(self.rate.map_or(measured, |rate| rate.then(measured)));
        self.has_sent = true;
    }

    /// Whether this invocation has moved the upload on.
    pub(crate) fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// The rate, once it was measured.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// The time that a chunk needs at this rate, half as much again, and the
    /// margin.
    pub(crate) fn needed(&self, bytes: u64) -> Duration {
        let time = self.rate.unwrap_or(UNMEASURED).time_for(bytes);
        time.saturating_add(time / 2).saturating_add(MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_thought_to_need_what_the_others_took_and_a_margin() {
        let mut pace = Pace::default();
        assert_eq!(pace.needed(20_000_000), Duration::from_secs(15) + MARGIN);
        pace.sent(10_000_000, Duration::from_secs(10));
        assert_eq!(pace.needed(20_000_000), Duration::from_secs(30) + MARGIN);
    }

    #[test]
    fn what_an_earlier_invocation_measured_counts_until_this_one_has() {
        let mut pace = Pace::default();
        pace.recall(Some(Rate::new(1_000_000)));
        assert_eq!((pace.rate(), pace.has_sent()), (Some(Rate::new(1_000_000)), false));
        pace.sent(9_000_000, Duration::from_secs(1));
        pace.recall(Some(Rate::new(1)));
        assert_eq!((pace.rate(), pace.has_sent()), (Some(Rate::new(1_800_000)), true));
    }
}
