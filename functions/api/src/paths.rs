//! Whom or what a path names.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::identity::{Alias, PostId};
use posting::ConnectError;

use crate::problem::Problem;

/// The account that a path names.
pub(crate) struct AccountPath(pub(crate) Alias);

impl<S: Send + Sync> FromRequestParts<S> for AccountPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        // What is not UTF-8 is no more an alias than what is empty.
        let named = named.map_or_else(|_| String::new(), |Path(text)| text);
        Alias::new(&named).map(Self).map_err(|invalid| ConnectError::Alias(invalid).into())
    }
}

/// The post that a path names.
pub(crate) struct PostPath(pub(crate) PostId);

impl<S: Send + Sync> FromRequestParts<S> for PostPath {
    type Rejection = Problem;

    /// What cannot be a post's id is no post's: there is none.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await.ok();
        named.and_then(|Path(text)| PostId::new(text).ok()).map(Self).ok_or_else(|| {
            let advice = "A post's id has 32 characters of a-z and 2-7. GET /posts lists those that there are.";
            Problem::new(StatusCode::NOT_FOUND, "post_not_found", "There is no such post", advice)
        })
    }
}
