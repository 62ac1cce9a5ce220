//! Invokes the status function while a test waits, because the deployed schedule of one invocation per minute is too
//! slow for tests. One invocation is called a poll here.
//!
//! The deployed schedule continues, so two polls can run at the same time. The functions must permit that.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Cloud;

/// The minimum time between the starts of two polls, for all tests of a run together.
const MIN_INTERVAL: Duration = Duration::from_millis(1500);

/// The time of the last poll.
#[derive(Debug, Default)]
pub(super) struct Poller(Mutex<Option<Instant>>);

impl Poller {
    /// Returns whether the interval has passed; if so, a new interval begins.
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| at.elapsed() >= MIN_INTERVAL);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Cloud {
    /// Invokes the status function, unless a test did so in the last 1.5 seconds.
    ///
    /// # Errors
    /// The function could not be invoked, or it failed.
    pub async fn poll(&self) -> Result<()> {
        if !self.poller.is_due() {
            return Ok(());
        }
        let invoked = self.lambda.invoke().function_name(&self.outputs().status_function).send().await;
        let invoked = invoked.context("the status function cannot be invoked")?;
        if let Some(kind) = invoked.function_error() {
            let error = invoked.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
            bail!("the status function failed ({kind}): {}", error.unwrap_or_default());
        }
        Ok(())
    }
}
