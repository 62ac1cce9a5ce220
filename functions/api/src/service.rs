//! The routes about the API itself: the health check and the OpenAPI document.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;

/// The result of the health check.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// `GET /health`. It calls no other service.
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// `GET /openapi.json`: returns the file `functions/api/openapi.json`, which the test in `contract` generates.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../openapi.json"))
}
