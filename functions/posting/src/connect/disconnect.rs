//! Disconnects an account: asks TikTok to revoke the authorization, and deletes the tokens in any case.
//!
//! The account stays, with its preferences. Its posts wait until it is connected again; none is lost.

use std::time::Duration;

use domain::account::Account;
use domain::failure::error_chain;
use domain::identity::Alias;
use storage::{EncryptionContext, Purpose, Versioned};
use tiktok::{AccessToken, OAuthError, RefreshToken};

use super::connections::Connections;
use super::error::ConnectError;
use crate::compare_and_swap::{Change, update};

/// The timeout for the revocation, with a token refresh if one is needed. The tokens are deleted after it in any case.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Why the account's posts wait, as the account shows it.
const DISCONNECTED_WHY: &str = "its operator disconnected it";

/// The result of the revocation of an authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// TikTok revoked it.
    Revoked,
    /// The account had no tokens.
    NotNeeded,
    /// The authorization may still exist, though Dropcast has no tokens for it. The user can remove the app in TikTok's
    /// settings. The text says why it was not revoked, for people.
    Failed(String),
}

/// An account that was disconnected.
#[derive(Debug, Clone)]
pub struct Disconnected {
    /// The account, without tokens.
    pub account: Account,
    /// The result of the revocation.
    pub revocation: Revocation,
}

impl Connections {
    /// Revokes an account's authorization and deletes its tokens.
    ///
    /// # Errors
    /// The tokens are still stored.
    pub async fn disconnect(&self, alias: &Alias) -> Result<Disconnected, ConnectError> {
        let not_found = || ConnectError::AccountNotFound(alias.clone());
        let account = self.accounts.get(alias).await?.ok_or_else(not_found)?;
        // An authorization whose tokens TikTok refused may still exist, so it is revoked too.
        let revocation = if account.tokens.is_forgotten() {
            Revocation::NotNeeded
        } else {
            match tokio::time::timeout(REVOKE_TIMEOUT, self.revoke(&account)).await {
                Ok(Ok(())) => Revocation::Revoked,
                Ok(Err(why)) => Revocation::Failed(why),
                Err(_) => Revocation::Failed("TikTok did not answer in time".to_owned()),
            }
        };
        let disconnected = update(
            Some(account),
            || async move { self.accounts.get(alias).await?.ok_or_else(not_found) },
            |account: Versioned<Account>| {
                if account.tokens.is_forgotten() {
                    return Ok(Change::Stop(account));
                }
                let disconnected = account.value.clone().disconnected(DISCONNECTED_WHY, self.instruments.now());
                Ok(Change::Save((account, disconnected)))
            },
            |(account, next): (Versioned<Account>, Account)| self.accounts.save(account, next, self.instruments.now()),
        );
        let account = disconnected.await?.ok_or(ConnectError::Busy)?.value;
        tracing::info!(account = %alias, revocation = ?revocation, "account disconnected");
        Ok(Disconnected { account, revocation })
    }

    /// Asks TikTok to revoke the authorization. TikTok requires a valid access token, so an expired one is refreshed
    /// first. The new pair is not stored, since the account's tokens are deleted in any case.
    async fn revoke(&self, account: &Versioned<Account>) -> Result<(), String> {
        let app = self.app_credentials().await.map_err(|error| error_chain(&error))?;
        let open = async |purpose, token| {
            let opened = self.cipher.open(&EncryptionContext::new(purpose, &account.alias), token).await;
            opened.map_err(|error| error_chain(&error))
        };
        let token = if account.tokens.access_expires_at > self.instruments.now() {
            AccessToken::new(open(Purpose::AccessToken, &account.tokens.access).await?)
        } else {
            let refresh = RefreshToken::new(open(Purpose::RefreshToken, &account.tokens.refresh).await?);
            self.tiktok.refresh(&app, &refresh).await.map_err(|error| without_advice(&error))?.access
        };
        self.tiktok.revoke(&app, &token).await.map_err(|error| without_advice(&error))
    }
}

/// TikTok's error without its advice, which is about calls that are retried.
fn without_advice(error: &OAuthError) -> String {
    let mut failure = error.failure();
    failure.advice = String::new();
    failure.to_string().trim_end().to_owned()
}
