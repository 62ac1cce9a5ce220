//! The post routes: list, show and change posts, and create them (in `create`).

mod create;
mod list_query;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::listing::ListPosts;
use domain::post::Post;
use posting::CommandError;
use serde::Serialize;
use storage::Versioned;

use crate::body::Body;
use crate::paths::PostPath;
use crate::problem::Problem;
use crate::use_cases::UseCases;

#[cfg(test)]
pub(crate) use create::CreatedUploadView;
pub(crate) use create::{complete_upload, create, create_upload};
use list_query::ListQuery;
pub(crate) use view::PostView;

/// A page of posts, the newest first.
///
/// It can be empty and still not be the last page.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Posts {
    posts: Vec<PostView>,
    /// The `cursor` of the request for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// `GET /posts`.
pub(crate) async fn list(
    State(use_cases): State<Arc<UseCases>>,
    ListQuery(ListPosts { filter, after, limit }): ListQuery,
) -> Result<Json<Posts>, Problem> {
    let page = use_cases.posts.list(&filter, after, limit).await.map_err(CommandError::from)?;
    let posts = page.posts.iter().map(|post| PostView::in_list(post)).collect();
    Ok(Json(Posts { posts, next_cursor: page.next.map(|cursor| cursor.to_text()) }))
}

/// `GET /posts/{id}`.
pub(crate) async fn get(
    State(use_cases): State<Arc<UseCases>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    let post = use_cases.posts.get(&id).await.map_err(CommandError::from)?;
    Ok(view(&post.ok_or(CommandError::NotFound(id))?))
}

/// `POST /posts/{id}/approve`: releases a post that is held for its review.
pub(crate) async fn approve(
    State(use_cases): State<Arc<UseCases>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    Ok(view(&use_cases.commands.approve(&id).await?))
}

/// `POST /posts/{id}/cancel`: cancels a post, unless TikTok may have all of its bytes.
pub(crate) async fn cancel(
    State(use_cases): State<Arc<UseCases>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    Ok(view(&use_cases.commands.cancel(&id).await?))
}

/// `POST /posts/{id}/retry`: retries a failed post that TikTok cannot have posted.
pub(crate) async fn retry(
    State(use_cases): State<Arc<UseCases>>,
    PostPath(id): PostPath,
) -> Result<Json<PostView>, Problem> {
    Ok(view(&use_cases.commands.retry(&id).await?))
}

/// `PATCH /posts/{id}`: changes a post's options by a merge patch, until its upload starts or after it failed.
pub(crate) async fn update_options(
    State(use_cases): State<Arc<UseCases>>,
    PostPath(id): PostPath,
    Body(patch): Body,
) -> Result<Json<PostView>, Problem> {
    Ok(view(&use_cases.commands.update_options(&id, &patch).await?))
}

fn view(post: &Versioned<Post>) -> Json<PostView> {
    Json(PostView::of(post))
}
