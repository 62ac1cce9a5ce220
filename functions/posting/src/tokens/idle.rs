//! Accounts that nobody posts to: their tokens are exchanged before they end.

use domain::account::TokenUse;
use domain::identity::Alias;
use futures::{StreamExt, stream};
use storage::StoreError;

use crate::measure::Measurement;
use crate::posting::{Posting, Worker};

/// How many accounts are seen to at once.
const AT_ONCE: usize = 4;

/// What a look at the idle accounts did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenewalSummary {
    /// Accounts whose pair is new, or was by the time that it was looked at.
    pub renewed: u32,
    /// Accounts for which it failed; it is tried again in an hour, or they must
    /// be connected again.
    pub failed: u32,
}

impl Posting {
    /// Exchanges the tokens of accounts that have been idle for so long that
    /// their refresh token is near its end. Without it, an account that is not
    /// posted to for half a year would have to be connected again.
    ///
    /// # Errors
    /// The accounts could not be looked up.
    pub async fn renew_idle(&self, worker: &Worker) -> Result<RenewalSummary, StoreError> {
        let due = self.accounts.due_for_renewal(self.now()).await?;
        let renewals = stream::iter(due).map(|alias| self.renew(alias, worker)).buffer_unordered(AT_ONCE);
        tokio::pin!(renewals);
        let mut summary = RenewalSummary::default();
        while let Some(renewed) = renewals.next().await {
            let count = if renewed { &mut summary.renewed } else { &mut summary.failed };
            *count += 1;
        }
        if summary != RenewalSummary::default() {
            self.measure(&Measurement::near_end(summary.failed));
        }
        Ok(summary)
    }

    async fn renew(&self, alias: Alias, worker: &Worker) -> bool {
        let renewed = self.keep_alive(&alias, TokenUse::Renewal, worker).await;
        if let Err(why) = &renewed {
            tracing::warn!(account = %alias, why = %why, "an idle account's tokens could not be exchanged");
        }
        renewed.is_ok()
    }
}
