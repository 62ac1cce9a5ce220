//! How fast an upload goes, so that no chunk is begun that cannot be ended.

use std::time::Duration;

use domain::rate::Rate;
use jiff::Timestamp;

use crate::exit::Exit;
use crate::posting::Worker;

/// The time that is kept free behind a chunk, to store what became of it.
const MARGIN: Duration = Duration::from_secs(10);
/// The rate that is reckoned with while none has been measured: an upload of
/// 4 GB that is slower does not end within its URL's hour by much.
const UNMEASURED: Rate = Rate::new(2_000_000);

/// The rate of an upload, and whether this invocation has moved it on.
#[derive(Debug, Default)]
pub(crate) struct ThroughputEstimate {
    rate: Option<Rate>,
    has_sent: bool,
}

impl ThroughputEstimate {
    /// Notes what an earlier invocation measured, where this one has not yet.
    pub(crate) fn recall(&mut self, stored: Option<Rate>) {
        self.rate = self.rate.or(stored);
    }

    /// Notes that a chunk was accepted.
    pub(crate) fn sent(&mut self, bytes: u64, time: Duration) {
        let measured = Rate::of(bytes, time);
        self.rate = Some(self.rate.map_or(measured, |rate| rate.averaged_with(measured)));
        self.has_sent = true;
    }

    /// Notes that a chunk was cut off: it would have taken longer than this.
    pub(crate) fn cut_off(&mut self, bytes: u64, time: Duration) {
        self.rate = Some(Rate::of(bytes, time));
    }

    /// The rate, once it was measured.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// The time that a chunk takes at this rate.
    pub(crate) fn expected(&self, bytes: u64) -> Duration {
        self.rate.unwrap_or(UNMEASURED).time_for(bytes)
    }

    /// The same, half as much again, and the margin: so much is kept free for a
    /// chunk before the invocation ends.
    fn needed(&self, bytes: u64) -> Duration {
        let time = self.expected(bytes);
        time.saturating_add(time / 2).saturating_add(MARGIN)
    }

    /// Makes sure that a chunk ends before the worker must rest.
    ///
    /// # Errors
    /// The next invocation goes on at once, if this one has moved the upload on, or
    /// has only come to the post too late. Where a whole invocation is too short, the
    /// post waits, so that they do not chase each other.
    pub(crate) fn room_for(&self, bytes: u64, worker: &Worker, now: Timestamp) -> Result<(), Exit> {
        let needed = self.needed(bytes);
        if now + needed <= worker.deadline {
            return Ok(());
        }
        if self.has_sent || worker.since + needed <= worker.deadline {
            return Err(Exit::Yield);
        }
        let message = "the invocation is too short for a chunk: raise the function's timeout, or lower ChunkBytes";
        Err(Exit::defer("invocation_too_short", message, Duration::from_mins(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_thought_to_need_what_the_others_took_and_a_margin() {
        let mut pace = ThroughputEstimate::default();
        assert_eq!(pace.needed(20_000_000), Duration::from_secs(15) + MARGIN);
        pace.sent(10_000_000, Duration::from_secs(10));
        assert_eq!(pace.needed(20_000_000), Duration::from_secs(30) + MARGIN);
    }

    #[test]
    fn what_an_earlier_invocation_measured_counts_until_this_one_has() {
        let mut pace = ThroughputEstimate::default();
        pace.recall(Some(Rate::new(1_000_000)));
        assert_eq!((pace.rate(), pace.has_sent), (Some(Rate::new(1_000_000)), false));
        pace.sent(9_000_000, Duration::from_secs(1));
        pace.recall(Some(Rate::new(1)));
        assert_eq!((pace.rate(), pace.has_sent), (Some(Rate::new(1_800_000)), true));
    }

    /// What a worker of fourteen minutes does about a chunk of 64 MB, so many
    /// minutes after it began.
    fn at(minutes: u64, pace: &ThroughputEstimate) -> String {
        let since = Timestamp::UNIX_EPOCH;
        let worker = Worker { name: "w".into(), since, deadline: since + Duration::from_mins(14) };
        match pace.room_for(64_000_000, &worker, since + Duration::from_mins(minutes)) {
            Ok(()) => "goes on".into(),
            Err(Exit::Yield) => "hands over".into(),
            Err(Exit::Defer { reason, .. }) => reason.code().to_owned(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_worker_that_comes_to_a_post_too_late_hands_it_over_to_one_that_has_time() {
        assert_eq!(
            [0, 13, 14, 20].map(|minute| at(minute, &ThroughputEstimate::default())),
            ["goes on", "goes on", "hands over", "hands over"]
        );
    }

    #[test]
    fn a_chunk_that_a_whole_invocation_is_too_short_for_waits_for_the_operator() {
        let mut pace = ThroughputEstimate::default();
        pace.recall(Some(Rate::new(100_000)));
        assert_eq!([0, 13].map(|minute| at(minute, &pace)), ["invocation_too_short", "invocation_too_short"]);
    }

    #[test]
    fn a_chunk_that_was_cut_off_is_thought_to_need_longer_than_it_had() {
        let mut pace = ThroughputEstimate::default();
        pace.cut_off(64_000_000, Duration::from_mins(2));
        assert_eq!(pace.expected(64_000_000).as_secs(), 120);
        assert_eq!(at(0, &pace), "goes on", "with a whole invocation before it, it is tried again");
        pace.cut_off(64_000_000, Duration::from_mins(14));
        assert_eq!(at(0, &pace), "invocation_too_short", "a whole invocation was not enough");
    }
}
