//! Changes how an account posts: its preferences, such as its default options, and whether posts need a review.

use std::sync::Arc;

use domain::account::{Account, Preferences, PreferencesError, Requirement};
use domain::identity::Alias;
use domain::post::HoldReason;
use storage::{Accounts, StoreError, Versioned};

use crate::commands::Commands;
use crate::compare_and_swap::{Change, update};
use crate::config::Config;
use crate::invocation::Instruments;

/// Why an account was not configured. Its preferences are unchanged.
#[expect(missing_docs, reason = "the message of each undocumented variant says what it means")]
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    #[error("account \"{0}\" not found")]
    NotFound(Alias),
    #[error(transparent)]
    Invalid(#[from] PreferencesError),
    #[error("the account could not be stored")]
    Store(#[from] StoreError),
    #[error("the account is being changed by others: try again")]
    Busy,
}

from_dependencies! {
    /// Changes accounts' preferences.
    pub struct AccountSettings {
        accounts: Accounts, commands: Commands, config: Arc<Config>, instruments: Instruments,
    }
}

impl AccountSettings {
    /// Changes an account's preferences by a JSON merge patch: a missing field stays, `null` removes a preference.
    ///
    /// The change applies to posts that a worker claims from now on. Posts held for a removed requirement are
    /// released.
    ///
    /// # Errors
    /// The preferences are unchanged; or they were stored, and then a table failed and some posts are still held. The
    /// caller can repeat the same change, which releases these posts.
    pub async fn configure(&self, alias: &Alias, change: &[u8]) -> Result<Preferences, ConfigureError> {
        let stored = update(
            None,
            || async move { self.accounts.get(alias).await?.ok_or_else(|| ConfigureError::NotFound(alias.clone())) },
            |account: Versioned<Account>| {
                let preferences = account.preferences.changed(change, &self.config.defaults)?;
                let configured = Account { preferences, ..account.value.clone() };
                Ok(Change::Save((account, configured)))
            },
            |(account, configured)| self.accounts.save(account, configured, self.instruments.now()),
        );
        let preferences = stored.await?.ok_or(ConfigureError::Busy)?.value.preferences;
        tracing::info!(account = %alias, "account configured");
        let requirements = [(preferences.sidecar, HoldReason::Sidecar), (preferences.review, HoldReason::Review)];
        for (_, reason) in requirements.into_iter().filter(|(required, _)| *required == Requirement::Optional) {
            let released = Box::pin(self.commands.release_held(alias, &reason)).await?;
            if released > 0 {
                tracing::info!(account = %alias, posts.released = released, ?reason, "held posts released");
            }
        }
        Ok(preferences)
    }
}
