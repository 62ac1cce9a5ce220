//! The control interface under `/_simulator/`: how a test arranges the world and
//! reads the judge's book.
//!
//! JSON in, JSON out, whatever the `Content-Type`, so that a shell does as well
//! as a program. It has no protection of its own and hands out secrets: it
//! belongs on a loopback address.

pub(crate) mod client;
mod local;
pub(crate) mod orders;

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
use crate::stage::Stage;
use crate::world::World;

use orders::{Advance, After, Disconnect, Failure, OrderError, TokenOrder};

type Shared = State<Arc<Stage>>;
type Answer = Result<Response, OrderError>;

impl IntoResponse for OrderError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::NotNow(_) => StatusCode::CONFLICT,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// Routes the control interface.
pub(crate) fn router(stage: Arc<Stage>) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/reset", post(reset))
        .route("/settings", settings())
        .route("/clock", view(World::clock_reading))
        .route("/clock/advance", post(advance))
        .route("/users", view(World::list_users))
        .route("/users/{open_id}", put(put_user))
        .route("/users/{open_id}/grant", post(grant))
        .route("/users/{open_id}/tokens/expire", post(expire_tokens))
        .route("/users/{open_id}/disconnect", post(disconnect))
        .route("/faults", faults())
        .route("/faults/{id}", delete(clear_fault))
        .route("/ledger", view(World::ledger))
        .route("/ledger/{publish_id}", get(entry))
        .route("/events", get(events))
        .route("/secrets", view(|world| world.mint.issued().to_vec()))
        .route("/webhooks", view(|world| world.outbox.list().to_vec()))
        .route("/posts/{publish_id}/post_draft", post(post_draft))
        .route("/posts/{publish_id}/fail", post(fail))
        .route("/posts/{publish_id}/take_down", post(take_down))
        .route("/posts/{publish_id}/expire_upload", post(expire_upload))
        .with_state(stage)
}

/// Routes a question that has no parameters.
fn view<T, F>(read: F) -> MethodRouter<Arc<Stage>>
where
    T: Serialize,
    F: Fn(&World) -> T + Clone + Send + Sync + 'static,
{
    get(async move |State(stage): Shared| Json(read(&stage.world())).into_response())
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, OrderError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| OrderError::Malformed(error.to_string()))
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of functions that can fail before it")]
fn said<T: Serialize>(value: T) -> Answer {
    Ok(Json(value).into_response())
}

fn done() -> Answer {
    said(json!({}))
}

async fn reset(State(stage): Shared) -> Answer {
    stage.world().reset();
    done()
}

fn settings() -> MethodRouter<Arc<Stage>> {
    view(|world| world.settings.clone())
        .put(async |State(stage): Shared, body: Bytes| -> Answer {
            stage.world().put_settings(read(&body)?)?;
            done()
        })
        .patch(async |State(stage): Shared, body: Bytes| -> Answer {
            stage.world().change_settings(&read::<Value>(&body)?)?;
            done()
        })
}

async fn advance(State(stage): Shared, body: Bytes) -> Answer {
    let Advance { seconds } = read(&body)?;
    let mut world = stage.world();
    said(world.advance(seconds))
}

async fn put_user(State(stage): Shared, Path(id): Path<OpenId>, body: Bytes) -> Answer {
    let mut user: Value = read(&body)?;
    user["open_id"] = json!(id);
    let user = serde_json::from_value(user);
    let user = user.map_err(|error| OrderError::Malformed(error.to_string()))?;
    stage.world().put_user(user);
    done()
}

async fn grant(State(stage): Shared, Path(id): Path<OpenId>, body: Bytes) -> Answer {
    let order: orders::Grant = read(&body)?;
    said(stage.world().grant(&id, &order)?)
}

async fn expire_tokens(State(stage): Shared, Path(id): Path<OpenId>, body: Bytes) -> Answer {
    let TokenOrder { which } = read(&body)?;
    stage.world().expire_tokens(&id, which)?;
    done()
}

async fn disconnect(State(stage): Shared, Path(id): Path<OpenId>, body: Bytes) -> Answer {
    let Disconnect { reason } = read(&body)?;
    stage.world().disconnect(&id, reason)?;
    done()
}

fn faults() -> MethodRouter<Arc<Stage>> {
    view(|world| world.faults.list().to_vec())
        .post(async |State(stage): Shared, body: Bytes| -> Answer {
            let fault: Fault = read(&body)?;
            said(json!({ "id": stage.world().faults.inject(fault) }))
        })
        .delete(async |State(stage): Shared| -> Answer {
            stage.world().faults.clear();
            done()
        })
}

async fn clear_fault(State(stage): Shared, Path(id): Path<u64>) -> Answer {
    stage.world().clear_fault(id)?;
    done()
}

async fn entry(State(stage): Shared, Path(id): Path<PublishId>) -> Answer {
    said(stage.world().publish_entry(&id)?)
}

async fn events(State(stage): Shared, Query(After { after }): Query<After>) -> Answer {
    said(stage.world().events_after(after))
}

async fn post_draft(State(stage): Shared, Path(id): Path<PublishId>, body: Bytes) -> Answer {
    stage.world().post_draft(&id, read(&body)?)?;
    done()
}

async fn fail(State(stage): Shared, Path(id): Path<PublishId>, body: Bytes) -> Answer {
    let Failure { reason } = read(&body)?;
    stage.world().fail_publish(&id, reason)?;
    done()
}

async fn take_down(State(stage): Shared, Path(id): Path<PublishId>) -> Answer {
    stage.world().take_down(&id)?;
    done()
}

async fn expire_upload(State(stage): Shared, Path(id): Path<PublishId>) -> Answer {
    stage.world().expire_upload(&id)?;
    done()
}
