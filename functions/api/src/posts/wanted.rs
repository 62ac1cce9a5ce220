//! Which posts a list is asked for.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::listing::PageForm;

use crate::problem::Problem;

/// A page of a list.
pub(crate) struct Wanted(pub(crate) PageForm);

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        PageForm::read(parts.uri.query().unwrap_or_default()).map(Self).map_err(|unclear| {
            let title = "The query cannot be read";
            Problem::new(StatusCode::BAD_REQUEST, "query_malformed", title, &unclear.why)
        })
    }
}
