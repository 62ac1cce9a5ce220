//! The account routes: list, show, configure and disconnect accounts, and query what a creator can post now.
//!
//! No response contains a token.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::account::{Account, Connection, Preferences};
use jiff::Timestamp;
use posting::{ConnectError, Revocation};
use serde::Serialize;

use crate::body::Body;
use crate::deadline::WorkerContext;
use crate::paths::AccountPath;
use crate::problem::Problem;
use crate::use_cases::UseCases;

/// An account, without its tokens.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Account"))]
pub(crate) struct AccountView {
    /// The name of the account's folder under `drop/`.
    alias: String,
    /// TikTok's id of the user, for this app.
    open_id: String,
    username: Option<String>,
    display_name: Option<String>,
    /// The scopes that the user granted.
    scopes: Vec<String>,
    /// `connected`; `needs_reconnect` if the authorization has ended; `disconnected` after `DELETE /accounts/{alias}`.
    connection: &'static str,
    /// When the connection ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Why the connection ended, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    access_expires_at: Timestamp,
    refresh_expires_at: Timestamp,
    preferences: Preferences,
}

impl AccountView {
    /// The view of an account.
    pub(crate) fn of(account: &Account) -> Self {
        let (connection, since, why) = match &account.connection {
            Connection::Connected => ("connected", None, None),
            Connection::NeedsReconnect { since, why } => {
                // Only `Account::disconnected` deletes the tokens. An account that lost its authorization keeps them.
                let name = if account.tokens.is_forgotten() { "disconnected" } else { "needs_reconnect" };
                (name, Some(*since), Some(why.clone()))
            }
        };
        Self {
            alias: account.alias.to_string(),
            open_id: account.open_id.to_string(),
            username: account.username.clone(),
            display_name: account.display_name.clone(),
            scopes: account.scopes.iter().map(str::to_owned).collect(),
            connection,
            since,
            why,
            access_expires_at: account.tokens.access_expires_at,
            refresh_expires_at: account.tokens.refresh_expires_at,
            preferences: account.preferences.clone(),
        }
    }
}

/// All accounts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Accounts {
    accounts: Vec<AccountView>,
}

/// `GET /accounts`.
pub(crate) async fn list(State(use_cases): State<Arc<UseCases>>) -> Result<Json<Accounts>, Problem> {
    // `ConnectError::Store` is the error of every account route for a table that cannot be read.
    let accounts = use_cases.accounts.list().await.map_err(ConnectError::Store)?;
    Ok(Json(Accounts { accounts: accounts.iter().map(|account| AccountView::of(account)).collect() }))
}

/// `GET /accounts/{alias}`.
pub(crate) async fn get(
    State(use_cases): State<Arc<UseCases>>,
    AccountPath(alias): AccountPath,
) -> Result<Json<AccountView>, Problem> {
    let account = use_cases.accounts.get(&alias).await.map_err(ConnectError::Store)?;
    let account = account.ok_or(ConnectError::AccountNotFound(alias))?;
    Ok(Json(AccountView::of(&account)))
}

/// What a creator can post now, as TikTok's `creator_info` reports it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Creator"))]
pub(crate) struct CreatorView {
    /// The name in links, without the `@`.
    username: String,
    /// The display name.
    nickname: String,
    /// The privacy levels that the creator can choose now, as TikTok spells them.
    privacy_levels: Vec<String>,
    comment_disabled: bool,
    duet_disabled: bool,
    stitch_disabled: bool,
    /// The longest video that the creator can post, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u64>,
}

/// `GET /accounts/{alias}/creator`: queries TikTok, within the account's rate limit.
pub(crate) async fn creator(
    State(use_cases): State<Arc<UseCases>>,
    context: WorkerContext,
    AccountPath(alias): AccountPath,
) -> Result<Json<CreatorView>, Problem> {
    let worker = context.begin(runtime::clock::now());
    let creator = use_cases.creators.creator(&alias, &worker).await?;
    Ok(Json(CreatorView {
        username: creator.username,
        nickname: creator.nickname,
        privacy_levels: creator.privacy_levels,
        comment_disabled: creator.comment_disabled,
        duet_disabled: creator.duet_disabled,
        stitch_disabled: creator.stitch_disabled,
        max_duration_seconds: creator.max_duration_s,
    }))
}

/// `PATCH /accounts/{alias}`: changes the account's preferences by a merge patch
/// (<https://www.rfc-editor.org/rfc/rfc7396>) and returns the account.
pub(crate) async fn configure(
    State(use_cases): State<Arc<UseCases>>,
    AccountPath(alias): AccountPath,
    Body(patch): Body,
) -> Result<Json<AccountView>, Problem> {
    use_cases.account_settings.configure(&alias, &patch).await?;
    get(State(use_cases), AccountPath(alias)).await
}

/// An account that was disconnected.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Disconnected"))]
pub(crate) struct DisconnectedView {
    account: AccountView,
    revocation: RevocationView,
}

/// Whether TikTok revoked the authorization.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Revocation"))]
pub(crate) struct RevocationView {
    /// `revoked`; `not_needed` if the account was already disconnected; `failed` if TikTok did not confirm it.
    outcome: &'static str,
    /// Why the revocation failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// How the user can revoke the authorization.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

impl From<Revocation> for RevocationView {
    fn from(revocation: Revocation) -> Self {
        let (outcome, why) = match revocation {
            Revocation::Revoked => ("revoked", None),
            Revocation::NotNeeded => ("not_needed", None),
            Revocation::Failed(why) => ("failed", Some(why)),
        };
        let advice = "The user can remove the app in the TikTok app: Settings, Security, Apps and services.";
        Self { outcome, advice: why.is_some().then_some(advice), why }
    }
}

/// `DELETE /accounts/{alias}`: revokes the authorization and deletes the tokens. The account and its preferences remain.
pub(crate) async fn disconnect(
    State(use_cases): State<Arc<UseCases>>,
    AccountPath(alias): AccountPath,
) -> Result<Json<DisconnectedView>, Problem> {
    let done = use_cases.connections.disconnect(&alias).await?;
    Ok(Json(DisconnectedView { account: AccountView::of(&done.account), revocation: done.revocation.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::account::{Scopes, TokenPair};
    use domain::identity::{Alias, OpenId};
    use domain::secret::Sealed;
    use serde_json::json;

    #[test]
    fn account_view_contains_no_token() {
        let sealed = Sealed::new(b"sealed-1".to_vec());
        let at = Timestamp::UNIX_EPOCH;
        // `forgotten` supplies only the times: a pair with tokens is not a forgotten one.
        let pair = TokenPair { access: sealed.clone(), refresh: sealed, ..TokenPair::forgotten(at) };
        let (alias, open_id) = (Alias::new("anna").unwrap(), OpenId::new("open-1").unwrap());
        let account = Account::new(alias, open_id, Scopes::parse("video.upload"), pair);
        let view = serde_json::to_value(AccountView::of(&account)).unwrap();
        assert_eq!((&view["connection"], &view["scopes"]), (&json!("connected"), &json!(["video.upload"])));
        let text = view.to_string();
        assert!(!text.contains("token") && !text.contains("sealed"), "{text}");
        let view = serde_json::to_value(AccountView::of(&account.disconnected("requested", at))).unwrap();
        assert_eq!((&view["connection"], &view["why"]), (&json!("disconnected"), &json!("requested")));
    }
}
