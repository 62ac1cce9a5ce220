//! Carries a fault out, on the world, on the answer, or on the wire itself.
//!
//! [`crate::faults`] decides which call is hit; this module knows how it hurts.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use futures::stream;
use serde_json::{Value, json};

use crate::endpoint::{BodyKind, Endpoint};
use crate::envelope::{Reply, envelope};
use crate::faults::{Effect, Ending, Fired, Moment, Trouble, WrongShape};
use crate::ids::PublishId;
use crate::stage::Stage;
use crate::wire::{Cut, Wire};

const PATIENCE: Duration = Duration::from_millis(20);

/// How a call goes on after what a fault did before it.
#[derive(Debug)]
pub(crate) enum Then {
    /// The call is answered by its endpoint.
    GoOn,
    /// The call is answered like this, and has no effect.
    Answer(Reply),
    /// The connection is gone.
    Gone,
}

/// Who is hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) publish_id: Option<&'a PublishId>,
}

impl Fired {
    /// Does what is to be done before the call does its work.
    pub(crate) async fn before(&self, stage: &Stage, wire: &Wire, target: Target<'_>) -> Then {
        match &self.trouble {
            Trouble::Status { effect: Effect::Skipped, .. } => {
                return self.false_status(stage, target.endpoint).map_or(Then::GoOn, Then::Answer);
            }
            Trouble::ResetBeforeBody => {
                wire.cut(Cut::Reset);
                return Then::Gone;
            }
            // The body of a call that is no upload was read already.
            Trouble::ResetInBody { .. } | Trouble::ResetAfterBody if target.endpoint.body() != BodyKind::Media => {
                wire.cut(Cut::Reset);
                return Then::Gone;
            }
            Trouble::Stall { ms, moment: Moment::Before } => self.stall(stage, wire, *ms).await,
            Trouble::SlowRead { bytes_per_second } => wire.slow_down(*bytes_per_second),
            Trouble::ExpireAccessToken => {
                let mut world = stage.world();
                let now = world.clock.now();
                if let Some(token) = target.bearer {
                    world.grants.expire_access(token, now);
                }
            }
            Trouble::ExpireUploadUrl => {
                let mut world = stage.world();
                let now = world.clock.now();
                if let Some(index) = target.publish_id.and_then(|id| world.find(id)) {
                    world.posts[index].upload.expires_at = now;
                }
            }
            _ => {}
        }
        if wire.is_closed() { Then::Gone } else { Then::GoOn }
    }

    /// Dooms the publish that a call turned out to concern.
    pub(crate) fn doom(&self, stage: &Stage, publish_id: Option<&PublishId>) {
        if let Trouble::FailPost { reason } = self.trouble {
            let mut world = stage.world();
            if let Some(index) = publish_id.and_then(|id| world.find(id)) {
                world.posts[index].doom = Some(reason);
            }
        }
    }

    /// Does to an answer what is to be done; none if it never leaves.
    pub(crate) async fn after(
        &self,
        stage: &Stage,
        wire: &Wire,
        endpoint: Endpoint,
        mut reply: Reply,
    ) -> Option<Reply> {
        match &self.trouble {
            Trouble::Status { .. } => return self.false_status(stage, endpoint).or(Some(reply)),
            Trouble::LoseAnswer { ending } => {
                wire.cut(match ending {
                    Ending::Close => Cut::Close,
                    Ending::Reset => Cut::Reset,
                });
                return None;
            }
            Trouble::Stall { ms, moment: Moment::After } => self.stall(stage, wire, *ms).await,
            Trouble::TruncatedJson => {
                let half = reply.body.len() / 2;
                let half = (0..=half).rev().find(|at| reply.body.is_char_boundary(*at));
                reply.body.truncate(half.unwrap_or(0));
            }
            Trouble::WrongEnvelope { shape } => misshape(&mut reply, *shape),
            _ => {}
        }
        Some(reply)
    }

    /// Builds the answer that is given in place of the true one.
    fn false_status(&self, stage: &Stage, endpoint: Endpoint) -> Option<Reply> {
        let Trouble::Status { http_status, code, message, .. } = &self.trouble else {
            return None;
        };
        let log_id = stage.world().mint.log_id();
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

    /// Waits, as long as the fault is there and the client is.
    async fn stall(&self, stage: &Stage, wire: &Wire, ms: Option<u64>) {
        let end = ms.map(|ms| tokio::time::Instant::now() + Duration::from_millis(ms));
        while !wire.is_closed() && stage.world().faults.holds(self.id) {
            let next = tokio::time::Instant::now() + PATIENCE;
            tokio::time::sleep_until(end.map_or(next, |end| end.min(next))).await;
            if end.is_some_and(|end| end <= tokio::time::Instant::now()) {
                return;
            }
        }
    }
}

fn misshape(reply: &mut Reply, shape: WrongShape) {
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
        WrongShape::NoError => remove(&mut body, "error"),
        WrongShape::NoData => remove(&mut body, "data"),
        WrongShape::TopLevel => {
            let error = body["error"].take();
            remove(&mut body, "error");
            for name in ["code", "message", "log_id"] {
                body[name] = error[name].clone();
            }
        }
    }
    reply.body = body.to_string();
}

fn remove(body: &mut Value, name: &str) {
    if let Some(object) = body.as_object_mut() {
        object.remove(name);
    }
}

/// Turns an answer into bytes on the wire, cut short if the fault says so.
pub(crate) fn respond(reply: Reply, fault: Option<&Fired>) -> Response {
    let short = matches!(fault, Some(Fired { trouble: Trouble::ShortBody, .. }));
    let mut response =
        Response::builder().status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = if short {
        // Sent as announced, but for its second half.
        response = response.header("content-length", reply.body.len().max(2));
        let half = reply.body.as_bytes()[..reply.body.len() / 2].to_vec();
        let parts = [Ok(half), Err(std::io::Error::other("cut short on purpose"))];
        Body::from_stream(stream::iter(parts))
    } else {
        Body::from(reply.body)
    };
    response.body(body).unwrap_or_else(|_| no_answer())
}

/// Stands in for an answer on a connection that sends no more.
pub(crate) fn no_answer() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
