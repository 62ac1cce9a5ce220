//! Applies TikTok's webhook that a user's authorization has ended: the account must be connected again, and its posts
//! wait until then.
//!
//! The webhook may arrive late, after the same user has authorized again. It is ignored if tokens were granted after
//! the time that it states.

use domain::account::{Account, Connection};
use domain::identity::{Alias, OpenId};
use jiff::Timestamp;
use storage::Versioned;

use super::{ReceiveError, Webhooks};
use crate::compare_and_swap::{Change, update};
use crate::measure::Measurement;

impl Webhooks {
    /// Marks the accounts of a user whose authorization ended at `at`, and returns a sentence about the outcome.
    pub(super) async fn apply_deauthorization(
        &self,
        user: Option<&OpenId>,
        at: Timestamp,
        why: &str,
        deadline: Timestamp,
    ) -> Result<String, ReceiveError> {
        let Some(user) = user else {
            return Ok("it does not name the user whose authorization has ended".to_owned());
        };
        let mut outcome = "no connected account has this authorization".to_owned();
        for alias in self.accounts.aliases_of(user).await? {
            if self.mark(&alias, user, at, why).await? {
                let posts = self.open_posts.defer(&alias, why, deadline).await;
                outcome =
                    format!("the account \"{alias}\" must be connected again, and {posts} of its posts wait for that");
            }
        }
        Ok(outcome)
    }

    /// Marks an account as to be connected again, if the ended authorization is the one that it uses; returns whether
    /// it was marked.
    async fn mark(&self, alias: &Alias, user: &OpenId, at: Timestamp, why: &str) -> Result<bool, ReceiveError> {
        let marked = update(
            None,
            || async move { Ok(self.accounts.get(alias).await?) },
            |account: Option<Versioned<Account>>| {
                let Some(account) = account.filter(|account| has_ended(account, user, at)) else {
                    return Ok::<_, ReceiveError>(Change::Stop(false));
                };
                let marked = account.value.clone().authorization_lost(why, self.instruments.now());
                Ok(Change::Save((account, marked)))
            },
            |(account, marked): (Versioned<Account>, Account)| async move {
                self.accounts.save(account, marked, self.instruments.now()).await?;
                tracing::error!(account = %alias, why, "the account's authorization has ended: connect it again");
                self.instruments.measure(&Measurement::authorization_lost(alias));
                Ok(true)
            },
        );
        marked.await?.ok_or(ReceiveError::Busy)
    }
}

/// Tells whether an account is connected by the authorization of a user that ended at `at`. TikTok's times are whole
/// seconds.
fn has_ended(account: &Account, user: &OpenId, at: Timestamp) -> bool {
    let granted_since = account.tokens.granted_at.as_second() > at.as_second();
    account.open_id == *user && account.connection == Connection::Connected && !granted_since
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::account::{Scopes, TokenPair};

    #[test]
    fn deauthorization_before_the_newest_grant_is_ignored() {
        let (anna, other) = (OpenId::new("open-1").unwrap(), OpenId::new("open-2").unwrap());
        let granted: Timestamp = "2026-06-01T12:00:00.9Z".parse().unwrap();
        let pair = TokenPair { granted_at: granted, ..TokenPair::forgotten(granted) };
        let account = Account::new(Alias::new("anna").unwrap(), anna.clone(), Scopes::default(), pair);
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        assert!(has_ended(&account, &anna, at("2026-06-01T12:00:00Z")), "the same second: its fraction is not known");
        assert!(has_ended(&account, &anna, at("2026-06-02T00:00:00Z")));
        assert!(!has_ended(&account, &anna, at("2026-06-01T11:59:59Z")), "it is about an earlier authorization");
        assert!(!has_ended(&account, &other, at("2026-06-02T00:00:00Z")));
        let marked = account.authorization_lost("again", granted);
        assert!(!has_ended(&marked, &anna, at("2026-06-02T00:00:00Z")), "the first mark keeps its time and cause");
    }
}
