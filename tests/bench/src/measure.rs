//! The benchmarks, one per module. Each module describes its method.

pub(crate) mod calls;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod size;
pub(crate) mod start;
pub(crate) mod throughput;

/// The video sizes and number of rounds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The sizes and rounds of published results.
    Full,
    /// Small videos and few rounds: a check that the benchmarks work.
    Quick,
}

impl Extent {
    /// Selects the value for this extent.
    pub(crate) fn choose<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}
