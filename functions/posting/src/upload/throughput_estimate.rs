//! Estimates how long a chunk takes, so that the worker begins no chunk that it cannot finish.

use std::time::Duration;

use domain::rate::Rate;
use domain::reason::Reason;
use jiff::Timestamp;

use crate::exit::Exit;
use crate::invocation::Worker;

/// The time that is kept free after a chunk, to store its outcome.
const MARGIN: Duration = Duration::from_secs(10);
/// The rate that is assumed until one was measured: 2 MB/s. At half of it, a video of 4 GB takes longer than the hour
/// for which its upload URL is valid.
const ASSUMED_RATE: Rate = Rate::new(2_000_000);

/// The measured rate of an upload, and whether this invocation has sent a chunk.
#[derive(Debug, Default)]
pub(crate) struct ThroughputEstimate {
    rate: Option<Rate>,
    has_sent: bool,
}

impl ThroughputEstimate {
    /// Uses the rate that an earlier invocation measured, unless this one has measured its own.
    pub(crate) fn recall(&mut self, stored: Option<Rate>) {
        self.rate = self.rate.or(stored);
    }

    /// Adds the measurement of a chunk that TikTok accepted.
    pub(crate) fn accepted(&mut self, bytes: u64, time: Duration) {
        let measured = Rate::of(bytes, time);
        self.rate = Some(self.rate.map_or(measured, |rate| rate.averaged_with(measured)));
        self.has_sent = true;
    }

    /// Replaces the rate when a chunk was aborted after `time`; the true rate is lower.
    pub(crate) fn cut_off(&mut self, bytes: u64, time: Duration) {
        self.rate = Some(Rate::of(bytes, time));
    }

    pub(crate) fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// The time that a chunk takes at this rate.
    pub(crate) fn expected(&self, bytes: u64) -> Duration {
        self.rate.unwrap_or(ASSUMED_RATE).time_for(bytes)
    }

    /// The time that must be left for a chunk: one and a half times the expected time, and the margin.
    fn needed(&self, bytes: u64) -> Duration {
        let time = self.expected(bytes);
        time.saturating_add(time / 2).saturating_add(MARGIN)
    }

    /// Checks that a chunk can be finished before the worker's deadline.
    ///
    /// # Errors
    /// The worker yields if it has sent a chunk in this invocation, or if a whole invocation has enough time for one.
    /// If a whole invocation is too short, the post is deferred, so that workers do not hand it over in a loop.
    pub(crate) fn check_room(&self, bytes: u64, worker: &Worker, now: Timestamp) -> Result<(), Exit> {
        let needed = self.needed(bytes);
        if now + needed <= worker.deadline {
            return Ok(());
        }
        if self.has_sent || worker.since + needed <= worker.deadline {
            return Err(Exit::Yield);
        }
        let message = "the invocation is too short for a chunk: raise the function's timeout, or lower ChunkBytes";
        Err(Exit::defer(Reason::InvocationTooShort, message, Duration::from_mins(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_time_follows_measured_rate_with_margin() {
        let mut estimate = ThroughputEstimate::default();
        assert_eq!(estimate.needed(20_000_000), Duration::from_secs(15) + MARGIN);
        estimate.accepted(10_000_000, Duration::from_secs(10));
        assert_eq!(estimate.needed(20_000_000), Duration::from_secs(30) + MARGIN);
    }

    #[test]
    fn own_measurement_replaces_recalled_rate() {
        let mut estimate = ThroughputEstimate::default();
        estimate.recall(Some(Rate::new(1_000_000)));
        assert_eq!((estimate.rate(), estimate.has_sent), (Some(Rate::new(1_000_000)), false));
        estimate.accepted(9_000_000, Duration::from_secs(1));
        estimate.recall(Some(Rate::new(1)));
        assert_eq!((estimate.rate(), estimate.has_sent), (Some(Rate::new(1_800_000)), true));
    }

    /// What a worker with a deadline of 14 minutes does about a chunk of 64 MB, this many minutes after it began. At
    /// the assumed rate the chunk takes 32 s, and 58 s are needed.
    fn decision(minutes: u64, estimate: &ThroughputEstimate) -> String {
        let since = Timestamp::UNIX_EPOCH;
        let worker = Worker { name: "w".into(), since, deadline: since + Duration::from_mins(14) };
        match estimate.check_room(64_000_000, &worker, since + Duration::from_mins(minutes)) {
            Ok(()) => "continue".into(),
            Err(Exit::Yield) => "yield".into(),
            Err(Exit::Defer { reason, .. }) => reason.to_string(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn worker_without_enough_time_yields() {
        assert_eq!(
            [0, 13, 14, 20].map(|minute| decision(minute, &ThroughputEstimate::default())),
            ["continue", "continue", "yield", "yield"]
        );
    }

    #[test]
    fn chunk_longer_than_an_invocation_defers_the_post() {
        let mut estimate = ThroughputEstimate::default();
        // 64 MB take 640 s, and 970 s are needed, which is more than 14 minutes (840 s).
        estimate.recall(Some(Rate::new(100_000)));
        assert_eq!([0, 13].map(|minute| decision(minute, &estimate)), ["invocation_too_short"; 2]);
    }

    #[test]
    fn aborted_chunk_lowers_the_rate() {
        let mut estimate = ThroughputEstimate::default();
        estimate.cut_off(64_000_000, Duration::from_mins(2));
        assert_eq!(estimate.expected(64_000_000).as_secs(), 120);
        assert_eq!(decision(0, &estimate), "continue", "a whole invocation is long enough");
        estimate.cut_off(64_000_000, Duration::from_mins(14));
        assert_eq!(decision(0, &estimate), "invocation_too_short", "a whole invocation was not long enough");
    }
}
