//! The commands of the control interface, as methods of [`World`], and the JSON bodies they take.
//!
//! A command plays TikTok, one of its users or the passing of time; none plays the client
//! under test. [`crate::control`] offers the commands over HTTP, [`super::in_process`] in the same process.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{OpenId, PublishId};
use crate::ledger::{CallRecord, LedgerEntry};
use crate::publish::{Availability, FailReason, Flow, PublishState};
use crate::redirect::check_registration;
use crate::settings::Settings;
use crate::token_store::{Scope, TokenKind, TokenPair};
use crate::users::{PrivacyLevel, User};
use crate::webhooks::WebhookEvent;
use crate::world::World;

/// Why a command failed. A failed command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The command's body is malformed, or a value is not allowed. HTTP status 400.
    #[error("{0}")]
    Invalid(String),
    /// The user, publish or fault does not exist. HTTP status 404.
    #[error("{0}")]
    NotFound(String),
    /// The publish is in a state that does not allow the command. HTTP status 409.
    #[error("{0}")]
    Conflict(String),
}

/// The time of the simulator's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// The simulated time.
    pub now: Timestamp,
    /// How far the simulated time is ahead of the wall clock, in seconds.
    pub ahead_s: i64,
}

/// The scopes that a user grants to the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantScopes {
    /// The scopes; by default all.
    #[serde(default = "all_scopes")]
    pub(crate) scopes: Vec<Scope>,
}

fn all_scopes() -> Vec<Scope> {
    Scope::ALL.to_vec()
}

/// Which of a user's tokens expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpireTokens {
    /// Access tokens, refresh tokens, or both.
    pub(crate) which: TokenKind,
}

/// The caption and privacy level with which a creator posts a draft from the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftPost {
    /// The caption.
    #[serde(default)]
    pub title: String,
    /// Who may see the post.
    pub privacy_level: PrivacyLevel,
}

/// How far to advance the clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advance {
    pub(crate) seconds: u64,
}

/// Why the app's authorization ends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disconnect {
    /// The `reason` of the webhook `authorization.removed`; by default 1, the user disconnected the app.
    #[serde(default = "user_disconnected")]
    pub(crate) reason: u8,
}

fn user_disconnected() -> u8 {
    1
}

/// Why a publish fails.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailPublish {
    pub(crate) reason: FailReason,
}

/// The query of `GET /calls`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallsQuery {
    /// Only calls with a greater `seq` are returned; by default 0, so all calls.
    #[serde(default)]
    pub(crate) after: u64,
}

impl World {
    pub(crate) fn put_settings(&mut self, settings: Settings) -> Result<(), CommandError> {
        check_registration(&settings).map_err(CommandError::Invalid)?;
        self.settings = settings;
        Ok(())
    }

    /// Changes the settings that the JSON object contains, and keeps the others.
    pub(crate) fn patch_settings(&mut self, changes: &Value) -> Result<(), CommandError> {
        let invalid = |error: serde_json::Error| CommandError::Invalid(error.to_string());
        let mut settings = serde_json::to_value(&self.settings).map_err(invalid)?;
        let changes =
            changes.as_object().ok_or_else(|| CommandError::Invalid("settings must be a JSON object".to_owned()))?;
        for (name, value) in changes {
            settings[name] = value.clone();
        }
        self.put_settings(serde_json::from_value(settings).map_err(invalid)?)
    }

    pub(crate) fn clock_reading(&self) -> ClockReading {
        ClockReading { now: self.clock.now(), ahead_s: self.clock.offset().as_secs() }
    }

    /// Advances the clock, and applies every transition that became due.
    pub(crate) fn advance(&mut self, seconds: u64) -> ClockReading {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.apply_due_transitions();
        self.clock_reading()
    }

    pub(crate) fn list_users(&self) -> Vec<User> {
        self.users.values().cloned().collect()
    }

    pub(crate) fn put_user(&mut self, user: User) {
        self.users.insert(user.open_id.clone(), user);
    }

    fn require_user(&self, user: &OpenId) -> Result<(), CommandError> {
        if self.users.contains_key(user) {
            Ok(())
        } else {
            Err(CommandError::NotFound(format!("user {user} not found")))
        }
    }

    /// Issues a token pair, as a user's authorization on the page and the code exchange would.
    pub(crate) fn grant(&mut self, user: &OpenId, scopes: &[Scope]) -> Result<TokenPair, CommandError> {
        self.require_user(user)?;
        let scopes = scopes.iter().copied().collect();
        let now = self.clock.now();
        let pair = self.tokens.issue(user, &scopes, &self.settings, &mut self.ids, now);
        Ok(pair)
    }

    pub(crate) fn expire_tokens(&mut self, user: &OpenId, which: TokenKind) -> Result<(), CommandError> {
        self.require_user(user)?;
        let now = self.clock.now();
        self.tokens.expire(user, which, now);
        Ok(())
    }

    /// Removes a user's authorization of the app. `reason` is the number in the webhook.
    pub(crate) fn disconnect(&mut self, user: &OpenId, reason: u8) -> Result<(), CommandError> {
        self.require_user(user)?;
        let now = self.clock.now();
        self.remove_authorization(user, reason, now);
        Ok(())
    }

    pub(crate) fn clear_fault(&mut self, id: u64) -> Result<(), CommandError> {
        if self.faults.remove(id) { Ok(()) } else { Err(CommandError::NotFound(format!("fault {id} not found"))) }
    }

    /// Returns the publish's index.
    fn require_publish(&self, id: &PublishId) -> Result<usize, CommandError> {
        self.find_publish(id).ok_or_else(|| CommandError::NotFound(format!("publish {id} not found")))
    }

    pub(crate) fn publish_entry(&self, id: &PublishId) -> Result<LedgerEntry, CommandError> {
        Ok(self.entry(&self.publishes[self.require_publish(id)?]))
    }

    pub(crate) fn calls_after(&self, after: u64) -> Vec<CallRecord> {
        // `seq` counts from 1 without gaps, so `after` is also the number of calls to skip.
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        self.calls.iter().skip(after).cloned().collect()
    }

    /// Posts a draft from the creator's inbox. As on TikTok, a creator can post the same draft repeatedly.
    pub(crate) fn post_draft(&mut self, id: &PublishId, draft: DraftPost) -> Result<(), CommandError> {
        let index = self.require_publish(id)?;
        let publish = &self.publishes[index];
        let in_inbox = matches!(publish.state, PublishState::InInbox | PublishState::Published { .. });
        if publish.flow != Flow::Draft || !in_inbox {
            return Err(CommandError::Conflict(format!("publish {id} is not in an inbox")));
        }
        let now = self.clock.now();
        self.publish_video(index, draft.title, draft.privacy_level, now);
        Ok(())
    }

    pub(crate) fn fail_publish(&mut self, id: &PublishId, reason: FailReason) -> Result<(), CommandError> {
        let index = self.require_publish(id)?;
        if matches!(self.publishes[index].state, PublishState::Published { .. } | PublishState::Failed { .. }) {
            return Err(CommandError::Conflict(format!("publish {id} has already ended")));
        }
        let now = self.clock.now();
        self.fail(index, reason, now);
        Ok(())
    }

    /// Removes the public videos of a publish from public view, and sends a webhook for each.
    pub(crate) fn take_down(&mut self, id: &PublishId) -> Result<(), CommandError> {
        let index = self.require_publish(id)?;
        let mut removed = Vec::new();
        if let PublishState::Published { videos } = &mut self.publishes[index].state {
            for video in videos {
                if video.availability == Availability::Public {
                    video.availability = Availability::Removed;
                    removed.push(video.id);
                }
            }
        }
        if removed.is_empty() {
            return Err(CommandError::Conflict(format!("publish {id} has no public video")));
        }
        let now = self.clock.now();
        for video in removed {
            self.enqueue_webhook(index, &WebhookEvent::NoLongerPubliclyAvailable(video), now);
        }
        Ok(())
    }

    /// Expires the upload URL of a publish now.
    pub(crate) fn expire_upload(&mut self, id: &PublishId) -> Result<(), CommandError> {
        let index = self.require_publish(id)?;
        self.publishes[index].upload.expires_at = self.clock.now();
        Ok(())
    }
}
