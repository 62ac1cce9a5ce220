//! Renewal: refreshes the tokens of idle accounts (no call has needed them) before their refresh tokens expire.

use domain::account::TokenUse;
use domain::identity::Alias;
use futures::{StreamExt, stream};
use storage::{Accounts, StoreError};

use crate::invocation::{Instruments, Worker};
use crate::measure::Measurement;
use crate::tokens::Tokens;

/// How many accounts are refreshed at once.
const CONCURRENCY: usize = 4;

/// What a run of [`Renewal`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenewalSummary {
    /// Accounts that have a new pair of tokens, from this run or from another worker meanwhile.
    pub renewed: u32,
    /// Accounts whose refresh failed. It is retried in an hour, or the account must be connected again.
    pub failed: u32,
}

from_dependencies! {
    /// Refreshes the tokens of idle accounts.
    pub struct Renewal { accounts: Accounts, tokens: Tokens, instruments: Instruments, }
}

impl Renewal {
    /// Refreshes the tokens of accounts that have been idle for so long that their refresh token soon expires. Without
    /// this, an account without posts for half a year would have to be connected again.
    ///
    /// # Errors
    /// The index of idle accounts could not be read.
    pub async fn renew_idle(&self, worker: &Worker) -> Result<RenewalSummary, StoreError> {
        let due = self.accounts.due_for_renewal(self.instruments.now()).await?;
        let renewals = stream::iter(due).map(|alias| self.renew(alias, worker)).buffer_unordered(CONCURRENCY);
        let count = async |sum: RenewalSummary, renewed: bool| RenewalSummary {
            renewed: sum.renewed + u32::from(renewed),
            failed: sum.failed + u32::from(!renewed),
        };
        let summary = renewals.fold(RenewalSummary::default(), count).await;
        // A run without due accounts measures nothing.
        if summary != RenewalSummary::default() {
            self.instruments.measure(&Measurement::refresh_failures(summary.failed));
        }
        Ok(summary)
    }

    async fn renew(&self, alias: Alias, worker: &Worker) -> bool {
        let renewed = self.tokens.keep_alive(&alias, TokenUse::Renewal, worker).await;
        if let Err(why) = &renewed {
            tracing::warn!(account = %alias, why = %why, "tokens of an idle account not refreshed");
        }
        renewed.is_ok()
    }
}
