//! A number of retries that several concurrent reads of one object share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::ObjectError;

/// The wait before the first retry. It doubles with each retry, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_millis(1600);

/// The retries that are left. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct RetryBudget {
    spent: Arc<AtomicU32>,
    max: u32,
}

impl RetryBudget {
    /// Permits this many retries.
    pub(super) fn new(max: u32) -> Self {
        Self { spent: Arc::default(), max }
    }

    /// Spends one retry, and waits before the read resumes.
    ///
    /// # Errors
    /// Returns `error` if no retry is left.
    pub(super) async fn spend(&self, error: ObjectError) -> Result<(), ObjectError> {
        let spent_before = self.spent.fetch_add(1, Ordering::Relaxed);
        if spent_before >= self.max {
            return Err(error);
        }
        tracing::debug!(error = %error, retry = spent_before + 1, "read resumed");
        tokio::time::sleep((FIRST_BACKOFF * 2u32.pow(spent_before.min(8))).min(MAX_BACKOFF)).await;
        Ok(())
    }
}
