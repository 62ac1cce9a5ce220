//! The extractor of the query of `GET /posts`.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::listing::ListPosts;

use crate::problem::Problem;

/// The filter, limit and cursor of a list. An invalid query is rejected with 400, `query_malformed`.
pub(crate) struct ListQuery(pub(crate) ListPosts);

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        ListPosts::read(parts.uri.query().unwrap_or_default()).map(Self).map_err(|invalid| {
            let title = "The query is invalid";
            Problem::new(StatusCode::BAD_REQUEST, "query_malformed", title, &invalid.detail)
        })
    }
}
