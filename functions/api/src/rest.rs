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
pub(crate) struct Clerk {
    name: String,
    rest_by: Timestamp,
}

impl Clerk {
    /// Begins to work.
    pub(crate) fn begin(self, since: Timestamp) -> Worker {
        Worker { name: self.name, since, rest_by: self.rest_by }
    }
}

impl<S: Sync> FromRequestParts<S> for Clerk {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let RestBy(rest_by) = RestBy::from_request_parts(parts, state).await?;
        let request = parts.lambda_context_ref().map_or_else(String::new, |context| context.request_id.clone());
        Ok(Self { name: format!("api/{request}"), rest_by })
    }
}

/// The moment by which a request's work must be at rest.
pub(crate) struct RestBy(pub(crate) Timestamp);

impl<S: Sync> FromRequestParts<S> for RestBy {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let deadline = parts.lambda_context_ref().map_or(u64::MAX, |context| context.deadline);
        Ok(Self(Deadline::from_epoch_ms(deadline).less(MARGIN)))
    }
}
