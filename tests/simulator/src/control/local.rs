//! The control interface without HTTP, for tests in the same process.
//!
//! Every method but [`Simulator::consulted`] is the one of the same name in [`crate::Control`].

use crate::faults::{Fault, InjectedFault};
use crate::ids::{OpenId, PublishId};
use crate::ledger::{Entry, Event, Ledger};
use crate::post::FailReason;
use crate::server::Simulator;
use crate::settings::{Consulted, Settings};
use crate::tokens::{Scope, TokenKind, TokenPair};
use crate::users::User;
use crate::webhooks::Delivery;

use super::orders::{Clock, DraftPost, Grant, OrderError};

impl Simulator {
    /// Starts over, but for the record of secrets.
    pub fn reset(&self) {
        self.stage.world().reset();
    }

    /// Reads the settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.stage.world().settings.clone()
    }

    /// Tells which of the open settings were consulted since the start or the last reset.
    #[must_use]
    pub fn consulted(&self) -> Consulted {
        self.stage.world().settings.consulted()
    }

    /// Replaces the settings.
    ///
    /// # Errors
    ///
    /// A redirect address breaks a rule; nothing changes then.
    pub fn put_settings(&self, settings: Settings) -> Result<(), OrderError> {
        self.stage.world().put_settings(settings)
    }

    /// Changes some settings.
    ///
    /// # Errors
    ///
    /// A redirect address breaks a rule; nothing changes then.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<(), OrderError> {
        let mut world = self.stage.world();
        let mut settings = world.settings.clone();
        change(&mut settings);
        world.put_settings(settings)
    }

    /// Reads the clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.stage.world().clock_reading()
    }

    /// Lets so many seconds pass, and everything that is due within them happen.
    pub fn advance(&self, seconds: u64) {
        self.stage.world().advance(seconds);
    }

    /// Lists the users.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        self.stage.world().list_users()
    }

    /// Creates or replaces a user.
    pub fn put_user(&self, user: User) {
        self.stage.world().put_user(user);
    }

    /// Lets a user consent to some scopes.
    ///
    /// # Errors
    ///
    /// There is no such user.
    pub fn grant(&self, user: &OpenId, scopes: &[Scope]) -> Result<TokenPair, OrderError> {
        let order = Grant { scopes: scopes.to_vec() };
        self.stage.world().grant(user, &order)
    }

    /// Ends the lifetime of a user's tokens.
    ///
    /// # Errors
    ///
    /// There is no such user.
    pub fn expire_tokens(&self, user: &OpenId, which: TokenKind) -> Result<(), OrderError> {
        self.stage.world().expire_tokens(user, which)
    }

    /// Lets a user remove the app; the reason is that of `authorization.removed`.
    ///
    /// # Errors
    ///
    /// There is no such user.
    pub fn disconnect(&self, user: &OpenId, reason: u8) -> Result<(), OrderError> {
        self.stage.world().disconnect(user, reason)
    }

    /// Orders trouble; the answer is the name by which it is cleared.
    #[expect(clippy::must_use_candidate, reason = "a fault that ends by itself needs no clearing")]
    pub fn inject(&self, fault: Fault) -> u64 {
        self.stage.world().faults.inject(fault)
    }

    /// Lists the faults.
    #[must_use]
    pub fn faults(&self) -> Vec<InjectedFault> {
        self.stage.world().faults.list().to_vec()
    }

    /// Clears one fault.
    ///
    /// # Errors
    ///
    /// There is no such fault.
    pub fn clear_fault(&self, id: u64) -> Result<(), OrderError> {
        self.stage.world().clear_fault(id)
    }

    /// Clears every fault.
    pub fn clear_faults(&self) {
        self.stage.world().faults.clear();
    }

    /// Reads the whole book.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.stage.world().ledger()
    }

    /// Reads the account of one publish.
    ///
    /// # Errors
    ///
    /// There is no such publish.
    pub fn entry(&self, id: &PublishId) -> Result<Entry, OrderError> {
        self.stage.world().publish_entry(id)
    }

    /// Lists the calls behind a position in the log; 0 is before the first.
    #[must_use]
    pub fn events(&self, after: u64) -> Vec<Event> {
        self.stage.world().events_after(after)
    }

    /// Lists every secret ever issued.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.stage.world().mint.issued().to_vec()
    }

    /// Lists every webhook, delivered or not.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Delivery> {
        self.stage.world().outbox.list().to_vec()
    }

    /// Plays the creator who posts a draft from the inbox.
    ///
    /// # Errors
    ///
    /// There is no such publish, or it is not in an inbox.
    pub fn post_draft(&self, id: &PublishId, draft: DraftPost) -> Result<(), OrderError> {
        self.stage.world().post_draft(id, draft)
    }

    /// Lets a publish fail at once.
    ///
    /// # Errors
    ///
    /// There is no such publish, or it has ended.
    pub fn fail(&self, id: &PublishId, reason: FailReason) -> Result<(), OrderError> {
        self.stage.world().fail_publish(id, reason)
    }

    /// Takes the videos of a publish out of public view.
    ///
    /// # Errors
    ///
    /// There is no such publish, or it is not public.
    pub fn take_down(&self, id: &PublishId) -> Result<(), OrderError> {
        self.stage.world().take_down(id)
    }

    /// Lets an upload URL expire at once.
    ///
    /// # Errors
    ///
    /// There is no such publish.
    pub fn expire_upload(&self, id: &PublishId) -> Result<(), OrderError> {
        self.stage.world().expire_upload(id)
    }
}
