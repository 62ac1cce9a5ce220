//! The control interface without HTTP, for tests that run the simulator in their own process.
//!
//! Every method except [`Simulator::settings_read`] does the same as its namesake in [`crate::Control`].

use crate::faults::{Fault, InjectedFault};
use crate::ids::{OpenId, PublishId};
use crate::ledger::{CallRecord, Ledger, LedgerEntry};
use crate::publish::FailReason;
use crate::server::Simulator;
use crate::settings::{Settings, SettingsRead};
use crate::token_store::{Scope, TokenKind, TokenPair};
use crate::users::User;
use crate::webhooks::Delivery;

use super::commands::{ClockReading, CommandError, DraftPost};

impl Simulator {
    /// Resets the simulator to its initial state. The list of issued secrets is kept.
    pub fn reset(&self) {
        self.shared.lock().reset();
    }

    /// Reads the settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.lock().settings.clone()
    }

    /// Returns which undocumented settings have been read since the start or the last reset.
    #[must_use]
    pub fn settings_read(&self) -> SettingsRead {
        self.shared.lock().settings.settings_read()
    }

    /// Replaces the settings.
    ///
    /// # Errors
    ///
    /// A redirect address is not allowed; the settings are unchanged.
    pub fn put_settings(&self, settings: Settings) -> Result<(), CommandError> {
        self.shared.lock().put_settings(settings)
    }

    /// Changes some settings.
    ///
    /// # Errors
    ///
    /// A redirect address is not allowed; the settings are unchanged.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<(), CommandError> {
        let mut world = self.shared.lock();
        let mut settings = world.settings.clone();
        change(&mut settings);
        world.put_settings(settings)
    }

    /// Reads the clock.
    #[must_use]
    pub fn clock(&self) -> ClockReading {
        self.shared.lock().clock_reading()
    }

    /// Advances the clock, and applies every transition that became due.
    pub fn advance(&self, seconds: u64) {
        self.shared.lock().advance(seconds);
    }

    /// Lists the users.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        self.shared.lock().list_users()
    }

    /// Creates or replaces a user.
    pub fn put_user(&self, user: User) {
        self.shared.lock().put_user(user);
    }

    /// Issues a token pair, as if the user had authorized the app for these scopes.
    ///
    /// # Errors
    ///
    /// The user does not exist.
    pub fn grant(&self, user: &OpenId, scopes: &[Scope]) -> Result<TokenPair, CommandError> {
        self.shared.lock().grant(user, scopes)
    }

    /// Expires a user's tokens now.
    ///
    /// # Errors
    ///
    /// The user does not exist.
    pub fn expire_tokens(&self, user: &OpenId, which: TokenKind) -> Result<(), CommandError> {
        self.shared.lock().expire_tokens(user, which)
    }

    /// Removes a user's authorization of the app; `reason` is that of the webhook `authorization.removed`.
    ///
    /// # Errors
    ///
    /// The user does not exist.
    pub fn disconnect(&self, user: &OpenId, reason: u8) -> Result<(), CommandError> {
        self.shared.lock().disconnect(user, reason)
    }

    /// Injects a fault and returns the id by which it is cleared.
    #[expect(clippy::must_use_candidate, reason = "a fault with a limited number of hits needs no clearing")]
    pub fn inject(&self, fault: Fault) -> u64 {
        self.shared.lock().faults.inject(fault)
    }

    /// Lists the injected faults.
    #[must_use]
    pub fn faults(&self) -> Vec<InjectedFault> {
        self.shared.lock().faults.list().to_vec()
    }

    /// Clears one fault.
    ///
    /// # Errors
    ///
    /// The fault does not exist.
    pub fn clear_fault(&self, id: u64) -> Result<(), CommandError> {
        self.shared.lock().clear_fault(id)
    }

    /// Clears every fault.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Reads the whole ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.shared.lock().ledger()
    }

    /// Reads the ledger entry of one publish.
    ///
    /// # Errors
    ///
    /// The publish does not exist.
    pub fn entry(&self, id: &PublishId) -> Result<LedgerEntry, CommandError> {
        self.shared.lock().publish_entry(id)
    }

    /// Lists the logged calls with a `seq` greater than `after`.
    #[must_use]
    pub fn calls(&self, after: u64) -> Vec<CallRecord> {
        self.shared.lock().calls_after(after)
    }

    /// Lists every secret that was ever issued, including those from before a reset.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.shared.lock().ids.issued().to_vec()
    }

    /// Lists every webhook, delivered or not.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Delivery> {
        self.shared.lock().webhook_queue.list().to_vec()
    }

    /// Posts a draft from the creator's inbox.
    ///
    /// # Errors
    ///
    /// The publish does not exist, or it is not in an inbox.
    pub fn post_draft(&self, id: &PublishId, draft: DraftPost) -> Result<(), CommandError> {
        self.shared.lock().post_draft(id, draft)
    }

    /// Fails a publish now.
    ///
    /// # Errors
    ///
    /// The publish does not exist, or it has already ended.
    pub fn fail(&self, id: &PublishId, reason: FailReason) -> Result<(), CommandError> {
        self.shared.lock().fail_publish(id, reason)
    }

    /// Removes the public videos of a publish from public view.
    ///
    /// # Errors
    ///
    /// The publish does not exist, or it has no public video.
    pub fn take_down(&self, id: &PublishId) -> Result<(), CommandError> {
        self.shared.lock().take_down(id)
    }

    /// Expires the upload URL of a publish now.
    ///
    /// # Errors
    ///
    /// The publish does not exist.
    pub fn expire_upload(&self, id: &PublishId) -> Result<(), CommandError> {
        self.shared.lock().expire_upload(id)
    }
}
