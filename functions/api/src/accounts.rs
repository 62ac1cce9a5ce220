//! The accounts that there are: their names, scopes, lifetimes and preferences,
//! never their tokens; how one posts; and the end of one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::account::{Account, Connection};
use domain::identity::Alias;
use jiff::Timestamp;
use posting::{ConnectError, Connecting, Revocation};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::answer::Audience;
use crate::stated::Stated;

/// An account as it is shown.
#[derive(Serialize)]
pub(crate) struct Shown {
    alias: String,
    open_id: String,
    username: Option<String>,
    display_name: Option<String>,
    scopes: Vec<String>,
    connection: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    access_expires_at: Timestamp,
    refresh_expires_at: Timestamp,
    preferences: Map<String, Value>,
}

impl Shown {
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
pub(crate) async fn list(State(connecting): State<Arc<Connecting>>, to: Audience) -> Response {
    match connecting.posting.accounts.list().await {
        Ok(accounts) => {
            let accounts: Vec<_> = accounts.iter().map(|account| Shown::of(account)).collect();
            Json(json!({ "accounts": accounts })).into_response()
        }
        Err(error) => to.tell(&ConnectError::Store(error).into()),
    }
}

/// `GET /accounts/{alias}`.
pub(crate) async fn one(
    State(connecting): State<Arc<Connecting>>,
    to: Audience,
    Path(alias): Path<String>,
) -> Response {
    match find(&connecting, &alias).await {
        Ok(account) => Json(Shown::of(&account)).into_response(),
        Err(error) => to.tell(&error.into()),
    }
}

async fn find(connecting: &Connecting, alias: &str) -> Result<Account, ConnectError> {
    let alias = Alias::new(alias).map_err(ConnectError::Alias)?;
    let kept = connecting.posting.accounts.get(&alias).await?;
    kept.map(|kept| kept.value).ok_or(ConnectError::UnknownAccount(alias))
}

/// `PATCH /accounts/{alias}`: how the account posts, as a merge patch
/// (<https://www.rfc-editor.org/rfc/rfc7396>). Answers with the account.
pub(crate) async fn configure(
    State(connecting): State<Arc<Connecting>>,
    to: Audience,
    Path(alias): Path<String>,
    Stated(change): Stated,
) -> Response {
    let alias = match Alias::new(&alias).map_err(ConnectError::Alias) {
        Ok(alias) => alias,
        Err(error) => return to.tell(&error.into()),
    };
    if let Err(error) = connecting.posting.configure(&alias, &change).await {
        return to.tell(&error.into());
    }
    one(State(connecting), to, Path(alias.to_string())).await
}

/// `DELETE /accounts/{alias}`: the consent ends, the tokens are forgotten; what
/// the account says of its posts stays.
pub(crate) async fn disconnect(
    State(connecting): State<Arc<Connecting>>,
    to: Audience,
    Path(alias): Path<String>,
) -> Response {
    let done = match Alias::new(&alias) {
        Ok(alias) => connecting.disconnect(&alias).await,
        Err(invalid) => Err(ConnectError::Alias(invalid)),
    };
    match done {
        Ok(done) => {
            let revocation = match done.revocation {
                Revocation::Revoked => json!({ "outcome": "revoked" }),
                Revocation::NotNeeded => json!({ "outcome": "not_needed" }),
                Revocation::Failed { why } => json!({
                    "outcome": "failed", "why": why,
                    "advice": "The user can remove the app in the TikTok app: Settings, Security, Apps and services.",
                }),
            };
            Json(json!({ "account": Shown::of(&done.account), "revocation": revocation })).into_response()
        }
        Err(error) => to.tell(&error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::account::{Scopes, TokenPair};
    use domain::identity::OpenId;
    use domain::secret::Sealed;

    #[test]
    fn an_account_is_shown_without_its_tokens() {
        let sealed = Sealed::new(b"sealed-1".to_vec());
        let at = Timestamp::UNIX_EPOCH;
        let pair = TokenPair { access: sealed.clone(), refresh: sealed, ..TokenPair::forgotten(at) };
        let (alias, open_id) = (Alias::new("anna").unwrap(), OpenId::new("open-1").unwrap());
        let account = Account::new(alias, open_id, Scopes::parse("video.upload"), pair);
        let shown = serde_json::to_value(Shown::of(&account)).unwrap();
        assert_eq!((&shown["connection"], &shown["scopes"]), (&json!("connected"), &json!(["video.upload"])));
        let text = shown.to_string();
        assert!(!text.contains("token") && !text.contains("sealed"), "{text}");
        let gone = serde_json::to_value(Shown::of(&account.disconnected("wished", at))).unwrap();
        assert_eq!((&gone["connection"], &gone["why"]), (&json!("disconnected"), &json!("wished")));
    }
}
