//! What the world can be told to do, from within the process or over HTTP.
//!
//! Plays the people of the platform and the passing of time; never the client.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{OpenId, PublishId};
use crate::ledger::{Entry, Event};
use crate::post::{Availability, FailReason, Flow, Life};
use crate::redirect::check_registration;
use crate::settings::Settings;
use crate::tokens::{Scope, TokenKind, TokenPair};
use crate::users::{PrivacyLevel, User};
use crate::webhooks::News;
use crate::world::World;

/// Why an order was not carried out. The world is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The order is not understood.
    #[error("{0}")]
    Malformed(String),
    /// What it names does not exist.
    #[error("{0}")]
    Unknown(String),
    /// What it names is not in a state for it.
    #[error("{0}")]
    NotNow(String),
}

/// What the simulator's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The simulated time.
    pub now: Timestamp,
    /// How far it is ahead of the real time, in seconds.
    pub ahead_s: i64,
}

/// What a user agrees to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    /// The scopes; all of them if left out.
    #[serde(default = "every_scope")]
    pub(crate) scopes: Vec<Scope>,
}

fn every_scope() -> Vec<Scope> {
    Scope::ALL.to_vec()
}

/// Which tokens are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenOrder {
    /// Access tokens, refresh tokens, or both.
    pub(crate) which: TokenKind,
}

/// How a creator posts a draft that waits in the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftPost {
    /// The caption.
    #[serde(default)]
    pub title: String,
    /// Who may see it.
    pub privacy_level: PrivacyLevel,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advance {
    pub(crate) seconds: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disconnect {
    /// `authorization.removed`: 1 is the user's own wish.
    #[serde(default = "own_wish")]
    pub(crate) reason: u8,
}

fn own_wish() -> u8 {
    1
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    pub(crate) reason: FailReason,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    #[serde(default)]
    pub(crate) after: u64,
}

impl World {
    pub(crate) fn put_settings(&mut self, settings: Settings) -> Result<(), OrderError> {
        check_registration(&settings).map_err(OrderError::Malformed)?;
        self.settings = settings;
        Ok(())
    }

    /// Changes the settings that are named, and leaves the others.
    pub(crate) fn change_settings(&mut self, changes: &Value) -> Result<(), OrderError> {
        let malformed = |error: serde_json::Error| OrderError::Malformed(error.to_string());
        let mut settings = serde_json::to_value(&self.settings).map_err(malformed)?;
        let changes = changes.as_object().ok_or_else(|| OrderError::Malformed("settings are an object".to_owned()))?;
        for (name, value) in changes {
            settings[name] = value.clone();
        }
        self.put_settings(serde_json::from_value(settings).map_err(malformed)?)
    }

    pub(crate) fn clock_reading(&self) -> Clock {
        Clock { now: self.clock.now(), ahead_s: self.clock.offset().as_secs() }
    }

    /// Lets time pass, and everything that is due within it happen.
    pub(crate) fn advance(&mut self, seconds: u64) -> Clock {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.settle();
        self.clock_reading()
    }

    pub(crate) fn list_users(&self) -> Vec<User> {
        self.users.values().cloned().collect()
    }

    pub(crate) fn put_user(&mut self, user: User) {
        self.users.insert(user.open_id.clone(), user);
    }

    fn known(&self, user: &OpenId) -> Result<(), OrderError> {
        if self.users.contains_key(user) {
            Ok(())
        } else {
            Err(OrderError::Unknown(format!("there is no user {user}")))
        }
    }

    /// Hands out what the consent page would have led to.
    pub(crate) fn grant(&mut self, user: &OpenId, order: &Grant) -> Result<TokenPair, OrderError> {
        self.known(user)?;
        let scopes = order.scopes.iter().copied().collect();
        let now = self.clock.now();
        let pair = self.grants.issue(user, &scopes, &self.settings, &mut self.mint, now);
        Ok(pair)
    }

    pub(crate) fn expire_tokens(&mut self, user: &OpenId, which: TokenKind) -> Result<(), OrderError> {
        self.known(user)?;
        let now = self.clock.now();
        self.grants.expire(user, which, now);
        Ok(())
    }

    /// Plays a user who removes the app, or whom TikTok removes.
    pub(crate) fn disconnect(&mut self, user: &OpenId, reason: u8) -> Result<(), OrderError> {
        self.known(user)?;
        let now = self.clock.now();
        self.remove_consent(user, reason, now);
        Ok(())
    }

    pub(crate) fn clear_fault(&mut self, id: u64) -> Result<(), OrderError> {
        if self.faults.remove(id) { Ok(()) } else { Err(OrderError::Unknown(format!("there is no fault {id}"))) }
    }

    fn place(&self, id: &PublishId) -> Result<usize, OrderError> {
        self.find(id).ok_or_else(|| OrderError::Unknown(format!("there is no publish {id}")))
    }

    pub(crate) fn publish_entry(&self, id: &PublishId) -> Result<Entry, OrderError> {
        Ok(self.entry(&self.posts[self.place(id)?]))
    }

    pub(crate) fn events_after(&self, after: u64) -> Vec<Event> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        self.events.iter().skip(after).cloned().collect()
    }

    /// Plays the creator who posts a draft; the same draft can be posted again.
    pub(crate) fn post_draft(&mut self, id: &PublishId, draft: DraftPost) -> Result<(), OrderError> {
        let index = self.place(id)?;
        let post = &self.posts[index];
        let waits = matches!(post.life, Life::InInbox | Life::Published { .. });
        if post.flow != Flow::Draft || !waits {
            return Err(OrderError::NotNow(format!("{id} is not in an inbox")));
        }
        let now = self.clock.now();
        self.publish(index, draft.title, draft.privacy_level, now);
        Ok(())
    }

    pub(crate) fn fail_publish(&mut self, id: &PublishId, reason: FailReason) -> Result<(), OrderError> {
        let index = self.place(id)?;
        if matches!(self.posts[index].life, Life::Published { .. } | Life::Failed { .. }) {
            return Err(OrderError::NotNow(format!("{id} has ended already")));
        }
        let now = self.clock.now();
        self.fail(index, reason, now);
        Ok(())
    }

    /// Takes the public videos of a publish out of public view.
    pub(crate) fn take_down(&mut self, id: &PublishId) -> Result<(), OrderError> {
        let index = self.place(id)?;
        let mut removed = Vec::new();
        if let Life::Published { videos } = &mut self.posts[index].life {
            for video in videos {
                if video.availability == Availability::Public {
                    video.availability = Availability::Removed;
                    removed.push(video.id);
                }
            }
        }
        if removed.is_empty() {
            return Err(OrderError::NotNow(format!("{id} is not public")));
        }
        let now = self.clock.now();
        for video in removed {
            self.tell(index, &News::NoLongerPubliclyAvailable(video), now);
        }
        Ok(())
    }

    pub(crate) fn expire_upload(&mut self, id: &PublishId) -> Result<(), OrderError> {
        let index = self.place(id)?;
        self.posts[index].upload.expires_at = self.clock.now();
        Ok(())
    }
}
