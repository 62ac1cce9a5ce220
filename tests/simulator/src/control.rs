//! The HTTP control interface under `/_simulator/`, with which a test sets up the simulated
//! platform and reads the ledger.
//!
//! Requests and responses are JSON, whatever the `Content-Type`, so that `curl -d` works.
//! There is no authentication, and `GET /secrets` returns every secret: listen on a
//! loopback address only.
//!
//! [`commands`] implements the commands on the [`World`]. [`client`] calls this interface
//! over HTTP; [`in_process`] offers the same methods without HTTP.

pub(crate) mod client;
pub(crate) mod commands;
mod in_process;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::ids::{OpenId, PublishId};
use crate::shared::SharedWorld;
use crate::world::World;

use commands::{Advance, CallsQuery, CommandError, Disconnect, ExpireTokens, FailPublish, GrantScopes};

type Shared = State<Arc<SharedWorld>>;
type CommandResult = Result<Response, CommandError>;

impl IntoResponse for CommandError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// Builds the router of the control interface; [`crate::server`] nests it under `/_simulator`.
pub(crate) fn router(shared: Arc<SharedWorld>) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/reset", post(reset))
        .route("/settings", settings())
        .route("/clock", read(World::clock_reading))
        .route("/clock/advance", post(advance))
        .route("/users", read(World::list_users))
        .route("/users/{open_id}", put(put_user))
        .route("/users/{open_id}/grant", post(grant))
        .route("/users/{open_id}/tokens/expire", post(expire_tokens))
        .route("/users/{open_id}/disconnect", post(disconnect))
        .route("/faults", faults())
        .route("/faults/{id}", delete(clear_fault))
        .route("/ledger", read(World::ledger))
        .route("/ledger/{publish_id}", get(entry))
        .route("/calls", get(calls))
        .route("/secrets", read(|world| world.ids.issued().to_vec()))
        .route("/webhooks", read(|world| world.webhook_queue.list().to_vec()))
        .route("/publishes/{publish_id}/post_draft", post(post_draft))
        .route("/publishes/{publish_id}/fail", post(fail))
        .route("/publishes/{publish_id}/take_down", post(take_down))
        .route("/publishes/{publish_id}/expire_upload", post(expire_upload))
        .with_state(shared)
}

/// Routes a GET without parameters to a function of the world.
fn read<T, F>(query: F) -> MethodRouter<Arc<SharedWorld>>
where
    T: Serialize,
    F: Fn(&World) -> T + Clone + Send + Sync + 'static,
{
    get(async move |State(shared): Shared| Json(query(&shared.lock())).into_response())
}

/// Parses a JSON body. An empty body is an empty object.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, CommandError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| CommandError::Invalid(error.to_string()))
}

#[expect(clippy::unnecessary_wraps, reason = "handlers return it as their result")]
fn json_response<T: Serialize>(value: T) -> CommandResult {
    Ok(Json(value).into_response())
}

fn empty_response() -> CommandResult {
    json_response(json!({}))
}

async fn reset(State(shared): Shared) -> CommandResult {
    shared.lock().reset();
    empty_response()
}

fn settings() -> MethodRouter<Arc<SharedWorld>> {
    read(|world| world.settings.clone())
        .put(async |State(shared): Shared, body: Bytes| -> CommandResult {
            shared.lock().put_settings(parse(&body)?)?;
            empty_response()
        })
        .patch(async |State(shared): Shared, body: Bytes| -> CommandResult {
            shared.lock().patch_settings(&parse::<Value>(&body)?)?;
            empty_response()
        })
}

async fn advance(State(shared): Shared, body: Bytes) -> CommandResult {
    let Advance { seconds } = parse(&body)?;
    let mut world = shared.lock();
    json_response(world.advance(seconds))
}

async fn put_user(State(shared): Shared, Path(id): Path<OpenId>, body: Bytes) -> CommandResult {
    let mut user: Value = parse(&body)?;
    user["open_id"] = json!(id);
    let user = serde_json::from_value(user);
    let user = user.map_err(|error| CommandError::Invalid(error.to_string()))?;
    shared.lock().put_user(user);
    empty_response()
}

async fn grant(State(shared): Shared, Path(id): Path<OpenId>, body: Bytes) -> CommandResult {
    let GrantScopes { scopes } = parse(&body)?;
    json_response(shared.lock().grant(&id, &scopes)?)
}

async fn expire_tokens(State(shared): Shared, Path(id): Path<OpenId>, body: Bytes) -> CommandResult {
    let ExpireTokens { which } = parse(&body)?;
    shared.lock().expire_tokens(&id, which)?;
    empty_response()
}

async fn disconnect(State(shared): Shared, Path(id): Path<OpenId>, body: Bytes) -> CommandResult {
    let Disconnect { reason } = parse(&body)?;
    shared.lock().disconnect(&id, reason)?;
    empty_response()
}

fn faults() -> MethodRouter<Arc<SharedWorld>> {
    read(|world| world.faults.list().to_vec())
        .post(async |State(shared): Shared, body: Bytes| -> CommandResult {
            let fault: Fault = parse(&body)?;
            json_response(json!({ "id": shared.lock().faults.inject(fault) }))
        })
        .delete(async |State(shared): Shared| -> CommandResult {
            shared.lock().faults.clear();
            empty_response()
        })
}

async fn clear_fault(State(shared): Shared, Path(id): Path<u64>) -> CommandResult {
    shared.lock().clear_fault(id)?;
    empty_response()
}

async fn entry(State(shared): Shared, Path(id): Path<PublishId>) -> CommandResult {
    json_response(shared.lock().publish_entry(&id)?)
}

async fn calls(State(shared): Shared, Query(CallsQuery { after }): Query<CallsQuery>) -> CommandResult {
    json_response(shared.lock().calls_after(after))
}

async fn post_draft(State(shared): Shared, Path(id): Path<PublishId>, body: Bytes) -> CommandResult {
    shared.lock().post_draft(&id, parse(&body)?)?;
    empty_response()
}

async fn fail(State(shared): Shared, Path(id): Path<PublishId>, body: Bytes) -> CommandResult {
    let FailPublish { reason } = parse(&body)?;
    shared.lock().fail_publish(&id, reason)?;
    empty_response()
}

async fn take_down(State(shared): Shared, Path(id): Path<PublishId>) -> CommandResult {
    shared.lock().take_down(&id)?;
    empty_response()
}

async fn expire_upload(State(shared): Shared, Path(id): Path<PublishId>) -> CommandResult {
    shared.lock().expire_upload(&id)?;
    empty_response()
}
