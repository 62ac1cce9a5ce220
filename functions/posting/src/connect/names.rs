//! The names of a user who just authorized: wished for, and never waited for
//! long, since the account is connected without them.

use std::time::Duration;

use domain::account::Account;
use domain::failure::error_chain;
use jiff::Timestamp;
use storage::Versioned;
use tiktok::TokenResponse;

use super::Connections;

/// How long TikTok is waited for.
const PATIENCE: Duration = Duration::from_secs(6);

/// The user's names, as far as they are known.
#[derive(Default)]
struct Names {
    username: Option<String>,
    display_name: Option<String>,
}

impl Connections {
    /// The account with its user's names, as far as TikTok tells them.
    pub(super) async fn named(
        &self,
        stored: Versioned<Account>,
        grant: &TokenResponse,
        deadline: Timestamp,
    ) -> Account {
        let left = Duration::try_from(deadline.duration_since(self.posting.now())).unwrap_or_default();
        let told = tokio::time::timeout(PATIENCE.min(left), self.names(grant)).await.unwrap_or_else(|_| {
            tracing::warn!(account = %stored.alias, "TikTok did not tell the user's names in time");
            Names::default()
        });
        let before = stored.value.clone();
        let account = Account {
            username: told.username.or(before.username.clone()),
            display_name: told.display_name.or(before.display_name.clone()),
            ..before
        };
        if account == *stored {
            return account;
        }
        match self.posting.accounts.save(&stored, account, self.posting.now()).await {
            Ok(kept) => kept.value,
            Err(error) => {
                tracing::warn!(account = %stored.alias, error = error_chain(&error), "the user's names were not stored");
                stored.value
            }
        }
    }

    /// Asks for the user, and where that does not tell the name in links and the
    /// scopes allow it, for the creator.
    async fn names(&self, grant: &TokenResponse) -> Names {
        let mut names = Names::default();
        match self.posting.tiktok.user(&grant.access, &grant.scopes).await {
            Ok(user) => names = Names { username: user.username, display_name: user.display_name },
            Err(error) => tracing::warn!(error = error_chain(&error), "TikTok did not tell who the user is"),
        }
        if names.username.is_some() || !grant.scopes.allow("video.publish") {
            return names;
        }
        match self.posting.tiktok.creator(&grant.access).await {
            Ok(creator) => Names {
                username: Some(creator.username).filter(|name| !name.is_empty()),
                display_name: names.display_name.or(Some(creator.nickname).filter(|name| !name.is_empty())),
            },
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "TikTok did not tell who the creator is");
                names
            }
        }
    }
}
