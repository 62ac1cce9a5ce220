//! How fast an upload goes, so that no chunk is begun that cannot be ended.

use std::time::Duration;

/// The time that is kept free behind a chunk, to store what became of it.
const MARGIN: Duration = Duration::from_secs(10);
/// What a chunk is thought to need while nothing has been measured.
const UNMEASURED: Duration = Duration::from_secs(30);

/// Bytes and time of the chunks that this invocation has sent.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    bytes: u64,
    time: Duration,
}

impl Pace {
    pub(crate) fn sent(&mut self, bytes: u64, time: Duration) {
        self.bytes += bytes;
        self.time += time;
    }

    pub(crate) fn has_sent(&self) -> bool {
        self.bytes > 0
    }

    /// The time that a chunk needs at the measured rate, half as much again,
    /// and the margin.
    pub(crate) fn needed(&self, bytes: u64) -> Duration {
        if self.bytes == 0 {
            return UNMEASURED;
        }
        let micros = self.time.as_micros() * u128::from(bytes) / u128::from(self.bytes) * 3 / 2;
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)) + MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_thought_to_need_what_the_others_took_and_a_margin() {
        let mut pace = Pace::default();
        assert_eq!(pace.needed(10_000_000), UNMEASURED);
        pace.sent(10_000_000, Duration::from_secs(10));
        assert_eq!(pace.needed(20_000_000), Duration::from_secs(30) + MARGIN);
    }
}
