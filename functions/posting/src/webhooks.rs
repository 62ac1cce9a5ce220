//! Applies TikTok's webhooks.
//!
//! A webhook states the same as the report of a poll, but sooner, and is applied in the same way, by a conditional
//! write. It may arrive before a poll, after it, during it, or while a worker holds the post's lease. The second writer
//! gets a conflict, and reads the post again. Every post with a publish is polled too (`poller.rs`), so webhooks only
//! shorten the delay. If no post has the publish, nothing is changed: the index may not have the post yet, or the
//! publish may belong to another stack.
//!
//! ```text
//!  verify ─▶ read ─┬▶ event of a publish ─▶ its post is updated ───────────┐
//!                  ├▶ deauthorization ────▶ account marked, posts deferred ─┼▶ recorded in the webhook log ─▶ 200
//!                  └▶ any other event ──────────────────────────────────────┘
//! ```
//!
//! If a write fails, the caller gets an error and TikTok sends the webhook again. Every step must therefore be safe to
//! repeat.

mod deauthorization;

use std::sync::Arc;

use domain::account::Account;
use domain::identity::{OpenId, PostId};
use domain::post::Post;
use domain::report::{Links, WebhookEvent};
use domain::secret::SecretString;
use jiff::Timestamp;
use storage::{Accounts, AppSecret, AppSecretError, Posts, StoreError, Versioned, WebhookLog, WebhookRecord};
use tiktok::{Event, Webhook, WebhookError};
use tracing::Instrument as _;

use crate::account_queue::AccountQueue;
use crate::compare_and_swap::{Change, update};
use crate::config::{ConfigError, required};
use crate::invocation::Instruments;
use crate::links::with_links;
use crate::open_posts::OpenPosts;
use crate::repost_check::RepostCheck;
use crate::state_recorder::{StateRecorder, span_of};

/// Why a webhook was not processed. Except for [`ReceiveError::Rejected`], TikTok sends it again.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The webhook is not TikTok's, or malformed. Nothing was done.
    #[error("webhook rejected")]
    Rejected(#[from] WebhookError),
    /// The app's secret cannot be read, so the signature cannot be verified.
    #[error("webhook not verified")]
    App(#[from] AppSecretError),
    /// The webhook's event or its log record could not be stored.
    #[error("webhook not stored")]
    Store(#[from] StoreError),
    /// Other writers changed the post or the account at each attempt.
    #[error("the webhook's post or account is being changed by others")]
    Busy,
}

/// The setting for webhooks, from an environment variable of `api` that `template.yaml` sets.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// `WEBHOOKS_TABLE`: the table of received webhooks.
    pub webhooks_table: String,
}

impl WebhookConfig {
    /// Reads the setting.
    ///
    /// # Errors
    /// A variable is not set.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self { webhooks_table: required(variable, "WEBHOOKS_TABLE")? })
    }
}

from_dependencies! {
    /// Receives webhooks.
    pub struct Webhooks {
        posts: Posts, accounts: Accounts, open_posts: OpenPosts, app: Arc<AppSecret>,
        queue: AccountQueue, reposts: RepostCheck, recorder: StateRecorder, instruments: Instruments,
    }
}

impl Webhooks {
    /// Verifies a webhook, applies it, and records it in the log. When this returns `Ok`, everything is stored and the
    /// caller may answer 200.
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
        // After a rotation of the secret, TikTok may still sign with the previous one.
        let secrets: Vec<&SecretString> =
            std::iter::once(&app.client_secret).chain(app.previous_client_secret.as_ref()).collect();
        let webhook = Webhook::open(&secrets, signature, body, self.instruments.now())?;
        let user = webhook.user.as_ref();
        let is_other_app = webhook.client_key.as_ref().is_some_and(|key| *key != app.client_key);
        let (publish_id, post, outcome) = match &webhook.event {
            _ if is_other_app => (None, None, "it is about another app".to_owned()),
            Event::Publish(event) => {
                let mut applied = (None, "no post has this publish".to_owned());
                for id in self.posts.of_publish(&event.publish_id).await? {
                    let outcome = Box::pin(self.apply_to_post(&id, event, user)).await?;
                    applied = (Some(id), outcome);
                }
                (Some(&event.publish_id), applied.0, applied.1)
            }
            Event::Deauthorized(reason) => {
                let deauthorized = self.apply_deauthorization(user, webhook.at, reason.meaning(), deadline);
                let outcome = Box::pin(deauthorized).await?;
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
            Ok((before, post)) => {
                let record = async {
                    self.recorder.record_state(&post).await;
                    self.queue.after_transition(&post).await;
                    self.reposts.after_transition(&post).await;
                };
                if post.state_name() != before {
                    record.instrument(span_of(&post)).await;
                }
                Ok(format!("the post was {before} and is {}", post.state_name()))
            }
            Err(outcome) => Ok(outcome),
        }
    }
}

/// Tells whether an event about a user's publish can be about an account's post. An event may name no user.
fn belongs_to(account: Option<&Account>, user: Option<&OpenId>) -> bool {
    account.is_some_and(|account| user.is_none_or(|user| account.open_id == *user))
}
