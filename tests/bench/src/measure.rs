//! What is measured, each in a module that says how.

pub(crate) mod calls;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod size;
pub(crate) mod start;
pub(crate) mod throughput;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What the results are reported of.
    Full,
    /// Small videos and few rounds, to see that everything works.
    Quick,
}

impl Extent {
    /// One of two values.
    pub(crate) fn choose<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}
