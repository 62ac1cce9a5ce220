//! The route table. It builds the router, and `contract` generates the OpenAPI document from it.
//!
//! `template.yaml` has one gateway route for each route of the table. It does not have a single `$default` route, for
//! three reasons:
//!
//! - With `$default`, CORS preflight requests would need a third public route, besides the callback and the webhook
//!   (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>).
//! - IAM policies allow or deny calls by the ARN of a route, with method and path.
//! - [`require_gateway_route`] compares the route here with the one that the gateway authorized.
//!
//! To add a route, add it here and in the template; `routes/tests.rs` compares the two. Then update `openapi.json` as
//! the test in `contract` says.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, map_response};
use axum::routing::{MethodRouter, delete, get, patch, post};

use crate::body::MAX_BODY_BYTES;
#[cfg(test)]
use crate::contract::{self, Operation, closed, public};
use crate::middleware::{require_gateway_route, set_security_headers};
use crate::problem::Problem;
use crate::use_cases::UseCases;
use crate::{accounts, connect, posts, service, webhook};

/// One method of one path. `S` is the state of the router: [`UseCases`], or nothing in a test.
pub(crate) struct Route<S> {
    pub(crate) path: &'static str,
    handler: MethodRouter<S>,
    /// The method in lowercase.
    #[cfg(test)]
    pub(crate) method: &'static str,
    /// The documentation of the route, and who may call it.
    #[cfg(test)]
    pub(crate) operation: Operation,
}

/// A [`Route`] of a method, a path, a handler and an operation. Only tests compile the operation, so that the function
/// contains no schemas.
macro_rules! route {
    ($method:ident, $path:literal, $handler:path, $operation:expr $(,)?) => {
        Route {
            path: $path,
            handler: $method($handler),
            #[cfg(test)]
            method: stringify!($method),
            #[cfg(test)]
            operation: $operation,
        }
    };
}

/// The router of all routes.
pub(crate) fn router(use_cases: Arc<UseCases>) -> Router {
    router_of(table()).with_state(use_cases)
}

fn router_of<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>) -> Router<S> {
    routes
        .into_iter()
        .fold(Router::new(), |built, route| built.route(route.path, route.handler))
        .fallback(async || Problem::no_such_route())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(require_gateway_route))
        .layer(map_response(set_security_headers))
}

/// All routes.
pub(crate) fn table() -> Vec<Route<Arc<UseCases>>> {
    [service(), connecting(), accounts(), posts(), post_commands(), uploads(), webhooks()]
        .into_iter()
        .flatten()
        .collect()
}

/// The routes about the API itself. They need no state, so that a test can call them.
fn service<S: Clone + Send + Sync + 'static>() -> Vec<Route<S>> {
    vec![
        route!(
            get,
            "/health",
            service::health,
            closed("get_health", "service", "Check the API's health", "Calls no other service.")
                .response::<service::Health>(200, "The API is available"),
        ),
        route!(
            get,
            "/openapi.json",
            service::openapi,
            closed("get_contract", "service", "Get this document", "OpenAPI 3.1.")
                .response::<serde_json::Map<String, serde_json::Value>>(200, "This document"),
        ),
    ]
}

fn connecting() -> Vec<Route<Arc<UseCases>>> {
    vec![
        route!(
            get,
            "/connect",
            connect::authorize,
            closed(
                "connect_account",
                "accounts",
                "Get the address of TikTok's authorization page",
                "Redirects to the page, or returns its address if the client asks for JSON.",
            )
            .required_query("alias", "The account's alias", contract::alias)
            .problem(400, "The alias is missing or invalid")
            .response::<connect::AuthorizeUrlView>(200, "The address, and when it expires")
            .empty_response(302, "Redirect to TikTok's authorization page")
            .header(302, "Location", "TikTok's authorization page")
            .html(&[400, 503]),
        ),
        route!(
            get,
            "/oauth/callback",
            connect::callback,
            public(
                "receive_authorization",
                "accounts",
                "Receive the response of TikTok's authorization page",
                "Public. It has an effect only with a state that `GET /connect` issued and that is unused and not expired.",
            )
            .query("code", "TikTok's authorization code", contract::text)
            .query("state", "The state of the authorization request", contract::text)
            .query("error", "Why there is no code", contract::text)
            .response::<connect::ConnectedView>(200, "The account is connected")
            .problem(400, "The request has no valid state, or no valid code")
            .problem(403, "The user denied the authorization or a needed scope, or TikTok rejected the request")
            .problem(409, "The state is used, or another TikTok user authorized")
            .problem(410, "The state has expired")
            .gateway_error(429, "Too many requests")
            .problem(502, "TikTok did not exchange the code")
            .problem(503, "Service unavailable")
            .html(&[200, 400, 403, 409, 410, 502, 503]),
        ),
    ]
}

fn accounts() -> Vec<Route<Arc<UseCases>>> {
    vec![
        route!(
            get,
            "/accounts",
            accounts::list,
            closed("list_accounts", "accounts", "List the accounts", "With scopes and preferences, without tokens.")
                .response::<accounts::Accounts>(200, "All accounts"),
        ),
        route!(
            get,
            "/accounts/{alias}",
            accounts::get,
            closed("get_account", "accounts", "Get an account", "With scopes and preferences, without tokens.")
                .account_path()
                .response::<accounts::AccountView>(200, "The account"),
        ),
        route!(
            patch,
            "/accounts/{alias}",
            accounts::configure,
            closed(
                "configure_account",
                "accounts",
                "Change an account's preferences",
                "A merge patch (RFC 7396). Posts held for a removed requirement are released.",
            )
            .account_path()
            .body::<domain::account::Preferences>()
            .response::<accounts::AccountView>(200, "The changed account")
            .problem(409, "Concurrent requests change the account")
            .problem(422, "With these preferences every post would fail"),
        ),
        route!(
            delete,
            "/accounts/{alias}",
            accounts::disconnect,
            closed(
                "disconnect_account",
                "accounts",
                "Disconnect an account",
                "Revokes the authorization and deletes the tokens. The account's posts wait until it is connected again.",
            )
            .account_path()
            .response::<accounts::DisconnectedView>(200, "The account is disconnected")
            .problem(409, "Concurrent requests change the account"),
        ),
        route!(
            get,
            "/accounts/{alias}/creator",
            accounts::creator,
            closed(
                "get_creator",
                "accounts",
                "Get what the creator can post now",
                "Queries TikTok, which allows 20 such queries per minute and account.",
            )
            .account_path()
            .response::<accounts::CreatorView>(200, "TikTok's answer")
            .problem(409, "The account must be connected again")
            .problem_or_gateway_error(429, "Too many requests, or too many queries of TikTok")
            .problem(502, "TikTok rejected the query"),
        ),
    ]
}

fn posts() -> Vec<Route<Arc<UseCases>>> {
    vec![
        route!(
            get,
            "/posts",
            posts::list,
            closed("list_posts", "posts", "List posts", "The newest first. Every parameter is optional.")
                .query("account", "Posts of this account", contract::alias)
                .query("state", "Posts in this state", contract::Schemas::response::<domain::post::StateName>)
                .query("since", "Posts that were submitted at this time or later", contract::since)
                .query("before", "Posts that were submitted before this time", contract::before)
                .query("limit", "Maximum number of posts", contract::limit)
                .query("cursor", "The next_cursor of the previous page", contract::cursor)
                .problem(400, "The query is invalid")
                .response::<posts::Posts>(200, "A page of posts, without their histories"),
        ),
        route!(
            post,
            "/posts",
            posts::create,
            closed(
                "create_post",
                "posts",
                "Post an object in the bucket",
                "One version of an object is one post. With an Idempotency-Key, each key is one post. A repeated request gets \
                 the same answer.",
            )
            .idempotency_key()
            .body::<domain::request::PostForm>()
            .response::<posts::PostView>(201, "The post")
            .header(201, "Location", "The post's path")
            .problem(409, "This version is already a post: post_exists")
            .problem(422, "The request is invalid, or its key belongs to another request: idempotency_key_reused"),
        ),
        route!(
            get,
            "/posts/{id}",
            posts::get,
            closed("get_post", "posts", "Get a post", "State, progress, deferral, failure, TikTok's ids, and history.")
                .post_path()
                .response::<posts::PostView>(200, "The post"),
        ),
        route!(
            patch,
            "/posts/{id}",
            posts::update_options,
            closed(
                "update_options",
                "posts",
                "Change a post's options",
                "A merge patch (RFC 7396). It is possible while no upload is under way: before the first one, while the post \
                 waits to begin another one, or after the post failed and was not posted. It revokes an earlier approval.",
            )
            .post_path()
            .body::<domain::options::PostOptions>()
            .response::<posts::PostView>(200, "The changed post")
            .problem(409, "The options can no longer be changed: upload_under_way, post_ended"),
        ),
    ]
}

fn post_commands() -> Vec<Route<Arc<UseCases>>> {
    vec![
        route!(
            post,
            "/posts/{id}/approve",
            posts::approve,
            closed(
                "approve_post",
                "posts",
                "Approve a post",
                "Releases a post that is held for its review. Approving twice succeeds.",
            )
            .post_path()
            .response::<posts::PostView>(200, "The approved post")
            .problem(409, "The post does not wait for an approval: not_for_review"),
        ),
        route!(
            post,
            "/posts/{id}/cancel",
            posts::cancel,
            closed(
                "cancel_post",
                "posts",
                "Cancel a post",
                "Final. It is possible until the last chunk may have been sent; TikTok cancels no complete upload. \
                 Cancelling twice succeeds.",
            )
            .post_path()
            .response::<posts::PostView>(200, "The cancelled post")
            .problem(409, "The post can no longer be cancelled: may_be_posted, post_ended"),
        ),
        route!(
            post,
            "/posts/{id}/retry",
            posts::retry,
            closed("retry_post", "posts", "Retry a failed post", "As the same post, if TikTok cannot have posted it.",)
                .post_path()
                .response::<posts::PostView>(200, "The queued post")
                .problem(409, "The post cannot be retried: not_failed, outcome_unknown, upload_missing"),
        ),
    ]
}

fn uploads() -> Vec<Route<Arc<UseCases>>> {
    vec![
        route!(
            post,
            "/uploads",
            posts::create_upload,
            closed(
                "create_upload",
                "posts",
                "Get a presigned URL for a video",
                "Creates a post that is held until its video arrives, and then posted. The URL is signed for this length and \
                 media type: send the headers of the response. Above 100,000,000 bytes there is one URL for each part, and \
                 the upload must be completed afterwards. A repeated request with the same Idempotency-Key gets the same \
                 post and newly signed URLs with the same expiry.",
            )
            .idempotency_key()
            .body::<domain::request::UploadForm>()
            .response::<posts::CreatedUploadView>(201, "The post, and where to upload its video")
            .header(201, "Location", "The post's path")
            .problem(422, "The request is invalid, or its key belongs to another request: idempotency_key_reused"),
        ),
        route!(
            post,
            "/uploads/{id}/complete",
            posts::complete_upload,
            closed(
                "complete_upload",
                "posts",
                "Complete an upload in parts",
                "Possible when all parts are complete. Completing twice succeeds.",
            )
            .post_path()
            .response::<posts::PostView>(202, "The post. Its video arrives within seconds")
            .problem(409, "The upload cannot be completed: parts_missing, not_multipart"),
        ),
    ]
}

fn webhooks() -> Vec<Route<Arc<UseCases>>> {
    vec![route!(
        post,
        "/webhooks/tiktok",
        webhook::receive,
        public(
            "receive_webhook",
            "webhooks",
            "Receive a webhook of TikTok",
            "Public. Only a webhook that is signed with the app's secret has an effect. Unknown events are stored too.",
        )
        .signature()
        .body::<contract::Webhook>()
        .empty_response(200, "The webhook is stored")
        .problem(401, "The signature is missing, invalid or too old")
        .gateway_error(429, "Too many requests")
        .problem(503, "The webhook could not be stored; TikTok repeats it"),
    )]
}

#[cfg(test)]
mod tests;
