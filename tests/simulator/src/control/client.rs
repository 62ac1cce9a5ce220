//! A typed HTTP client of the control interface, for tests that run the simulator as a separate process.
//!
//! It calls only paths under `/_simulator/`, never TikTok's endpoints.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::{Fault, InjectedFault};
use crate::ids::{OpenId, PublishId};
use crate::ledger::{CallRecord, Ledger, LedgerEntry};
use crate::publish::FailReason;
use crate::settings::Settings;
use crate::token_store::{Scope, TokenKind, TokenPair};
use crate::users::User;
use crate::webhooks::Delivery;

use super::commands::{Advance, ClockReading, Disconnect, DraftPost, ExpireTokens, FailPublish, GrantScopes};

/// Why a control command failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The request could not be sent, or the response was not the expected JSON.
    #[error("the call to the simulator's control interface failed")]
    Transport(#[from] reqwest::Error),
    /// The simulator rejected the command; contains the HTTP status and the error.
    #[error("the simulator rejected the command: {0}")]
    Rejected(String),
}

/// A client of one simulator's control interface.
#[derive(Debug, Clone)]
pub struct Control {
    base_url: String,
    http: reqwest::Client,
}

type ControlResult<T = ()> = Result<T, ControlError>;

impl Control {
    /// Creates a client for the simulator at a URL such as `http://host:port`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { base_url: format!("{}/_simulator", url.trim_end_matches('/')), http: reqwest::Client::new() }
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: impl Serialize) -> ControlResult<T> {
        let url = format!("{}{path}", self.base_url);
        let mut request = self.http.request(method.clone(), url);
        if method != Method::GET {
            request = request.json(&body);
        }
        let response = request.send().await?;
        if response.status().is_success() {
            return Ok(response.json().await?);
        }
        let status = response.status();
        let error = response.text().await?;
        Err(ControlError::Rejected(format!("{status}: {error}")))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> ControlResult<T> {
        self.send(Method::GET, path, ()).await
    }

    /// Sends a command whose response is an empty object.
    async fn command(&self, method: Method, path: &str, body: impl Serialize) -> ControlResult {
        let _: Value = self.send(method, path, body).await?;
        Ok(())
    }

    /// Checks that the simulator responds.
    pub async fn health(&self) -> ControlResult {
        let _: Value = self.get("/health").await?;
        Ok(())
    }

    /// Resets the simulator to its initial state. The list of issued secrets is kept.
    pub async fn reset(&self) -> ControlResult {
        self.command(Method::POST, "/reset", json!({})).await
    }

    /// Reads the settings.
    pub async fn settings(&self) -> ControlResult<Settings> {
        self.get("/settings").await
    }

    /// Replaces the settings.
    pub async fn put_settings(&self, settings: &Settings) -> ControlResult {
        self.command(Method::PUT, "/settings", settings).await
    }

    /// Reads the settings, changes them and writes them back. Not atomic: a change in between is lost.
    pub async fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> ControlResult {
        let mut settings = self.settings().await?;
        change(&mut settings);
        self.put_settings(&settings).await
    }

    /// Reads the clock.
    pub async fn clock(&self) -> ControlResult<ClockReading> {
        self.get("/clock").await
    }

    /// Advances the clock, and applies every transition that became due.
    pub async fn advance(&self, seconds: u64) -> ControlResult<ClockReading> {
        self.send(Method::POST, "/clock/advance", Advance { seconds }).await
    }

    /// Lists the users.
    pub async fn users(&self) -> ControlResult<Vec<User>> {
        self.get("/users").await
    }

    /// Creates or replaces a user.
    pub async fn put_user(&self, user: &User) -> ControlResult {
        let path = format!("/users/{}", user.open_id);
        self.command(Method::PUT, &path, user).await
    }

    /// Issues a token pair, as if the user had authorized the app for these scopes.
    pub async fn grant(&self, user: &OpenId, scopes: &[Scope]) -> ControlResult<TokenPair> {
        let path = format!("/users/{user}/grant");
        self.send(Method::POST, &path, GrantScopes { scopes: scopes.to_vec() }).await
    }

    /// Expires a user's tokens now.
    pub async fn expire_tokens(&self, user: &OpenId, which: TokenKind) -> ControlResult {
        let path = format!("/users/{user}/tokens/expire");
        self.command(Method::POST, &path, ExpireTokens { which }).await
    }

    /// Removes a user's authorization of the app; `reason` is that of the webhook `authorization.removed`.
    pub async fn disconnect(&self, user: &OpenId, reason: u8) -> ControlResult {
        let path = format!("/users/{user}/disconnect");
        self.command(Method::POST, &path, Disconnect { reason }).await
    }

    /// Injects a fault and returns the id by which it is cleared.
    pub async fn inject(&self, fault: &Fault) -> ControlResult<u64> {
        #[derive(serde::Deserialize)]
        struct Injected {
            id: u64,
        }
        let injected: Injected = self.send(Method::POST, "/faults", fault).await?;
        Ok(injected.id)
    }

    /// Lists the injected faults.
    pub async fn faults(&self) -> ControlResult<Vec<InjectedFault>> {
        self.get("/faults").await
    }

    /// Clears one fault.
    pub async fn clear_fault(&self, id: u64) -> ControlResult {
        self.command(Method::DELETE, &format!("/faults/{id}"), json!({})).await
    }

    /// Clears every fault.
    pub async fn clear_faults(&self) -> ControlResult {
        self.command(Method::DELETE, "/faults", json!({})).await
    }

    /// Reads the whole ledger.
    pub async fn ledger(&self) -> ControlResult<Ledger> {
        self.get("/ledger").await
    }

    /// Reads the ledger entry of one publish.
    pub async fn entry(&self, id: &PublishId) -> ControlResult<LedgerEntry> {
        self.get(&format!("/ledger/{id}")).await
    }

    /// Lists the logged calls with a `seq` greater than `after`.
    pub async fn calls(&self, after: u64) -> ControlResult<Vec<CallRecord>> {
        self.get(&format!("/calls?after={after}")).await
    }

    /// Lists every secret that was ever issued, including those from before a reset.
    pub async fn secrets(&self) -> ControlResult<Vec<String>> {
        self.get("/secrets").await
    }

    /// Lists every webhook, delivered or not.
    pub async fn webhooks(&self) -> ControlResult<Vec<Delivery>> {
        self.get("/webhooks").await
    }

    /// Posts a draft from the creator's inbox.
    pub async fn post_draft(&self, id: &PublishId, draft: &DraftPost) -> ControlResult {
        self.command(Method::POST, &format!("/publishes/{id}/post_draft"), draft).await
    }

    /// Fails a publish now.
    pub async fn fail(&self, id: &PublishId, reason: FailReason) -> ControlResult {
        let path = format!("/publishes/{id}/fail");
        self.command(Method::POST, &path, FailPublish { reason }).await
    }

    /// Removes the public videos of a publish from public view.
    pub async fn take_down(&self, id: &PublishId) -> ControlResult {
        self.command(Method::POST, &format!("/publishes/{id}/take_down"), json!({})).await
    }

    /// Expires the upload URL of a publish now.
    pub async fn expire_upload(&self, id: &PublishId) -> ControlResult {
        let path = format!("/publishes/{id}/expire_upload");
        self.command(Method::POST, &path, json!({})).await
    }
}
