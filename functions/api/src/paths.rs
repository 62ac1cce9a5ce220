//! Extractors of the path parameters `{alias}` and `{id}`.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::identity::{Alias, PostId};
use posting::ConnectError;

use crate::problem::{LIST_POSTS, Problem};

/// The alias in the path of an account route. An invalid alias is rejected with 400, `alias_invalid`.
pub(crate) struct AccountPath(pub(crate) Alias);

impl<S: Send + Sync> FromRequestParts<S> for AccountPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A parameter that is not UTF-8 is treated as an empty alias, which is invalid too.
        let text = Path::<String>::from_request_parts(parts, state).await.map_or_else(|_| String::new(), |path| path.0);
        Alias::new(&text).map(Self).map_err(|invalid| ConnectError::Alias(invalid).into())
    }
}

/// The post id in the path of a post route. A malformed id is rejected with 404, because no post has it.
pub(crate) struct PostPath(pub(crate) PostId);

impl<S: Send + Sync> FromRequestParts<S> for PostPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        text.and_then(|Path(text)| PostId::new(text).ok()).map(Self).ok_or_else(|| {
            let advice = format!("A post id has 32 characters of a-z and 2-7. {LIST_POSTS}");
            Problem::new(StatusCode::NOT_FOUND, "post_not_found", "There is no such post", &advice)
        })
    }
}
