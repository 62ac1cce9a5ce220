//! How long there is for a request.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use lambda_http::RequestExt;
use posting::Worker;
use runtime::deadline::Deadline;

/// The time before the deadline at which work must be at rest: enough to say so.
const MARGIN: Duration = Duration::from_secs(3);

/// Who works on a request, where it needs somebody with a name, and until when.
pub(crate) struct WorkerContext {
    name: String,
    deadline: Timestamp,
}

impl WorkerContext {
    /// Begins to work.
    pub(crate) fn begin(self, since: Timestamp) -> Worker {
        Worker { name: self.name, since, deadline: self.deadline }
    }
}

impl<S: Sync> FromRequestParts<S> for WorkerContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let RequestDeadline(deadline) = RequestDeadline::from_request_parts(parts, state).await?;
        let request = parts.lambda_context_ref().map_or_else(String::new, |context| context.request_id.clone());
        Ok(Self { name: format!("api/{request}"), deadline })
    }
}

/// The moment by which a request's work must be at rest.
pub(crate) struct RequestDeadline(pub(crate) Timestamp);

impl<S: Sync> FromRequestParts<S> for RequestDeadline {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let deadline = parts.lambda_context_ref().map_or(u64::MAX, |context| context.deadline);
        Ok(Self(Deadline::from_epoch_ms(deadline).less(MARGIN)))
    }
}
