//! A typed client of the control interface, for tests that drive the running
//! program.
//!
//! Speaks to the simulator only; it knows nothing of TikTok's own endpoints.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::{Fault, InjectedFault};
use crate::ids::{OpenId, PublishId};
use crate::ledger::{Entry, Event, Ledger};
use crate::post::FailReason;
use crate::settings::Settings;
use crate::tokens::{Scope, TokenKind, TokenPair};
use crate::users::User;
use crate::webhooks::Delivery;

use super::orders::{Advance, Clock, Disconnect, DraftPost, Failure, Grant, TokenOrder};

/// Why the simulator could not be asked or did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It was not reached, or its answer was not understood.
    #[error("the simulator was not reached")]
    Unreachable(#[from] reqwest::Error),
    /// It refused.
    #[error("the simulator refused: {0}")]
    Refused(String),
}

/// A client of a simulator's control interface.
#[derive(Debug, Clone)]
pub struct Control {
    base: String,
    http: reqwest::Client,
}

type Done<T = ()> = Result<T, ControlError>;

impl Control {
    /// Points a client at a simulator: `http://host:port`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { base: format!("{}/_simulator", url.trim_end_matches('/')), http: reqwest::Client::new() }
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: impl Serialize) -> Done<T> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.clone(), url);
        if method != Method::GET {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        if answer.status().is_success() {
            return Ok(answer.json().await?);
        }
        let status = answer.status();
        let why = answer.text().await?;
        Err(ControlError::Refused(format!("{status}: {why}")))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Done<T> {
        self.send(Method::GET, path, ()).await
    }

    async fn tell(&self, method: Method, path: &str, body: impl Serialize) -> Done {
        let _: Value = self.send(method, path, body).await?;
        Ok(())
    }

    /// Asks whether the simulator is there.
    pub async fn health(&self) -> Done {
        let _: Value = self.get("/health").await?;
        Ok(())
    }

    /// Starts over, but for the record of secrets.
    pub async fn reset(&self) -> Done {
        self.tell(Method::POST, "/reset", json!({})).await
    }

    /// Reads the settings.
    pub async fn settings(&self) -> Done<Settings> {
        self.get("/settings").await
    }

    /// Replaces the settings.
    pub async fn put_settings(&self, settings: &Settings) -> Done {
        self.tell(Method::PUT, "/settings", settings).await
    }

    /// Changes some settings.
    pub async fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Done {
        let mut settings = self.settings().await?;
        change(&mut settings);
        self.put_settings(&settings).await
    }

    /// Reads the clock.
    pub async fn clock(&self) -> Done<Clock> {
        self.get("/clock").await
    }

    /// Lets so many seconds pass.
    pub async fn advance(&self, seconds: u64) -> Done<Clock> {
        let order = Advance { seconds };
        self.send(Method::POST, "/clock/advance", order).await
    }

    /// Lists the users.
    pub async fn users(&self) -> Done<Vec<User>> {
        self.get("/users").await
    }

    /// Creates or replaces a user.
    pub async fn put_user(&self, user: &User) -> Done {
        let path = format!("/users/{}", user.open_id);
        self.tell(Method::PUT, &path, user).await
    }

    /// Lets a user consent to some scopes.
    pub async fn grant(&self, user: &OpenId, scopes: &[Scope]) -> Done<TokenPair> {
        let order = Grant { scopes: scopes.to_vec() };
        let path = format!("/users/{user}/grant");
        self.send(Method::POST, &path, order).await
    }

    /// Ends the lifetime of a user's tokens.
    pub async fn expire_tokens(&self, user: &OpenId, which: TokenKind) -> Done {
        let path = format!("/users/{user}/tokens/expire");
        self.tell(Method::POST, &path, TokenOrder { which }).await
    }

    /// Lets a user remove the app; the reason is that of `authorization.removed`.
    pub async fn disconnect(&self, user: &OpenId, reason: u8) -> Done {
        let path = format!("/users/{user}/disconnect");
        self.tell(Method::POST, &path, Disconnect { reason }).await
    }

    /// Orders trouble; the answer is the name by which it is cleared.
    pub async fn inject(&self, fault: &Fault) -> Done<u64> {
        #[derive(serde::Deserialize)]
        struct Injected {
            id: u64,
        }
        let injected: Injected = self.send(Method::POST, "/faults", fault).await?;
        Ok(injected.id)
    }

    /// Lists the faults.
    pub async fn faults(&self) -> Done<Vec<InjectedFault>> {
        self.get("/faults").await
    }

    /// Clears one fault.
    pub async fn clear_fault(&self, id: u64) -> Done {
        self.tell(Method::DELETE, &format!("/faults/{id}"), json!({})).await
    }

    /// Clears every fault.
    pub async fn clear_faults(&self) -> Done {
        self.tell(Method::DELETE, "/faults", json!({})).await
    }

    /// Reads the whole book.
    pub async fn ledger(&self) -> Done<Ledger> {
        self.get("/ledger").await
    }

    /// Reads the account of one publish.
    pub async fn entry(&self, id: &PublishId) -> Done<Entry> {
        self.get(&format!("/ledger/{id}")).await
    }

    /// Lists the calls behind a position in the log; 0 is before the first.
    pub async fn events(&self, after: u64) -> Done<Vec<Event>> {
        self.get(&format!("/events?after={after}")).await
    }

    /// Lists every secret ever issued.
    pub async fn secrets(&self) -> Done<Vec<String>> {
        self.get("/secrets").await
    }

    /// Lists every webhook, delivered or not.
    pub async fn webhooks(&self) -> Done<Vec<Delivery>> {
        self.get("/webhooks").await
    }

    /// Plays the creator who posts a draft from the inbox.
    pub async fn post_draft(&self, id: &PublishId, draft: &DraftPost) -> Done {
        self.tell(Method::POST, &format!("/posts/{id}/post_draft"), draft).await
    }

    /// Lets a publish fail at once.
    pub async fn fail(&self, id: &PublishId, reason: FailReason) -> Done {
        let path = format!("/posts/{id}/fail");
        self.tell(Method::POST, &path, Failure { reason }).await
    }

    /// Takes the videos of a publish out of public view.
    pub async fn take_down(&self, id: &PublishId) -> Done {
        self.tell(Method::POST, &format!("/posts/{id}/take_down"), json!({})).await
    }

    /// Lets an upload URL expire at once.
    pub async fn expire_upload(&self, id: &PublishId) -> Done {
        let path = format!("/posts/{id}/expire_upload");
        self.tell(Method::POST, &path, json!({})).await
    }
}
