//! Connecting an account: the redirect to TikTok's authorization page, and the callback from it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::authorization::AuthorizationState;
use domain::identity::Alias;
use jiff::Timestamp;
use posting::ConnectError;
use serde::{Deserialize, Serialize};
use tiktok::AuthorizationResponse;

use crate::accounts::AccountView;
use crate::answer::Audience;
use crate::deadline::RequestDeadline;
use crate::page;
use crate::problem::Problem;
use crate::use_cases::UseCases;

/// The query of `GET /connect`.
#[derive(Deserialize)]
pub(crate) struct ConnectQuery {
    alias: String,
}

/// The address of TikTok's authorization page for one request.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AuthorizeUrl"))]
pub(crate) struct AuthorizeUrlView {
    /// A secret until the user responds: anyone who opens it can connect their own TikTok user.
    authorize_url: String,
    expires_at: Timestamp,
}

/// An account that was connected.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Connected"))]
pub(crate) struct ConnectedView {
    account: AccountView,
    /// Number of posts that waited for the account and now continue.
    resumed_posts: u32,
}

/// `GET /connect?alias=…`: redirects to TikTok's authorization page, or returns its address if the client asks for JSON.
pub(crate) async fn authorize(
    State(use_cases): State<Arc<UseCases>>,
    audience: Audience,
    query: Result<Query<ConnectQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(query)) = query else {
        let advice = "Name the account: GET /connect?alias=anna.";
        return audience.problem(&Problem::new(
            StatusCode::BAD_REQUEST,
            "alias_missing",
            "The alias is missing",
            advice,
        ));
    };
    let Ok(random_bytes) = runtime::random::random_bytes() else {
        return audience.problem(&Problem::no_randomness());
    };
    let started = match Alias::new(&query.alias) {
        Ok(alias) => use_cases.connections.start(&alias, &AuthorizationState::new(random_bytes)).await,
        Err(invalid) => Err(ConnectError::Alias(invalid)),
    };
    match (started, audience) {
        (Ok(started), Audience::Program) => {
            let authorize_url = started.url.to_string();
            Json(AuthorizeUrlView { authorize_url, expires_at: started.expires_at }).into_response()
        }
        (Ok(started), Audience::Browser | Audience::Any) => {
            (StatusCode::FOUND, [(header::LOCATION, started.url.to_string())]).into_response()
        }
        (Err(error), audience) => audience.problem(&error.into()),
    }
}

/// `GET /oauth/callback`: receives TikTok's authorization response from the user's browser and connects the account.
/// The route is public; `Connections::finish` rejects a response whose `state` no `GET /connect` issued.
pub(crate) async fn callback(
    State(use_cases): State<Arc<UseCases>>,
    audience: Audience,
    RequestDeadline(deadline): RequestDeadline,
    RawQuery(query): RawQuery,
) -> Response {
    let response = AuthorizationResponse::read(&query.unwrap_or_default());
    match use_cases.connections.finish(response, deadline).await {
        Ok(connected) => match audience {
            Audience::Browser => page::connected(&connected.account, connected.resumed).into_response(),
            Audience::Program | Audience::Any => {
                let account = AccountView::of(&connected.account);
                Json(ConnectedView { account, resumed_posts: connected.resumed }).into_response()
            }
        },
        Err(error) => audience.problem(&error.into()),
    }
}
