//! How many breaks the reads of an object may have, however many reads there
//! are and in whatever order they break.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::ObjectError;
use crate::aws::chain;

/// The wait after the first break; it doubles with each, up to [`MOST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_millis(1600);

/// A budget of breaks; its clones draw on the same.
#[derive(Debug, Clone)]
pub(super) struct RetryBudget {
    breaks: Arc<AtomicU32>,
    most: u32,
}

impl RetryBudget {
    /// A budget of this many breaks.
    pub(super) fn new(most: u32) -> Self {
        Self { breaks: Arc::default(), most }
    }

    /// Waits before a read goes on after a break.
    ///
    /// # Errors
    /// Gives the break back where there were too many.
    pub(super) async fn after(&self, error: ObjectError) -> Result<(), ObjectError> {
        let before = self.breaks.fetch_add(1, Ordering::Relaxed);
        if before >= self.most {
            return Err(error);
        }
        tracing::debug!(error = %chain(&error), breaks = before + 1, "a read goes on after a break");
        tokio::time::sleep((FIRST_WAIT * 2u32.pow(before.min(8))).min(MOST_WAIT)).await;
        Ok(())
    }
}
