//! The posts: looked up, shown, and acted upon by people.

mod create;
mod list_query;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::listing::ListPosts;
use domain::post::Post;
use posting::{CommandError, Connections};
use serde_json::json;
use storage::Versioned;

use crate::body::Body;
use crate::paths::PostPath;
use crate::problem::Problem;

#[cfg(test)]
pub(crate) use create::CreatedUploadView;
pub(crate) use create::{complete, post, upload};
use list_query::ListQuery;
pub(crate) use view::PostView;

/// `GET /posts`.
pub(crate) async fn list(
    State(connecting): State<Arc<Connections>>,
    ListQuery(ListPosts { listing, after, most }): ListQuery,
) -> Result<Response, Problem> {
    let listed = connecting.posting.posts.list(&listing, after, most).await.map_err(CommandError::from)?;
    let posts: Vec<_> = listed.posts.iter().map(|post| PostView::in_list(post)).collect();
    let next = listed.next.map(|place| place.to_text());
    Ok(Json(json!({ "posts": posts, "next_cursor": next })).into_response())
}

/// `GET /posts/{id}`.
pub(crate) async fn one(
    State(connecting): State<Arc<Connections>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    let post = connecting.posting.posts.get(&id).await.map_err(CommandError::from)?;
    Ok(shown(&post.ok_or(CommandError::Unknown(id))?))
}

/// `POST /posts/{id}/approve`: lets it go out that waits for a review.
pub(crate) async fn approve(
    State(connecting): State<Arc<Connections>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    Ok(shown(&connecting.posting.approve(&id).await?))
}

/// `POST /posts/{id}/cancel`: stops it, while TikTok cannot have every byte.
pub(crate) async fn cancel(
    State(connecting): State<Arc<Connections>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    Ok(shown(&connecting.posting.cancel(&id).await?))
}

/// `POST /posts/{id}/retry`: tries it again that has failed and is not posted.
pub(crate) async fn retry(
    State(connecting): State<Arc<Connections>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    Ok(shown(&connecting.posting.retry(&id).await?))
}

/// `PATCH /posts/{id}`: other options, as a merge patch, while TikTok has not
/// heard of it.
pub(crate) async fn update_options(
    State(connecting): State<Arc<Connections>>,
    PostPath(id): PostPath,
    Body(change): Body,
) -> Result<Json<PostView>, Problem> {
    Ok(shown(&connecting.posting.update_options(&id, &change).await?))
}

fn shown(post: &Versioned<Post>) -> Json<PostView> {
    Json(PostView::of(post))
}
