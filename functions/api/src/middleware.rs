//! Middleware of every route: the check of the gateway's route, and the security headers.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lambda_http::request::RequestContext;

use crate::problem::Problem;

/// Rejects a request with 404 if its route here differs from the route that API Gateway selected.
///
/// API Gateway authorizes a request for the route that it selects, and then passes the path percent-decoded. The decoded
/// path can match another route here: `GET /posts/..%2Faccounts` is authorized as `GET /posts/{id}`, and a `%3F` cuts the
/// path off. A caller could thus reach a route that their IAM policy denies. The template therefore has one route for each
/// route of the table. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
///
/// A function URL has the single route `$default`, which selects nothing.
pub(crate) async fn require_gateway_route(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let route = matched.map(|matched| format!("{} {}", request.method(), matched.as_str()));
    match gateway_route_key(&request) {
        Some(key) if Some(key) != route.as_deref() => Problem::no_such_route().into_response(),
        _ => next.run(request).await,
    }
}

/// The key of the route that API Gateway selected, such as `GET /posts/{id}`.
fn gateway_route_key(request: &Request) -> Option<&str> {
    match request.extensions().get() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().filter(|key| *key != "$default"),
        _ => None,
    }
}

/// Forbids caching, framing, type sniffing and referrers for a response: it may contain a secret, such as an upload
/// URL. A page brings its own content security policy; every other response gets the strictest.
/// <https://owasp.org/www-project-secure-headers/>
pub(crate) async fn set_security_headers(mut response: Response) -> impl IntoResponse {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let strictest = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(strictest);
    response
}
