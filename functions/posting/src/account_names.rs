//! Keeps the names of an account's TikTok user up to date. The username is part of the link to a post.
//!
//! TikTok states the names whenever it is asked for the creator, which happens before every direct post. So an account
//! gets its names even if TikTok did not state them when it was connected, and a new name after the user changed it.

use domain::account::Account;
use domain::creator::Creator;
use domain::failure::error_chain;
use storage::{Accounts, StoreError, Versioned};

use crate::compare_and_swap::{Change, update};
use crate::invocation::Instruments;

from_dependencies! {
    pub(crate) struct AccountNames { accounts: Accounts, instruments: Instruments, }
}

impl AccountNames {
    /// Stores the names that TikTok stated for the user of `asked`, the account as it was before the call. Nothing is
    /// written if the names are stored already, or if the account has another user now.
    ///
    /// A failure is only logged: the next direct post does the same.
    pub(crate) async fn remember(&self, asked: &Versioned<Account>, creator: &Creator) {
        let (alias, now) = (&asked.alias, self.instruments.now());
        let stored = update(
            Some(Some(asked.clone())),
            || async { self.accounts.get(alias).await },
            |account: Option<Versioned<Account>>| {
                let Some(account) = account.filter(|account| account.open_id == asked.open_id) else {
                    return Ok::<_, StoreError>(Change::Stop(()));
                };
                let named = account.value.clone().named(creator);
                if named == account.value { Ok(Change::Stop(())) } else { Ok(Change::Save((account, named))) }
            },
            |(account, named)| async move { self.accounts.save(&account, named, now).await.map(drop) },
        );
        match stored.await {
            Ok(Some(())) => {}
            Ok(None) => tracing::warn!(account = %alias, "the user's names were not stored: others change the account"),
            Err(error) => {
                tracing::warn!(account = %alias, error = error_chain(&error), "the user's names were not stored");
            }
        }
    }
}
