//! Connections an account: the way to TikTok's page, and the way back.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::authorization::AuthorizationState;
use domain::identity::Alias;
use posting::{ConnectError, Connected, Connections};
use serde::Deserialize;
use serde_json::json;
use tiktok::AuthorizationResponse;

use crate::accounts::AccountView;
use crate::answer::Audience;
use crate::deadline::RequestDeadline;
use crate::page;
use crate::problem::Problem;

#[derive(Deserialize)]
pub(crate) struct ConnectQuery {
    alias: String,
}

/// `GET /connect?alias=…`: leads to TikTok's page, or says where it is.
pub(crate) async fn ask(
    State(connecting): State<Arc<Connections>>,
    to: Audience,
    wanted: Result<Query<ConnectQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(wanted)) = wanted else {
        let advice = "Name the account: GET /connect?alias=anna.";
        return to.tell(&Problem::new(StatusCode::BAD_REQUEST, "alias_missing", "No alias is named", advice));
    };
    let Ok(random_bytes) = runtime::random::random_bytes() else {
        return to.tell(&Problem::no_randomness());
    };
    let asked = match Alias::new(&wanted.alias) {
        Ok(alias) => connecting.ask(&alias, &AuthorizationState::new(random_bytes)).await,
        Err(invalid) => Err(ConnectError::Alias(invalid)),
    };
    match (asked, to) {
        (Ok(asked), Audience::Program) => {
            Json(json!({ "authorize_url": asked.address.as_str(), "expires_at": asked.expires_at })).into_response()
        }
        (Ok(asked), Audience::Person | Audience::Anybody) => {
            (StatusCode::FOUND, [(header::LOCATION, asked.address.to_string())]).into_response()
        }
        (Err(error), to) => to.tell(&error.into()),
    }
}

/// `GET /oauth/callback`: where TikTok's page sends the user's browser.
pub(crate) async fn take(
    State(connecting): State<Arc<Connections>>,
    to: Audience,
    RequestDeadline(deadline): RequestDeadline,
    RawQuery(query): RawQuery,
) -> Response {
    let answer = AuthorizationResponse::read(&query.unwrap_or_default());
    match connecting.take(answer, deadline).await {
        Ok(Connected { account, resumed }) => match to {
            Audience::Person => page::of_connected(&account, resumed).into_response(),
            Audience::Program | Audience::Anybody => {
                Json(json!({ "account": AccountView::of(&account), "resumed_posts": resumed })).into_response()
            }
        },
        Err(error) => to.tell(&error.into()),
    }
}
