//! Applies TikTok's webhooks.
//!
//! A webhook brings the same news as a poll, but sooner, and is applied in the same way: conditionally. It may arrive
//! before a poll, after it, during it, or while a worker holds the post. The second writer gets a conflict, and reads
//! the post again. Only the delay depends on webhooks: a post with a publish is polled in any case. So a webhook that
//! finds no post changes nothing. TikTok may have been faster than the index, or the publish may belong to another
//! stack.
//!
//! ```text
//!  verify ─▶ read ─┬▶ event of a publish ─▶ its post is updated ───────────┐
//!                  ├▶ deauthorization ────▶ account marked, posts deferred ─┼▶ recorded in the webhook log ─▶ 200
//!                  └▶ any other event ──────────────────────────────────────┘
//! ```
//!
//! If something cannot be stored, the caller gets an error, and TikTok sends the webhook again. Every step before may
//! then be done twice.

mod deauthorization;
mod error;

use std::sync::Arc;

use domain::account::Account;
use domain::identity::{OpenId, PostId};
use domain::post::{Post, StateName};
use domain::report::{Links, WebhookEvent};
use domain::secret::SecretString;
use jiff::Timestamp;
use storage::{Accounts, AppSecret, Posts, Versioned, WebhookLog, WebhookRecord};
use tiktok::{Event, Webhook};
use tracing::Instrument as _;

use crate::account_queue::AccountQueue;
use crate::compare_and_swap::{Change, update};
use crate::config::ConfigError;
use crate::invocation::Instruments;
use crate::links::with_links;
use crate::state_recorder::{StateRecorder, span_of};

use deauthorization::Deauthorization;
pub use error::ReceiveError;

/// Where received webhooks are recorded.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// `WEBHOOKS_TABLE`: the table of received webhooks.
    pub webhooks_table: String,
}

impl WebhookConfig {
    /// Reads the parameters.
    ///
    /// # Errors
    /// A variable is not set.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let name = "WEBHOOKS_TABLE";
        Ok(Self { webhooks_table: variable(name).ok_or_else(|| ConfigError::missing(name))? })
    }
}

from_dependencies! {
    /// Receives webhooks.
    pub struct Webhooks {
        posts: Posts, accounts: Accounts, app: Arc<AppSecret>, deauthorization: Deauthorization,
        queue: AccountQueue, recorder: StateRecorder, instruments: Instruments,
    }
}

impl Webhooks {
    /// Verifies a webhook, applies it, and records it in the log. Everything is stored when this returns.
    ///
    /// # Errors
    /// See [`ReceiveError`].
    pub async fn receive(
        &self,
        log: &WebhookLog,
        signature: Option<&str>,
        body: &[u8],
        deadline: Timestamp,
    ) -> Result<(), ReceiveError> {
        let app = self.app.get(self.instruments.now()).await?;
        let secrets: Vec<&SecretString> =
            std::iter::once(&app.client_secret).chain(app.previous_client_secret.as_ref()).collect();
        let webhook = Webhook::open(&secrets, signature, body, self.instruments.now())?;
        let user = webhook.user.as_ref();
        let (publish_id, post, outcome) = match &webhook.event {
            Event::Publish(event) => {
                let (post, outcome) = self.apply_event(event, user).await?;
                (Some(&event.publish_id), post, outcome)
            }
            Event::Deauthorized(reason) => {
                let outcome = self.deauthorization.apply(user, webhook.at, reason.meaning(), deadline).await?;
                (None, None, outcome)
            }
            Event::Other => (None, None, "there is nothing to do about it".to_owned()),
        };
        tracing::info!(
            webhook.event = webhook.name,
            publish.id = publish_id.map(tracing::field::display),
            post.id = post.as_ref().map(tracing::field::display),
            "webhook received: {outcome}"
        );
        let record = WebhookRecord {
            // A body that is not UTF-8 is not JSON, and was rejected above.
            body: std::str::from_utf8(body).unwrap_or_default(),
            event: &webhook.name,
            publish_id,
            user,
            at: webhook.at,
            post: post.as_ref(),
            outcome: &outcome,
        };
        Ok(log.keep(&record, self.instruments.now()).await?)
    }

    /// Applies an event to the post of its publish, and returns the post and a sentence about the outcome.
    async fn apply_event(
        &self,
        event: &WebhookEvent,
        user: Option<&OpenId>,
    ) -> Result<(Option<PostId>, String), ReceiveError> {
        let mut applied = (None, "no post has this publish".to_owned());
        for id in self.posts.of_publish(&event.publish_id).await? {
            let outcome = self.apply_to_post(&id, event, user).await?;
            applied = (Some(id), outcome);
        }
        Ok(applied)
    }

    /// Applies an event to a post, and returns a sentence about the outcome.
    async fn apply_to_post(
        &self,
        id: &PostId,
        event: &WebhookEvent,
        user: Option<&OpenId>,
    ) -> Result<String, ReceiveError> {
        let updated = update(
            None,
            || async move {
                let Some(post) = self.posts.get(id).await? else { return Ok(None) };
                let account = self.accounts.get(&post.account).await?.map(|account| account.value);
                Ok(Some((post, account)))
            },
            |read: Option<(Versioned<Post>, Option<Account>)>| {
                let stop = |outcome: &str| Ok::<_, ReceiveError>(Change::Stop(Err(outcome.to_owned())));
                let Some((post, account)) = read else { return stop("its post was deleted") };
                if !belongs_to(account.as_ref(), user) {
                    return stop("the post's account is another TikTok user's");
                }
                let now = self.instruments.now();
                match post.value.clone().apply_event(event, now) {
                    Ok(next) => Ok(Change::Save((post, with_links(next, account.as_ref(), Links::default(), now)))),
                    Err(ignored) => stop(&ignored.to_string()),
                }
            },
            |(post, next): (Versioned<Post>, Post)| async move {
                let before = post.state_name();
                self.posts.save(post, next, self.instruments.now()).await.map(|saved| Ok((before, saved)))
            },
        );
        match updated.await?.ok_or(ReceiveError::Busy)? {
            Ok((before, post)) => Ok(self.follow_up(before, &post).await),
            Err(outcome) => Ok(outcome),
        }
    }

    async fn follow_up(&self, before: StateName, post: &Post) -> String {
        if post.state_name() != before {
            let record = async {
                self.recorder.record_state(post).await;
                self.queue.after_transition(post).await;
            };
            record.instrument(span_of(post)).await;
        }
        format!("the post was {before} and is {}", post.state_name())
    }
}

/// Tells whether an event about a user's publish can be about an account's post.
fn belongs_to(account: Option<&Account>, user: Option<&OpenId>) -> bool {
    account.is_some_and(|account| user.is_none_or(|user| account.open_id == *user))
}
