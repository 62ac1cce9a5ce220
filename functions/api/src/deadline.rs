//! Extractors of a request's deadline and worker name. Both come from the Lambda invocation.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use lambda_http::RequestExt;
use posting::Worker;
use runtime::deadline::Deadline;

/// The time between a request's deadline and the function's timeout. It is enough to send a response.
const RESPONSE_MARGIN: Duration = Duration::from_secs(3);

/// The name and deadline of the worker that handles a request. A handler that calls TikTok is a [`Worker`], because it
/// may have to lock the account to refresh its tokens.
pub(crate) struct WorkerContext {
    name: String,
    deadline: Timestamp,
}

impl WorkerContext {
    /// The worker, which starts at `since`.
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

/// The time by which a handler must have stored its results: [`RESPONSE_MARGIN`] before the function's timeout.
pub(crate) struct RequestDeadline(pub(crate) Timestamp);

impl<S: Sync> FromRequestParts<S> for RequestDeadline {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Without a Lambda context, as in a test, there is no deadline.
        let deadline = parts.lambda_context_ref().map_or(u64::MAX, |context| context.deadline);
        Ok(Self(Deadline::from_epoch_ms(deadline).less(RESPONSE_MARGIN)))
    }
}
