//! The effects of faults: on the world, on the answer, and on the connection.
//!
//! [`crate::faults`] decides which fault hits a call. `server`, and `upload::stream` for uploads, call
//! [`FiredFault::apply_before`] before the endpoint's own work and [`FiredFault::apply_after`] on its answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use futures::stream;
use serde_json::{Value, json};

use crate::connection::{ConnectionHandle, Termination};
use crate::endpoint::{BodyKind, Endpoint};
use crate::envelope::{Reply, envelope};
use crate::faults::{Effect, Ending, FaultKind, FiredFault, Moment, WrongShape};
use crate::ids::PublishId;
use crate::shared::SharedWorld;

/// How often a stalled call checks whether its stall is over.
const STALL_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// What happens to a call after a fault was applied before the endpoint's work.
#[derive(Debug)]
pub(crate) enum FaultOutcome {
    /// The endpoint does its work.
    Continue,
    /// The call is answered with this reply, and has no effect.
    Reply(Reply),
    /// The connection is gone, and the call has no effect.
    Disconnected,
}

/// The call that a fault hits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultTarget<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) publish_id: Option<&'a PublishId>,
}

impl FiredFault {
    /// Applies the part of the fault that precedes the endpoint's work, if its kind has one.
    pub(crate) async fn apply_before(
        &self,
        shared: &SharedWorld,
        connection: &ConnectionHandle,
        target: FaultTarget<'_>,
    ) -> FaultOutcome {
        match &self.kind {
            FaultKind::Status { effect: Effect::Skipped, .. } => {
                let reply = self.replacement_reply(shared, target.endpoint);
                return reply.map_or(FaultOutcome::Continue, FaultOutcome::Reply);
            }
            FaultKind::ResetBeforeBody => {
                connection.terminate(Termination::Reset);
                return FaultOutcome::Disconnected;
            }
            // An upload resets in the middle of its body (`upload::stream`). Any other call's body was already read.
            FaultKind::ResetInBody { .. } | FaultKind::ResetAfterBody if target.endpoint.body() != BodyKind::Media => {
                connection.terminate(Termination::Reset);
                return FaultOutcome::Disconnected;
            }
            FaultKind::Stall { ms, moment: Moment::Before } => self.stall(shared, connection, *ms).await,
            FaultKind::SlowRead { bytes_per_second } => connection.slow_down(*bytes_per_second),
            FaultKind::ExpireAccessToken => {
                let mut world = shared.lock();
                let now = world.clock.now();
                if let Some(token) = target.bearer {
                    world.tokens.expire_access(token, now);
                }
            }
            FaultKind::ExpireUploadUrl => {
                let mut world = shared.lock();
                let now = world.clock.now();
                if let Some(index) = target.publish_id.and_then(|id| world.find_publish(id)) {
                    world.publishes[index].upload.expires_at = now;
                }
            }
            _ => {}
        }
        if connection.is_closed() { FaultOutcome::Disconnected } else { FaultOutcome::Continue }
    }

    /// Makes the call's publish fail after processing, if this is a `fail_post` fault.
    pub(crate) fn force_failure(&self, shared: &SharedWorld, publish_id: Option<&PublishId>) {
        if let FaultKind::FailPost { reason } = self.kind {
            let mut world = shared.lock();
            if let Some(index) = publish_id.and_then(|id| world.find_publish(id)) {
                world.publishes[index].forced_failure = Some(reason);
            }
        }
    }

    /// Applies the part of the fault that changes the endpoint's answer, if its kind has one. Returns the reply to send,
    /// or `None` if no answer is sent.
    pub(crate) async fn apply_after(
        &self,
        shared: &SharedWorld,
        connection: &ConnectionHandle,
        endpoint: Endpoint,
        mut reply: Reply,
    ) -> Option<Reply> {
        match &self.kind {
            FaultKind::Status { .. } => return self.replacement_reply(shared, endpoint).or(Some(reply)),
            FaultKind::LoseAnswer { ending } => {
                connection.terminate(match ending {
                    Ending::Close => Termination::Close,
                    Ending::Reset => Termination::Reset,
                });
                return None;
            }
            FaultKind::Stall { ms, moment: Moment::After } => self.stall(shared, connection, *ms).await,
            FaultKind::TruncatedJson => {
                let middle = reply.body.len() / 2;
                let cut = (0..=middle).rev().find(|at| reply.body.is_char_boundary(*at));
                reply.body.truncate(cut.unwrap_or(0));
            }
            FaultKind::WrongEnvelope { shape } => apply_wrong_shape(&mut reply, *shape),
            _ => {}
        }
        Some(reply)
    }

    /// Builds the reply of a `status` fault, in the error shape of the endpoint; `None` for any other kind.
    fn replacement_reply(&self, shared: &SharedWorld, endpoint: Endpoint) -> Option<Reply> {
        let FaultKind::Status { http_status, code, message, .. } = &self.kind else {
            return None;
        };
        let log_id = shared.lock().ids.log_id();
        Some(match endpoint.body() {
            BodyKind::Media => Reply::empty(*http_status),
            BodyKind::Form => {
                let body = json!({ "error": code, "error_description": message, "log_id": log_id });
                Reply::json(*http_status, &body)
            }
            BodyKind::Json | BodyKind::None => {
                Reply::json(*http_status, &envelope(Some(json!({})), code, message, &log_id))
            }
        })
    }

    /// Waits until `ms` milliseconds have passed, the fault is cleared, or the client disconnects.
    async fn stall(&self, shared: &SharedWorld, connection: &ConnectionHandle, ms: Option<u64>) {
        let end = ms.map(|ms| tokio::time::Instant::now() + Duration::from_millis(ms));
        while !connection.is_closed() && shared.lock().faults.contains(self.id) {
            let next_check = tokio::time::Instant::now() + STALL_CHECK_INTERVAL;
            tokio::time::sleep_until(end.map_or(next_check, |end| end.min(next_check))).await;
            if end.is_some_and(|end| end <= tokio::time::Instant::now()) {
                return;
            }
        }
    }
}

fn apply_wrong_shape(reply: &mut Reply, shape: WrongShape) {
    let mut body: Value = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
    match shape {
        WrongShape::Html => {
            *reply = Reply::html(reply.status, "<html><body>Bad Gateway</body></html>".to_owned());
            return;
        }
        WrongShape::Empty => {
            *reply = Reply::empty(reply.status);
            return;
        }
        WrongShape::Null => body = Value::Null,
        WrongShape::List => body = json!([body]),
        WrongShape::ErrorString => body["error"] = json!("ok"),
        WrongShape::NoError => remove_field(&mut body, "error"),
        WrongShape::NoData => remove_field(&mut body, "data"),
        WrongShape::TopLevel => {
            let error = body["error"].take();
            remove_field(&mut body, "error");
            for name in ["code", "message", "log_id"] {
                body[name] = error[name].clone();
            }
        }
    }
    reply.body = body.to_string();
}

fn remove_field(body: &mut Value, name: &str) {
    if let Some(object) = body.as_object_mut() {
        object.remove(name);
    }
}

/// Builds the HTTP response of a reply. A `short_body` fault ends the body after half of its `Content-Length`.
pub(crate) fn respond(reply: Reply, fault: Option<&FiredFault>) -> Response {
    let is_short = matches!(fault, Some(FiredFault { kind: FaultKind::ShortBody, .. }));
    let mut response =
        Response::builder().status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = if is_short {
        // At least 2, so that an empty body is too short as well.
        response = response.header("content-length", reply.body.len().max(2));
        let half = reply.body.as_bytes()[..reply.body.len() / 2].to_vec();
        let parts = [Ok(half), Err(std::io::Error::other("a short_body fault ends the body here"))];
        Body::from_stream(stream::iter(parts))
    } else {
        Body::from(reply.body)
    };
    response.body(body).unwrap_or_else(|_| unsent_response())
}

/// The response that a handler returns on a terminated connection. It is never sent.
pub(crate) fn unsent_response() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
