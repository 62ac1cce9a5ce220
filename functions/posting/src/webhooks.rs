//! Hearing: TikTok says something by itself, and its word is applied.
//!
//! A webhook brings the same news as a poll, sooner, and goes the same way: the
//! post is settled, conditionally. It may come before the poll, after it, or in
//! the midst of it, and while a worker still holds the post: whoever writes
//! second was overtaken, and reads what is true. So nothing depends on a webhook
//! but the delay. One that finds no post, since TikTok was quicker than the
//! index, or the publish is another stack's, changes nothing: a post that has a
//! publish is asked about all the same.
//!
//! ```text
//!  verify ─▶ read ─▶ a publish's word ─▶ its post, settled ─────┐
//!                 ├▶ a consent's end ──▶ account and posts wait ├─▶ kept in the inbox ─▶ 200
//!                 └▶ anything else ─────────────────────────────┘
//! ```
//!
//! Where something could not be stored, the caller hears of it, and TikTok comes
//! again; everything before that may be done twice.

mod deauthorization;

use domain::account::Account;
use domain::identity::{OpenId, PostId};
use domain::report::{Links, WebhookEvent};
use domain::secret::SecretString;
use jiff::Timestamp;
use storage::{AppSecretError, SaveError, StoreError, WebhookLog, WebhookRecord};
use tiktok::{Event, Webhook, WebhookError};
use tracing::Instrument as _;

use crate::config::ConfigError;
use crate::poll::linked;
use crate::posting::Posting;
use crate::record_state::span_of;

/// How often a post or an account is read again where somebody else changed it.
const TRIES: u32 = 8;

/// Where what was heard is kept, read once at cold start.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// `WEBHOOKS_TABLE`: the table of what TikTok said.
    pub webhooks_table: String,
}

impl WebhookConfig {
    /// Reads the parameter from wherever `variable` finds it.
    ///
    /// # Errors
    /// It is missing.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let name = "WEBHOOKS_TABLE";
        let missing = || ConfigError { name, problem: "is not set; the template sets it".into() };
        Ok(Self { webhooks_table: variable(name).ok_or_else(missing)? })
    }
}

/// Why a webhook was not heard; nothing of it counts.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It is not TikTok's, or has nothing of a webhook's form.
    #[error("the webhook is refused")]
    Refused(#[from] WebhookError),
    /// The app's secret could not be had. TikTok comes again.
    #[error("the webhook cannot be verified now")]
    App(#[from] AppSecretError),
    /// What it says could not be stored. TikTok comes again.
    #[error("what the webhook says could not be stored")]
    Store(#[from] StoreError),
    /// What it is about changed each time that it was to be changed. TikTok comes again.
    #[error("what the webhook is about is being changed by others")]
    Busy,
}

/// What came of a word about a publish.
struct Applied {
    post: Option<PostId>,
    outcome: String,
}

impl Posting {
    /// Hears a webhook: what it says is stored when this returns.
    ///
    /// # Errors
    /// See [`ReceiveError`].
    pub async fn receive_webhook(
        &self,
        inbox: &WebhookLog,
        signature: Option<&str>,
        body: &[u8],
        deadline: Timestamp,
    ) -> Result<(), ReceiveError> {
        let app = self.app.get(self.now()).await?;
        let secrets: Vec<&SecretString> =
            std::iter::once(&app.client_secret).chain(app.previous_client_secret.as_ref()).collect();
        let webhook = Webhook::open(&secrets, signature, body, self.now())?;
        let Applied { post, outcome } = match &webhook.event {
            Event::Publish(word) => self.apply_event(word, webhook.user.as_ref()).await?,
            Event::Deauthorized(removal) => {
                let outcome = self.apply_deauthorization(&webhook, removal.meaning(), deadline).await?;
                Applied { post: None, outcome }
            }
            Event::Other => Applied { post: None, outcome: "there is nothing to do about it".to_owned() },
        };
        let publish_id = match &webhook.event {
            Event::Publish(word) => Some(&word.publish_id),
            Event::Deauthorized(_) | Event::Other => None,
        };
        tracing::info!(
            webhook.event = webhook.name,
            publish.id = publish_id.map(tracing::field::display),
            post.id = post.as_ref().map(tracing::field::display),
            "webhook heard: {outcome}"
        );
        let letter = WebhookRecord {
            // What is no text is no JSON, and was refused.
            body: std::str::from_utf8(body).unwrap_or_default(),
            event: &webhook.name,
            publish_id,
            user: webhook.user.as_ref(),
            at: webhook.at,
            post: post.as_ref(),
            outcome: &outcome,
        };
        Ok(inbox.keep(&letter, self.now()).await?)
    }

    async fn apply_event(&self, word: &WebhookEvent, user: Option<&OpenId>) -> Result<Applied, ReceiveError> {
        let mut heeded = Applied { post: None, outcome: "no post has this publish".to_owned() };
        for id in self.posts.of_publish(&word.publish_id).await? {
            let outcome = self.heed_for(&id, word, user).await?;
            heeded = Applied { post: Some(id), outcome };
        }
        Ok(heeded)
    }

    /// Applies a word to a post; tells what came of it.
    async fn heed_for(&self, id: &PostId, word: &WebhookEvent, user: Option<&OpenId>) -> Result<String, ReceiveError> {
        for _ in 0..TRIES {
            let Some(kept) = self.posts.get(id).await? else {
                return Ok("its post was deleted".to_owned());
            };
            let account = self.accounts.get(&kept.account).await?.map(|kept| kept.value);
            if !concerns(account.as_ref(), user) {
                return Ok("the post's account is another TikTok user's".to_owned());
            }
            let now = self.now();
            let next = match kept.value.clone().apply_event(word, now) {
                Ok(heeded) => linked(heeded, account.as_ref(), Links::default(), now),
                Err(why) => return Ok(why.to_string()),
            };
            let before = kept.state_name();
            match self.posts.save(kept, next, now).await {
                Ok(kept) => {
                    if kept.state_name() != before {
                        let told = async {
                            self.record_state(&kept).await;
                            self.settle_turn(&kept).await;
                        };
                        told.instrument(span_of(&kept)).await;
                    }
                    return Ok(format!("the post was {before} and is {}", kept.state_name()));
                }
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(ReceiveError::Busy)
    }
}

/// Tells whether a word about a user's publish can be about an account's post.
fn concerns(account: Option<&Account>, user: Option<&OpenId>) -> bool {
    account.is_some_and(|account| user.is_none_or(|user| account.open_id == *user))
}
