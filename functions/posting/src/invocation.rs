//! What the use cases know about the invocation that runs them: the worker, the clock and the meter.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::measure::{Measurement, Meter};

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock, and the meter if the function has one.
#[derive(Clone)]
pub struct Instruments {
    /// Returns the current time.
    pub clock: Clock,
    /// Receives what is measured; without one, measurements are dropped.
    pub meter: Option<Meter>,
}

impl Instruments {
    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The time until `at`; zero if that has passed.
    pub(crate) fn time_until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or_default()
    }

    /// The time since `at`; zero if that is still to come, which is possible after the clock was set back.
    pub(crate) fn time_since(&self, at: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(at)).unwrap_or_default()
    }

    pub(crate) fn measure(&self, measurement: &Measurement) {
        if let Some(meter) = &self.meter {
            meter(measurement);
        }
    }
}

/// An invocation that works on posts or accounts, and its time limits.
#[derive(Debug, Clone)]
pub struct Worker {
    /// A name that no other invocation has. A post's lease and an account's refresh lock store it as their owner.
    pub name: String,
    /// When the invocation began.
    pub since: Timestamp,
    /// When the worker must stop. Each function sets it earlier than the invocation's end, by a margin for the last
    /// writes.
    pub deadline: Timestamp,
}
