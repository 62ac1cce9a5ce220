//! The pulse: has the status function look at what is due while somebody waits.
//!
//! The stack's own schedule goes on beside it; that two looks happen at once is
//! one of the things that are tried.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cloud::Cloud;

/// The least time between two looks, whoever asks for them.
const EVERY: Duration = Duration::from_millis(1500);

/// When it beat last.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    /// Tells whether it is time, and takes note that it was told.
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Cloud {
    /// Has the status function look, unless it did a moment ago.
    ///
    /// # Errors
    /// The function could not be invoked, or it failed.
    pub async fn beat(&self) -> Result<()> {
        if !self.pulse.is_due() {
            return Ok(());
        }
        let look = self.lambda.invoke().function_name(&self.outputs().status_function);
        let looked = look.send().await.context("the status function cannot be invoked")?;
        if let Some(kind) = looked.function_error() {
            let said = looked.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
            bail!("the status function failed ({kind}): {}", said.unwrap_or_default());
        }
        Ok(())
    }
}
