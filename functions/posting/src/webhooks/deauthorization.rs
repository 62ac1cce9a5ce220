//! A consent has ended, says TikTok: the account waits to be connected again, and
//! its posts say so.
//!
//! A word about a consent that is over may come late: after the same user has
//! authorized again. So it counts only where no tokens were granted since.

use domain::account::{Account, Connection};
use domain::failure::error_chain;
use domain::identity::{Alias, OpenId};
use domain::post::Post;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{SaveError, Versioned};
use tiktok::Webhook;

use super::{ReceiveError, TRIES};
use crate::exit::{Exit, RECONNECT_LOOK};
use crate::measure::Measurement;
use crate::posting::Posting;

/// How many posts are written at once.
const AT_ONCE: usize = 8;

impl Posting {
    /// Marks the accounts of a user whose consent has ended; tells what came of it.
    pub(super) async fn apply_deauthorization(
        &self,
        webhook: &Webhook,
        why: &str,
        deadline: Timestamp,
    ) -> Result<String, ReceiveError> {
        let Some(user) = &webhook.user else {
            return Ok("it does not say whose consent has ended".to_owned());
        };
        let mut outcome = "no account waits for it".to_owned();
        for alias in self.accounts.aliases_of(user).await? {
            if self.part_from(&alias, user, webhook.at, why).await? {
                let awaiting_reconnect = self.park(&alias, why, deadline).await;
                outcome = format!(
                    "the account \"{alias}\" is to be connected again, and {awaiting_reconnect} of its posts wait for that"
                );
            }
        }
        Ok(outcome)
    }

    /// Marks an account; tells whether it had to be.
    async fn part_from(&self, alias: &Alias, user: &OpenId, at: Timestamp, why: &str) -> Result<bool, ReceiveError> {
        for _ in 0..TRIES {
            let Some(kept) = self.accounts.get(alias).await? else { return Ok(false) };
            if !has_ended(&kept, user, at) {
                return Ok(false);
            }
            let authorization_lost = kept.value.clone().authorization_lost(why, self.now());
            match self.accounts.save(kept, authorization_lost, self.now()).await {
                Ok(_) => {
                    tracing::error!(account = %alias, why, "the account's consent has ended: connect it again");
                    self.measure(&Measurement::consent_lost(alias.as_str()));
                    return Ok(true);
                }
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(ReceiveError::Busy)
    }

    /// Has the account's posts that wait to be worked on wait for it instead; tells
    /// how many. Those for which there is no time say so when they are taken up.
    async fn park(&self, alias: &Alias, why: &str, deadline: Timestamp) -> u32 {
        let Exit::Defer { message, .. } = Exit::needs_reconnect(why) else { return 0 };
        let mut awaiting_reconnect = 0;
        let mut after = None;
        while self.now() < deadline {
            let page = match self.posts.open_of(alias, after.take()).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(account = %alias, error = error_chain(&error), "posts not awaiting_reconnect: they find out by themselves");
                    break;
                }
            };
            let posts = stream::iter(page.posts).map(|kept| self.park_one(kept, &message)).buffer_unordered(AT_ONCE);
            awaiting_reconnect +=
                posts.fold(0, async |sum, awaiting_reconnect| sum + u32::from(awaiting_reconnect)).await;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        awaiting_reconnect
    }

    async fn park_one(&self, kept: Versioned<Post>, message: &str) -> bool {
        let now = self.now();
        let Ok(awaiting_reconnect) = kept.value.clone().awaiting_reconnect(message, RECONNECT_LOOK, now) else {
            return false;
        };
        self.posts.save(kept, awaiting_reconnect, now).await.is_ok()
    }
}

/// Tells whether it is this account's consent that has ended. TikTok's times are
/// whole seconds.
fn has_ended(account: &Account, user: &OpenId, at: Timestamp) -> bool {
    let stands = account.tokens.granted_at.as_second() > at.as_second();
    account.open_id == *user && account.connection == Connection::Connected && !stands
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::account::{Scopes, TokenPair};

    #[test]
    fn a_consent_that_was_given_since_has_not_ended() {
        let (anna, other) = (OpenId::new("open-1").unwrap(), OpenId::new("open-2").unwrap());
        let granted: Timestamp = "2026-06-01T12:00:00.9Z".parse().unwrap();
        let pair = TokenPair { granted_at: granted, ..TokenPair::forgotten(granted) };
        let account = Account::new(Alias::new("anna").unwrap(), anna.clone(), Scopes::default(), pair);
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        assert!(has_ended(&account, &anna, at("2026-06-01T12:00:00Z")), "in the same second, whose parts are not told");
        assert!(has_ended(&account, &anna, at("2026-06-02T00:00:00Z")));
        assert!(!has_ended(&account, &anna, at("2026-06-01T11:59:59Z")), "it is about the consent before");
        assert!(!has_ended(&account, &other, at("2026-06-02T00:00:00Z")));
        let authorization_lost = account.authorization_lost("again", granted);
        assert!(
            !has_ended(&authorization_lost, &anna, at("2026-06-02T00:00:00Z")),
            "since when, and why, stays as it is"
        );
    }
}
