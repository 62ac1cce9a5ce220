//! How long there is for a request.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use lambda_http::RequestExt;
use runtime::deadline::Deadline;

/// The time before the deadline at which work must be at rest: enough to say so.
const MARGIN: Duration = Duration::from_secs(3);

/// The moment by which a request's work must be at rest.
pub(crate) struct RestBy(pub(crate) Timestamp);

impl<S: Sync> FromRequestParts<S> for RestBy {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let deadline = parts.lambda_context_ref().map_or(u64::MAX, |context| context.deadline);
        Ok(Self(Deadline::from_epoch_ms(deadline).less(MARGIN)))
    }
}
