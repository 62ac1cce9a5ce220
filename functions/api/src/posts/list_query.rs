//! Which posts a list is asked for.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::listing::ListPosts;

use crate::problem::Problem;

/// A page of a list.
pub(crate) struct ListQuery(pub(crate) ListPosts);

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        ListPosts::read(parts.uri.query().unwrap_or_default()).map(Self).map_err(|unclear| {
            let title = "The query cannot be read";
            Problem::new(StatusCode::BAD_REQUEST, "query_malformed", title, &unclear.why)
        })
    }
}
