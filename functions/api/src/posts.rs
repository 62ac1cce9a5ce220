//! The posts: looked up, shown, and acted upon by people.

mod asks;
mod shown;
mod wanted;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::listing::PageForm;
use domain::post::Post;
use posting::{Connecting, InterveneError};
use serde_json::json;
use storage::Kept;

use crate::names::PostNamed;
use crate::problem::Problem;
use crate::stated::Stated;

#[cfg(test)]
pub(crate) use asks::Offered;
pub(crate) use asks::{complete, post, upload};
pub(crate) use shown::Shown;
use wanted::Wanted;

/// `GET /posts`.
pub(crate) async fn list(
    State(connecting): State<Arc<Connecting>>,
    Wanted(PageForm { listing, after, most }): Wanted,
) -> Result<Response, Problem> {
    let listed = connecting.posting.posts.list(&listing, after, most).await.map_err(InterveneError::from)?;
    let posts: Vec<_> = listed.posts.iter().map(|post| Shown::in_list(post)).collect();
    let next = listed.next.map(|place| place.to_text());
    Ok(Json(json!({ "posts": posts, "next_cursor": next })).into_response())
}

/// `GET /posts/{id}`.
pub(crate) async fn one(
    State(connecting): State<Arc<Connecting>>,
    PostNamed(id): PostNamed,
) -> Result<Json<Shown>, Problem> {
    let post = connecting.posting.posts.get(&id).await.map_err(InterveneError::from)?;
    Ok(shown(&post.ok_or(InterveneError::Unknown(id))?))
}

/// `POST /posts/{id}/approve`: lets it go out that waits for a review.
pub(crate) async fn approve(
    State(connecting): State<Arc<Connecting>>,
    PostNamed(id): PostNamed,
) -> Result<Json<Shown>, Problem> {
    Ok(shown(&connecting.posting.approve(&id).await?))
}

/// `POST /posts/{id}/cancel`: stops it, while TikTok cannot have every byte.
pub(crate) async fn cancel(
    State(connecting): State<Arc<Connecting>>,
    PostNamed(id): PostNamed,
) -> Result<Json<Shown>, Problem> {
    Ok(shown(&connecting.posting.cancel(&id).await?))
}

/// `POST /posts/{id}/retry`: tries it again that has failed and is not posted.
pub(crate) async fn retry(
    State(connecting): State<Arc<Connecting>>,
    PostNamed(id): PostNamed,
) -> Result<Json<Shown>, Problem> {
    Ok(shown(&connecting.posting.retry(&id).await?))
}

/// `PATCH /posts/{id}`: other options, as a merge patch, while TikTok has not
/// heard of it.
pub(crate) async fn reword(
    State(connecting): State<Arc<Connecting>>,
    PostNamed(id): PostNamed,
    Stated(change): Stated,
) -> Result<Json<Shown>, Problem> {
    Ok(shown(&connecting.posting.reword(&id, &change).await?))
}

fn shown(post: &Kept<Post>) -> Json<Shown> {
    Json(Shown::of(post))
}
