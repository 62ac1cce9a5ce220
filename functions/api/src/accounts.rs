//! The accounts that there are: their names, scopes, lifetimes and preferences,
//! never their tokens; how one posts; and the end of one.

use std::panic::resume_unwind;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::account::{Account, Connection};
use jiff::Timestamp;
use posting::{ConnectError, Connections, Revocation};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::body::Body;
use crate::deadline::WorkerContext;
use crate::paths::AccountPath;
use crate::problem::Problem;

/// An account as it is shown.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Account"))]
pub(crate) struct AccountView {
    alias: String,
    open_id: String,
    username: Option<String>,
    display_name: Option<String>,
    scopes: Vec<String>,
    connection: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    access_expires_at: Timestamp,
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    refresh_expires_at: Timestamp,
    #[cfg_attr(test, schemars(with = "crate::contract::Preferences"))]
    preferences: Map<String, Value>,
}

impl AccountView {
    /// Shows an account.
    pub(crate) fn of(account: &Account) -> Self {
        let (connection, since, why) = match &account.connection {
            Connection::Connected => ("connected", None, None),
            Connection::NeedsReconnect { since, why } => {
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
            preferences: account.preferences.form(),
        }
    }
}

/// `GET /accounts`.
pub(crate) async fn list(State(connecting): State<Arc<Connections>>) -> Result<Json<Value>, Problem> {
    let accounts = connecting.posting.accounts.list().await.map_err(ConnectError::Store)?;
    let accounts: Vec<_> = accounts.iter().map(|account| AccountView::of(account)).collect();
    Ok(Json(json!({ "accounts": accounts })))
}

/// `GET /accounts/{alias}`.
pub(crate) async fn one(
    State(connecting): State<Arc<Connections>>,
    AccountPath(alias): AccountPath,
) -> Result<Json<AccountView>, Problem> {
    let kept = connecting.posting.accounts.get(&alias).await.map_err(ConnectError::Store)?;
    let account = kept.ok_or(ConnectError::UnknownAccount(alias))?;
    Ok(Json(AccountView::of(&account)))
}

/// What a creator may post at this moment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Creator"))]
pub(crate) struct CreatorView {
    /// The name in links, without the `@`.
    username: String,
    /// The name as shown.
    nickname: String,
    /// The privacy levels that can be chosen now, as TikTok writes them.
    privacy_levels: Vec<String>,
    comment_disabled: bool,
    duet_disabled: bool,
    stitch_disabled: bool,
    /// The longest video that can be posted, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u64>,
}

/// `GET /accounts/{alias}/creator`: asks TikTok what the creator may post now.
pub(crate) async fn creator(
    State(connecting): State<Arc<Connections>>,
    clerk: WorkerContext,
    AccountPath(alias): AccountPath,
) -> Result<Json<CreatorView>, Problem> {
    // A question within a budget stays on its thread, which a handler need not: it gets one.
    let here = tokio::runtime::Handle::current();
    let worker = clerk.begin((connecting.posting.clock)());
    let ask = move || here.block_on(connecting.posting.creator(&alias, &worker));
    let creator = tokio::task::spawn_blocking(ask).await.unwrap_or_else(|end| resume_unwind(end.into_panic()))?;
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

/// `PATCH /accounts/{alias}`: how the account posts, as a merge patch
/// (<https://www.rfc-editor.org/rfc/rfc7396>). Answers with the account.
pub(crate) async fn configure(
    State(connecting): State<Arc<Connections>>,
    AccountPath(alias): AccountPath,
    Body(change): Body,
) -> Result<Json<AccountView>, Problem> {
    connecting.posting.configure(&alias, &change).await?;
    one(State(connecting), AccountPath(alias)).await
}

/// `DELETE /accounts/{alias}`: the consent ends, the tokens are forgotten; what
/// the account says of its posts stays.
pub(crate) async fn disconnect(
    State(connecting): State<Arc<Connections>>,
    AccountPath(alias): AccountPath,
) -> Result<Json<Value>, Problem> {
    let done = connecting.disconnect(&alias).await?;
    let revocation = match done.revocation {
        Revocation::Revoked => json!({ "outcome": "revoked" }),
        Revocation::NotNeeded => json!({ "outcome": "not_needed" }),
        Revocation::Failed { why } => json!({
            "outcome": "failed", "why": why,
            "advice": "The user can remove the app in the TikTok app: Settings, Security, Apps and services.",
        }),
    };
    Ok(Json(json!({ "account": AccountView::of(&done.account), "revocation": revocation })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::account::{Scopes, TokenPair};
    use domain::identity::{Alias, OpenId};
    use domain::secret::Sealed;

    #[test]
    fn an_account_is_shown_without_its_tokens() {
        let sealed = Sealed::new(b"sealed-1".to_vec());
        let at = Timestamp::UNIX_EPOCH;
        let pair = TokenPair { access: sealed.clone(), refresh: sealed, ..TokenPair::forgotten(at) };
        let (alias, open_id) = (Alias::new("anna").unwrap(), OpenId::new("open-1").unwrap());
        let account = Account::new(alias, open_id, Scopes::parse("video.upload"), pair);
        let shown = serde_json::to_value(AccountView::of(&account)).unwrap();
        assert_eq!((&shown["connection"], &shown["scopes"]), (&json!("connected"), &json!(["video.upload"])));
        let text = shown.to_string();
        assert!(!text.contains("token") && !text.contains("sealed"), "{text}");
        let gone = serde_json::to_value(AccountView::of(&account.disconnected("wished", at))).unwrap();
        assert_eq!((&gone["connection"], &gone["why"]), (&json!("disconnected"), &json!("wished")));
    }
}
